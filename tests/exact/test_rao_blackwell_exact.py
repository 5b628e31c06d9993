"""Rao-Blackwell against gradients that are enumerated over all sentences, and over all draws."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from enumeration import (
    PrefixReward,
    PrefixTable,
    SentenceReward,
    ToldTable,
    assert_mean_is,
    assert_same_vector,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.budget import Budget, counting
from seqgan.core.types import (
    Reward,
    RewardTerm,
    Rollout,
    SampleRequest,
    SequenceSpace,
    SharedPrefix,
)
from seqgan.estimators import rao_blackwell
from seqgan.estimators.base import Surrogate
from seqgan.estimators.baselines import LeaveOneOut, NoBaseline
from seqgan.estimators.rao_blackwell import RaoBlackwell
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.config import RnnGeneratorConfig

TWO = {
    "fixed": SequenceSpace(vocab_size=3, length=2),
    "ending": SequenceSpace(vocab_size=3, length=2, end_id=1),
}
FIXED = SequenceSpace(vocab_size=3, length=3)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
ONE = SequenceSpace(vocab_size=3, length=1)


def estimator_of(space: SequenceSpace, k: int) -> RaoBlackwell:
    return RaoBlackwell(space, k)


def truth(generator: nn.Module, space: SequenceSpace, reward: Reward) -> Tensor:
    """The gradient of −E[R], enumerated."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp()
    return gradient(-(prob_R * reward(ids_RT, mask_of(ids_RT, space.end_id))).sum(), generator)


# ── Unbiased ──────────────────────────────────────────────────────────────────────────────────


class Script:
    """Stands in for the sampler: every draw takes the next option of a path through all of them."""

    def __init__(self, path: list[int]) -> None:
        self.path, self.prob = path, 1.0
        self._options: list[int] = []

    def __call__(self, probs_BV: Tensor, copies: int) -> Tensor:
        return torch.stack([self._draw(row) for row in probs_BV.repeat(copies, 1)]).view(copies, -1)

    def _draw(self, probs_V: Tensor) -> Tensor:
        options = probs_V.nonzero().flatten()
        if not len(options):  # nothing is left to draw: whatever comes must weigh nothing
            options = torch.tensor([0])
            probs_V = torch.ones(1)
        if len(self._options) == len(self.path):
            self.path.append(0)
        choice = options[self.path[len(self._options)]]
        self._options.append(len(options))
        self.prob *= float(probs_V[choice] / probs_V.sum())
        return choice

    def next_path(self) -> list[int]:
        """The path that turns at the last draw with options left; empty behind the last one."""
        path = list(self.path)
        while path and path[-1] + 1 == self._options[len(path) - 1]:
            path.pop()
        if path:
            path[-1] += 1
        return path


def all_outcomes(monkeypatch, run: Callable[[], Surrogate]) -> Iterator[tuple[float, Surrogate]]:
    """The probability and the result of `run` for every way in which its draws can come out."""
    path: list[int] = []
    while True:
        script = Script(path)
        monkeypatch.setattr("seqgan.decoding.samplers.sample_categorical", script)
        monkeypatch.setattr(rao_blackwell, "sample_categorical", script)
        result = run()
        yield script.prob, result
        path = script.next_path()
        if not path:
            monkeypatch.undo()
            return


@pytest.mark.parametrize("space", TWO.values(), ids=TWO)
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_expectation_over_all_sentences_and_all_draws_is_the_gradient(
    monkeypatch, space, k
) -> None:
    generator, reward = PrefixTable(space), SentenceReward(space)
    estimator, ids_RT = estimator_of(space, k), sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp().detach()
    total, mass = torch.zeros(()), 0.0
    for row, ids_BT in enumerate(ids_RT.split(1)):
        rollout = rollout_of(ids_BT, space)
        run = partial(estimator.loss, generator, rollout, reward)
        for prob, surrogate in all_outcomes(monkeypatch, run):
            total = total + prob_R[row] * prob * surrogate.loss
            mass += float(prob_R[row]) * prob
    assert abs(mass - 1) < 1e-4
    assert_same_vector(gradient(total, generator), truth(generator, space, reward))


@pytest.mark.parametrize(
    ("name", "space", "k"),
    [
        ("gru", FIXED, 1),
        ("transformer", ENDING, 1),
        ("lstm", ENDING, 2),
        ("gru", ENDING, 3),
    ],
)
def test_sampled_gradients_have_the_enumerated_mean(name, space, k) -> None:
    """From the estimator's own samples: 32 batches of 512 sentences, within 5 errors."""
    generator, reward = make_generator(name, space), SentenceReward(space)
    estimator, estimates = estimator_of(space, k), []
    for seed in range(32):
        torch.manual_seed(100 + seed)
        rollout = estimator.sample(generator, SampleRequest(512))
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    assert_mean_is(torch.stack(estimates), truth(generator, space, reward), relative=0.04)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_one_token_long_it_is_exact_in_every_sentence_when_one_or_none_is_left_out(k) -> None:
    generator, reward = make_generator("gru", ONE), SentenceReward(ONE)
    for ids_BT in sentences(ONE).split(1):
        loss = estimator_of(ONE, k).loss(generator, rollout_of(ids_BT, ONE), reward).loss
        assert_same_vector(gradient(loss, generator), truth(generator, ONE, reward))


# ── Variance ──────────────────────────────────────────────────────────────────────────────────


def variance(estimator, generator: nn.Module, reward: Reward) -> float:
    """Of the whole gradient, over 60 batches of 4 sentences."""
    estimates = []
    for seed in range(60):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(4))
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    return float(torch.stack(estimates).var(0).sum())


@pytest.mark.parametrize("space", [FIXED, ENDING], ids=["fixed", "ending"])
def test_summing_over_all_tokens_varies_less_than_sampling_one(space) -> None:
    generator, reward = PrefixTable(space), SentenceReward(space)
    spread = {k: variance(estimator_of(space, k), generator, reward) for k in (1, 3)}
    for baseline in (NoBaseline(), LeaveOneOut()):
        estimator = ScoreFunction(space, baseline=baseline)
        assert spread[3] < 0.5 * variance(estimator, generator, reward)
    assert spread[3] < spread[1]


# ── Which number meets which log-probability ──────────────────────────────────────────────────


class Watched:
    """A reward that keeps what it was asked."""

    def __init__(self, reward: Reward) -> None:
        self._reward = reward
        self.asked: list[tuple[Tensor, Tensor, SharedPrefix | None]] = []

    def __call__(self, x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        self.asked.append((x, mask, shared))
        return self._reward(x, mask)


def sampled(generator: nn.Module, space: SequenceSpace, rows: int) -> Rollout:
    torch.manual_seed(0)
    return estimator_of(space, 1).sample(generator, SampleRequest(rows))


@pytest.mark.parametrize(("k", "actions"), [(1, 2), (2, 3), (3, 3), (9, 3)])
def test_rows_are_copies_of_the_batch_that_differ_from_their_own_column_on(k, actions) -> None:
    """And a sentence of T tokens costs (k + 1)·T + 1 scores, k·T + 1 where k is V or more."""
    generator, reward = make_generator("gru", FIXED), Watched(SentenceReward(FIXED))
    rollout = sampled(generator, FIXED, 20)
    with counting(budget := Budget()):
        estimator_of(FIXED, k).loss(generator, rollout, reward)
    assert sum(len(x) for x, _, _ in reward.asked) == 20 * (actions * 3 + 1)
    assert budget.tokens == 20 * actions * (3 + 2 + 1)
    (base, _, nothing), *columns = reward.asked
    assert torch.equal(base, rollout.ids_BT)
    assert nothing is None
    logits_BTV = generator(rollout.ids_BT)
    for time, (ids_RT, mask_RT, shared) in enumerate(columns):
        assert shared == SharedPrefix(20, time)
        assert mask_RT.all()
        ids_NBT = ids_RT.view(actions, 20, 3)
        for ids_BT in ids_NBT:
            assert torch.equal(ids_BT[:, :time], rollout.ids_BT[:, :time])
        for row in range(20):
            tried = ids_NBT[:, row, time].tolist()
            ranking = logits_BTV[row, time].argsort(descending=True).tolist()
            assert len(set(tried)) == actions
            assert tried[:k] == ranking[:k]


def test_no_row_goes_on_behind_its_end() -> None:
    generator, reward = make_generator("gru", ENDING), Watched(SentenceReward(ENDING))
    ids_BT = torch.tensor([[1, 1, 1], [0, 1, 1], [2, 0, 1], [2, 2, 0]])
    rollout = rollout_of(ids_BT, ENDING)
    estimator_of(ENDING, 2).loss(generator, rollout, reward)
    known = sentences(ENDING).tolist()
    for ids_RT, mask_RT, _ in reward.asked:
        assert all(row in known for row in ids_RT.tolist())
        assert torch.equal(mask_RT, mask_of(ids_RT, 1))
    for time, (ids_RT, _, _) in enumerate(reward.asked[1:]):
        for ids in ids_RT.view(3, 4, 3):
            assert torch.equal(ids[~rollout.mask_BT[:, time]], ids_BT[~rollout.mask_BT[:, time]])


def test_columns_behind_the_end_of_a_sentence_weigh_nothing() -> None:
    """A reward of the first token alone, all tokens summed over: exact in every sentence. What
    stands behind the end would be worth 1e6."""
    generator = PrefixTable(ENDING)

    def reward(ids: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        return (ids[:, 0] == 1).float() + 1e6 * ((ids != 1) & ~mask).any(1)

    expected = truth(generator, ENDING, reward)
    for ids in ([[1, 1, 1]], [[0, 1, 1]], [[0, 2, 2]], [[1, 1, 1], [0, 2, 2]]):
        rollout = rollout_of(torch.tensor(ids), ENDING)
        loss = estimator_of(ENDING, 3).loss(generator, rollout, reward).loss
        assert_same_vector(gradient(loss, generator), expected)


def test_alternatives_behind_the_end_weigh_nothing_whatever_they_are_worth() -> None:
    """All actions are paid 1 more than the sentence: Σ_a ∇π(a) = 0, but not of an end alone."""
    generator, paid = make_generator("gru", ENDING), iter([0.0, 1.0, 1.0, 1.0])
    rollout = rollout_of(torch.tensor([[1, 1, 1], [0, 1, 1], [0, 2, 2]]), ENDING)
    loss = estimator_of(ENDING, 3).loss(
        generator, rollout, lambda x, *_: torch.full((len(x),), next(paid))
    )
    assert gradient(loss.loss, generator).norm() < 1e-6


def test_where_all_sentences_are_worth_the_same_nothing_is_learned() -> None:
    """b takes it out of every draw, also of the rest."""
    generator = make_generator("gru", ENDING)
    rollout = sampled(generator, ENDING, 8)
    loss = estimator_of(ENDING, 1).loss(
        generator, rollout, lambda x, *_: torch.full((len(x),), 7.0)
    )
    assert (gradient(loss.loss, generator) == 0).all()


def test_rewards_belong_to_the_sentence_of_their_row() -> None:
    """Even and odd rows are paid by different tables."""
    generator, tables = PrefixTable(FIXED), [SentenceReward(FIXED, seed) for seed in (0, 1)]

    def reward(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        values_2R = torch.stack([table(x, mask) for table in tables])
        row_R = torch.arange(len(x))
        return values_2R[row_R % 500 % 2, row_R]  # 500: the batch

    estimator, estimates = estimator_of(FIXED, 2), []
    for seed in range(32):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(500))
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    expected = torch.stack([truth(generator, FIXED, table) for table in tables]).mean(0)
    assert_mean_is(torch.stack(estimates), expected, relative=0.04)


def test_conditions_are_told_to_the_generator() -> None:
    """Sentences of one token, all of them summed over: exact for each row's own condition."""
    generator, tables = ToldTable(ONE), [SentenceReward(ONE, seed) for seed in (3, 4)]
    cond_B1 = torch.tensor([[0], [1], [1]])

    def reward(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        kind_R = cond_B1[:, 0].repeat(len(x) // 3)
        return torch.stack([table(x, mask) for table in tables])[kind_R, torch.arange(len(x))]

    estimator = estimator_of(ONE, 3)
    rollout = estimator.sample(generator, SampleRequest(3, cond_B1))
    actual = gradient(estimator.loss(generator, rollout, reward).loss, generator)
    expected = [
        truth(table, ONE, paid) * share
        for table, paid, share in zip(generator.tables, tables, (1 / 3, 2 / 3), strict=True)
    ]
    assert_same_vector(actual, torch.cat(expected))


def test_terms_enter_the_reward_with_their_weight() -> None:
    generator = make_generator("gru", ENDING)
    reward, extra = SentenceReward(ENDING, 0), SentenceReward(ENDING, 1)
    rollout, estimator = sampled(generator, ENDING, 16), estimator_of(ENDING, 1)
    torch.manual_seed(3)
    both = estimator.loss(generator, rollout, reward, RewardTerm("extra", extra, 0.3)).loss
    torch.manual_seed(3)
    one = estimator.loss(generator, rollout, lambda x, m, *_: reward(x, m) + 0.3 * extra(x, m)).loss
    torch.testing.assert_close(both, one)
    torch.manual_seed(3)
    without = estimator.loss(generator, rollout, reward).loss
    assert abs(float((both - without).detach())) > 1e-3


def test_a_per_step_reward_counts_by_its_mean_over_the_steps_that_count() -> None:
    generator, reward = make_generator("gru", ENDING), PrefixReward(ENDING, on_pads=1e3)
    rollout, estimator = sampled(generator, ENDING, 16), estimator_of(ENDING, 1)

    def mean(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        return torch.stack(
            [row[:n].mean() for row, n in zip(reward(x, mask), mask.sum(1), strict=True)]
        )

    torch.manual_seed(3)
    by_step = estimator.loss(generator, rollout, reward).loss
    torch.manual_seed(3)
    torch.testing.assert_close(by_step, estimator.loss(generator, rollout, mean).loss)


# ── Edges and modes ───────────────────────────────────────────────────────────────────────────


def test_tokens_that_cannot_come_have_no_part() -> None:
    """A logit of −∞ has the gradient of one so low that its probability rounds to 0."""
    gradients = []
    for lowest in (-1e4, float("-inf")):
        generator = PrefixTable(FIXED)
        for table in generator.tables:
            table.data[:, 2] = lowest
        rollout = sampled(generator, FIXED, 16)
        assert (rollout.ids_BT != 2).all()
        for k in (1, 2, 3):
            torch.manual_seed(0)
            loss = estimator_of(FIXED, k).loss(generator, rollout, SentenceReward(FIXED)).loss
            assert loss.isfinite()
            gradients.append(gradient(loss, generator))
    assert torch.stack(gradients).isfinite().all()
    for low, never in zip(gradients[:3], gradients[3:], strict=True):
        assert_same_vector(never, low)


def test_no_gradient_flows_through_the_reward_and_none_is_left_switched_off() -> None:
    generator = make_generator("gru", FIXED)
    trainable = [parameter.requires_grad for parameter in generator.parameters()]
    scale = torch.tensor(2.0, requires_grad=True)
    rollout = sampled(generator, FIXED, 4)
    loss = estimator_of(FIXED, 1).loss(generator, rollout, lambda x, *_: scale * x.float().sum(1))
    (flow,) = torch.autograd.grad(loss.loss, scale, allow_unused=True)
    assert flow is None
    assert trainable == [parameter.requires_grad for parameter in generator.parameters()]


def test_sampled_and_differentiated_without_dropout() -> None:
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    torch.manual_seed(0)
    generator = config.build(ONE).train()
    rollout, reward = rollout_of(sentences(ONE), ONE), SentenceReward(ONE)
    losses = [estimator_of(ONE, 3).loss(generator, rollout, reward).loss for _ in range(5)]
    assert all(torch.equal(loss, losses[0]) for loss in losses)
    assert generator.training
