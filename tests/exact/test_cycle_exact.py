"""Conditional estimators with several rewards, against gradients that are enumerated.

Expectations are sums over every batch of sentences, given the sources. Probabilities come from
softmax and gather alone, masks from a loop.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixReward,
    SentenceReward,
    assert_mean_is,
    assert_same_vector,
    gradient,
    index_of,
    mask_of,
    sentences,
)
from pydantic import TypeAdapter
from torch import Tensor, nn

from seqgan.core.types import Generator, RewardTerm, Rollout, SampleRequest, SequenceSpace, StepOut
from seqgan.estimators.config import AnyEstimatorConfig, DetachedConfig
from seqgan.estimators.policy_gradient_config import ScoreFunctionConfig
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.critics.local import LocalCritic
from seqgan.models.seq2seq.lexicon import Lexicon

CPU = torch.device("cpu")
ENDING = SequenceSpace(vocab_size=3, length=2, end_id=1)
FIXED = SequenceSpace(vocab_size=2, length=3)
SPACES = {"ending": ENDING, "fixed": FIXED}
SOURCES = torch.tensor([[0], [2]])
"""One token of three says what to write."""
WEIGHT = 0.7

NONE = {"name": "none"}
LOO = {"name": "leave_one_out"}
SELF = {"name": "self_critical"}
MOVING = {"name": "moving_average"}


class Translator(Generator):
    """Arbitrary distributions after every prefix, others for each source. Its state is both."""

    def __init__(self, space: SequenceSpace, seed: int = 0) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        stream = torch.Generator().manual_seed(seed)
        shapes = [(3, space.vocab_size**t, space.vocab_size) for t in range(space.length)]
        self.tables = nn.ParameterList(
            1.5 * torch.randn(shape, generator=stream) for shape in shapes
        )

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        assert cond is not None
        return self._out(cond, torch.zeros(batch, 0, dtype=torch.long))

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> StepOut:
        return self._out(state[0], torch.cat([state[1], x[:, None]], 1))

    def _out(self, cond: Tensor, prefix_Bt: Tensor) -> StepOut:
        table = self.tables[prefix_Bt.shape[1]]
        row_B = index_of(prefix_Bt, self.vocab_size)
        return StepOut(table[cond[:, 0], row_B], (cond, prefix_Bt))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        outs = [self._out(cond, tokens[:, :t]).logits_BV for t in range(tokens.shape[1])]
        return torch.stack(outs, 1)


class Recovery:
    """An arbitrary number for every pair of a source and a sentence; rows belong to `cond`."""

    def __init__(self, space: SequenceSpace, cond: Tensor) -> None:
        stream = torch.Generator().manual_seed(9)
        self._table = -3 + 2 * torch.randn(3, space.vocab_size**space.length, generator=stream)
        self._cond, self._vocab = cond, space.vocab_size

    def __call__(self, x: Tensor, mask: Tensor | None, shared: object = None) -> Tensor:
        return self._table[self._cond[:, 0], index_of(x, self._vocab)]


def rollout_of(ids_BT: Tensor, space: SequenceSpace, cond: Tensor) -> Rollout:
    return Rollout(ids_BT, ids_BT, mask_of(ids_BT, space.end_id), cond)


def log_probs(generator: Generator, rollout: Rollout) -> Tensor:
    """`logp_BT` by softmax and gather; 0 behind the end."""
    logits_BTV = generator(rollout.ids_BT, rollout.cond)
    logp_BT = logits_BTV.log_softmax(-1).gather(-1, rollout.ids_BT[..., None]).squeeze(-1)
    return logp_BT * rollout.mask_BT


def probabilities(generator: Generator, space: SequenceSpace, source: Tensor) -> Tensor:
    """p(x | source) of every sentence."""
    ids_RT = sentences(space)
    rollout = rollout_of(ids_RT, space, source.expand(len(ids_RT), -1))
    prob_R = log_probs(generator, rollout).sum(1).exp()
    assert abs(float(prob_R.detach().sum()) - 1) < 1e-5
    return prob_R


def expected_loss(
    generator: Generator, space: SequenceSpace, cond: Tensor, loss_of: Callable[[Rollout], Tensor]
) -> Tensor:
    """Σ over all batches of P(batch | cond) · loss(batch)."""
    ids_RT = sentences(space)
    with torch.no_grad():
        prob_BR = torch.stack([probabilities(generator, space, row) for row in cond])
    total = torch.zeros(())
    for rows in product(range(len(ids_RT)), repeat=len(cond)):
        p = torch.stack([prob_BR[b, row] for b, row in enumerate(rows)]).prod()
        total = total + p * loss_of(rollout_of(ids_RT[list(rows)], space, cond))
    return total


def objective(
    generator: Generator, space: SequenceSpace, cond: Tensor, critic: float, term: float
) -> Tensor:
    """−E[critic · R + term · K], a mean over the sources; differentiable."""
    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    total = torch.zeros(())
    for source in cond:
        value_R = critic * SentenceReward(space)(ids_RT, mask_RT)
        told = source.expand(len(ids_RT), -1)
        value_R = value_R + term * Recovery(space, told)(ids_RT, mask_RT)
        total = total - (probabilities(generator, space, source) * value_R).sum() / len(cond)
    return total


def estimator_of(space: SequenceSpace, baseline: dict, **options: Any) -> ScoreFunction:
    config = {"name": "score_function", "baseline": baseline, **options}
    return ScoreFunctionConfig.model_validate(config).build(space, CPU)


def term_of(space: SequenceSpace, cond: Tensor) -> RewardTerm:
    return RewardTerm("cycle", Recovery(space, cond), WEIGHT)


# ── Two rewards, two baselines ────────────────────────────────────────────────────────────────

BASELINES = {
    "none": (NONE, None),
    "leave_one_out": (LOO, None),
    "self_critical": (SELF, None),
    "moving_average": (MOVING, None),
    "leave_one_out and self_critical": (LOO, SELF),
    "self_critical and leave_one_out": (SELF, LOO),
    "none and self_critical": (NONE, SELF),
    "leave_one_out and none": (LOO, NONE),
    "self_critical and moving_average": (SELF, MOVING),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("names", BASELINES)
def test_the_expected_gradient_is_that_of_both_rewards(names: str, space: SequenceSpace) -> None:
    """Of the sum, and of each part by itself."""
    baseline, term_baseline = BASELINES[names]
    generator = Translator(space)

    def surrogate(rollout: Rollout) -> Any:
        estimator = estimator_of(space, baseline, term_baseline=term_baseline)
        return estimator.loss(generator, rollout, SentenceReward(space), term_of(space, SOURCES))

    wanted = {"all": (1.0, WEIGHT), "critic": (1.0, 0.0), "cycle": (0.0, WEIGHT)}
    norms = []
    for part, weights in wanted.items():

        def loss_of(rollout: Rollout, part: str = part) -> Tensor:
            found = surrogate(rollout)
            return found.loss if part == "all" else found.parts[part]

        actual = gradient(expected_loss(generator, space, SOURCES, loss_of), generator)
        expected = gradient(objective(generator, space, SOURCES, *weights), generator)
        assert_same_vector(actual, expected)
        norms.append(expected.norm())
    assert min(norms) > 0.05, "the test says nothing"


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("baseline", [NONE, LOO, MOVING], ids=["none", "leave one out", "moving"])
def test_a_critic_by_the_step_beside_a_reward_of_the_sentence(
    baseline: dict, space: SequenceSpace
) -> None:
    """Wang & Lee (2018): returns to go for the critic, a greedy baseline for the recovery."""
    generator, by_step = Translator(space), PrefixReward(space, on_pads=7.0)

    def part(name: str) -> Callable[[Rollout], Tensor]:
        def loss_of(rollout: Rollout) -> Tensor:
            estimator = estimator_of(
                space, baseline, credit={"name": "per_step"}, term_baseline=SELF
            )
            found = estimator.loss(generator, rollout, by_step, term_of(space, SOURCES))
            return found.loss if name == "all" else found.parts[name]

        return loss_of

    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    value_R = (by_step(ids_RT, mask_RT) * mask_RT).sum(1)
    critic = -sum((probabilities(generator, space, row) * value_R).sum() for row in SOURCES) / 2
    cycle = objective(generator, space, SOURCES, 0.0, WEIGHT)
    wanted = {"critic": critic, "cycle": cycle, "all": critic + cycle}
    for name, loss in wanted.items():
        actual = gradient(expected_loss(generator, space, SOURCES, part(name)), generator)
        expected = gradient(loss, generator, retain_graph=True)
        assert expected.norm() > 0.05
        assert_same_vector(actual, expected)


@pytest.mark.parametrize("names", ["leave_one_out", "self_critical", "leave_one_out and none"])
def test_sampled_gradients_have_the_enumerated_mean(names: str) -> None:
    """From the estimator's own samples: 24 batches of 2,000, half of them for each source."""
    baseline, term_baseline = BASELINES[names]
    space, generator = ENDING, Translator(ENDING)
    cond = SOURCES.repeat(1000, 1)
    estimates = []
    for seed in range(24):
        torch.manual_seed(seed)
        estimator = estimator_of(space, baseline, term_baseline=term_baseline)
        rollout = estimator.sample(generator, SampleRequest(len(cond), cond))
        assert rollout.cond is cond
        found = estimator.loss(generator, rollout, SentenceReward(space), term_of(space, cond))
        estimates.append(gradient(found.loss, generator))
    expected = gradient(objective(generator, space, SOURCES, 1.0, WEIGHT), generator)
    assert_mean_is(torch.stack(estimates), expected, relative=0.03)


def test_the_self_critical_baseline_is_the_value_of_the_greedy_sentence_for_the_same_source() -> (
    None
):
    space, generator = ENDING, Translator(ENDING, seed=3)
    cond = torch.tensor([[0], [2], [1], [0]])
    rollout = rollout_of(torch.tensor([[0, 2], [1, 1], [2, 1], [2, 0]]), space, cond)
    greedy = []
    for source in cond:
        rows = sentences(space)
        first = int(generator.tables[0][source[0], 0].argmax())
        second = int(generator.tables[1][source[0], first].argmax())
        greedy.append([first, 1 if first == 1 else second])
        assert greedy[-1] in rows.tolist()
    greedy_BT = torch.tensor(greedy)
    assert len(greedy_BT.unique(dim=0)) > 1, "the test says nothing"
    reward, term = SentenceReward(space), term_of(space, cond)
    mask = rollout.mask_BT
    advantage_B = reward(rollout.ids_BT, mask) - reward(greedy_BT, mask)
    extra_B = term.reward(rollout.ids_BT, mask) - term.reward(greedy_BT, mask)
    logp_B = log_probs(generator, rollout).sum(1)
    found = estimator_of(space, SELF).loss(generator, rollout, reward, term)
    torch.testing.assert_close(found.parts["critic"], -(advantage_B * logp_B).mean())
    torch.testing.assert_close(found.parts["cycle"], -(WEIGHT * extra_B * logp_B).mean())


@pytest.mark.parametrize("bonus", [0.0, 0.3])
@pytest.mark.parametrize("whiten", [False, True, "each"])
def test_parts_sum_to_the_loss(whiten: bool | str, bonus: float) -> None:
    """A game takes the parts: what is in none of them teaches nobody."""
    space, generator = ENDING, Translator(ENDING)
    rollout = rollout_of(torch.tensor([[0, 2], [1, 1]]), space, SOURCES)
    estimator = estimator_of(space, LOO, term_baseline=SELF, whiten=whiten, entropy_bonus=bonus)
    found = estimator.loss(generator, rollout, SentenceReward(space), term_of(space, SOURCES))
    rewards = {"all"} if whiten is True else {"critic", "cycle"}
    assert set(found.parts) == (rewards | {"entropy"} if bonus else rewards)
    assert torch.equal(torch.stack(list(found.parts.values())).sum(), found.loss)
    alone = estimator.loss(generator, rollout, SentenceReward(space))
    assert alone.parts == {}


def test_each_reward_can_be_normalised_before_the_sum() -> None:
    """Whatever its scale, a reward weighs as much as its weight says: GDPO."""
    space, generator, sources = ENDING, Translator(ENDING), SOURCES[[0, 1, 0]]
    rollout = rollout_of(torch.tensor([[0, 2], [1, 1], [2, 2]]), space, sources)
    reward, term = SentenceReward(space), term_of(space, sources)
    mask_BT = rollout.mask_BT
    estimator = estimator_of(space, NONE, whiten="each")
    found = estimator.loss(generator, rollout, reward, term)
    logp_BT = log_probs(generator, rollout)
    for name, value, weight in (("critic", reward, 1.0), ("cycle", term.reward, WEIGHT)):
        value_BT = value(rollout.ids_BT, mask_BT)[:, None].expand(-1, 2)
        counted = value_BT[mask_BT]
        unit_BT = (value_BT - counted.mean()) / counted.std(correction=0)
        expected = -(weight * unit_BT * mask_BT * logp_BT).sum(1).mean()
        torch.testing.assert_close(found.parts[name], expected, rtol=1e-3, atol=1e-5)


def test_a_null_reward_replaces_the_critics_and_not_the_terms() -> None:
    """With leave-one-out a constant has no gradient in any batch; the recovery keeps its own."""
    space, generator = ENDING, Translator(ENDING)
    rollout = rollout_of(torch.tensor([[0, 2], [1, 1]]), space, SOURCES)
    term = term_of(space, SOURCES)
    losses = [
        estimator_of(space, LOO, reward=reward).loss(
            generator, rollout, SentenceReward(space), term
        )
        for reward in ("constant", "critic")
    ]
    null, real = (found.parts for found in losses)
    assert (gradient(null["critic"], generator, retain_graph=True) == 0).all()
    assert gradient(real["critic"], generator, retain_graph=True).norm() > 0.1
    torch.testing.assert_close(null["cycle"], real["cycle"])


def test_each_rewards_moving_average_is_its_own_and_survives_a_checkpoint() -> None:
    """After a batch the baselines are the two rewards' means: equal rewards then have no loss."""
    space, generator = FIXED, Translator(FIXED)
    rollout = rollout_of(torch.tensor([[0, 1, 1], [0, 1, 1]]), space, SOURCES[[0, 0]])

    def reward(x: Tensor, mask: Tensor | None, shared: object = None) -> Tensor:
        return torch.full((len(x),), 3.0)

    def recovery(x: Tensor, mask: Tensor | None, shared: object = None) -> Tensor:
        return torch.full((len(x),), -20.0)

    first = estimator_of(space, MOVING)
    term = RewardTerm("cycle", recovery, WEIGHT)
    before = first.loss(generator, rollout, reward, term)
    assert gradient(before.loss, generator).norm() > 0.1
    second = estimator_of(space, MOVING)
    second.load_state_dict(first.state_dict())
    for estimator in (first, second):
        found = estimator.loss(generator, rollout, reward, term)
        for loss in found.parts.values():
            assert gradient(loss, generator, retain_graph=True).abs().max() < 1e-5


# ── Tokens that do not depend on each other ──────────────────────────────────────────────────

LETTERS = SequenceSpace(vocab_size=3, length=4)
WORDS = SequenceSpace(vocab_size=3, length=4, end_id=2)
TABLES = {"letters": LETTERS, "words": WORDS}


def lexicon(space: SequenceSpace, seed: int = 0) -> Lexicon:
    torch.manual_seed(seed)
    return Lexicon(space, space, init_std=1.2)


def texts(space: SequenceSpace) -> Tensor:
    """One source; where there are ends it has three tokens and its end."""
    return torch.tensor([[0, 1, 1, 0]] if space.end_id is None else [[0, 1, 2, 2]])


def local_reward(space: SequenceSpace) -> Callable[..., Tensor]:
    """A critic of windows of three: every value sees one column to either side."""
    torch.manual_seed(4)
    critic = LocalCritic(space, width=6, windows=[3])
    for parameter in critic.parameters():
        parameter.data.mul_(3)
    return lambda x, mask, shared=None: critic(x, mask).score


def every_rollout(space: SequenceSpace, cond: Tensor) -> Rollout:
    """All V^T rows, possible or not."""
    ids_RT = torch.tensor(list(product(range(space.vocab_size), repeat=space.length)))
    return Rollout(ids_RT, ids_RT, mask_of(ids_RT, space.end_id), cond.expand(len(ids_RT), -1))


def parallel_probs(generator: Lexicon, rollout: Rollout) -> Tensor:
    """Π_t p(x_t | source), also of the columns behind the end, which are certain."""
    prob_RTV = generator.emit(rollout.cond).softmax(-1)
    prob_R = prob_RTV.gather(-1, rollout.ids_BT[..., None]).squeeze(-1).prod(1)
    assert abs(float(prob_R.detach().sum()) - 1) < 1e-5
    return prob_R


def mean_value(generator: Lexicon, space: SequenceSpace, reward: Callable[..., Tensor]) -> Tensor:
    """−E[mean_t r_t], enumerated."""
    rollout = every_rollout(space, texts(space))
    value_RT = (reward(rollout.ids_BT, rollout.mask_BT) * rollout.mask_BT).detach()
    value_R = value_RT.sum(1) / rollout.mask_BT.sum(1)
    return -(parallel_probs(generator, rollout) * value_R).sum()


def window_gradient(space: SequenceSpace, reach: int) -> tuple[Tensor, Tensor]:
    """Of the estimator, in expectation, and of E[mean_t r_t]."""
    generator, reward = lexicon(space), local_reward(space)
    rollout = every_rollout(space, texts(space))
    prob_R = parallel_probs(generator, rollout).detach()
    estimator = estimator_of(space, NONE, credit={"name": "window", "reach": reach})
    total = torch.zeros(())
    for row, p in enumerate(prob_R):
        if p > 1e-9:
            one = Rollout(*(x[row : row + 1] for x in (rollout.ids_BT,) * 2 + (rollout.mask_BT,)))
            one = Rollout(one.tokens, one.ids_BT, one.mask_BT, texts(space))
            total = total + p * estimator.loss(generator, one, reward).loss
    return gradient(total, generator), gradient(mean_value(generator, space, reward), generator)


@pytest.mark.parametrize("space", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("reach", [1, 2, 5])
def test_window_credit_is_unbiased_where_it_reaches_as_far_as_the_critic(
    reach: int, space: SequenceSpace
) -> None:
    assert_same_vector(*window_gradient(space, reach))


def test_window_credit_that_reaches_less_far_is_biased() -> None:
    actual, expected = window_gradient(LETTERS, 0)
    assert (actual - expected).norm() > 0.05 * expected.norm()


def test_in_long_texts_window_credit_has_less_variance_than_the_value_of_the_whole() -> None:
    space = SequenceSpace(vocab_size=3, length=24)
    generator, reward = lexicon(space), local_reward(space)
    cond = torch.tensor([[0, 1, 2, 1, 0, 0] * 4]).expand(100, -1)
    means, spreads = [], []
    for credit in ({"name": "window", "reach": 1}, {"name": "sequence"}):
        samples = []
        for seed in range(40):
            torch.manual_seed(seed)
            estimator = estimator_of(space, LOO, credit=credit)
            rollout = estimator.sample(generator, SampleRequest(100, cond))
            samples.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
        means.append(torch.stack(samples).mean(0))
        spreads.append(torch.stack(samples).var(0))
    assert float(spreads[0].sum()) < 0.8 * float(spreads[1].sum())
    error = ((spreads[0] + spreads[1]) / 40).sqrt()
    assert ((means[0] - means[1]).abs() < 5 * error + 1e-6).all()


def linear_value(x: Tensor, mask: Tensor | None = None, shared: object = None) -> Tensor:
    weight_TV = torch.linspace(-2, 3, 12).view(4, 3).sin()
    return (x * weight_TV).sum((1, 2))


def linear_recovery(x: Tensor, mask: Tensor | None = None, shared: object = None) -> Tensor:
    weight_TV = torch.linspace(1, 9, 12).view(4, 3).cos()
    return (x * weight_TV).sum((1, 2))


def relaxed(name: str, tau: float) -> Relaxed:
    config = {"name": name, "temperature": tau}
    return TypeAdapter(AnyEstimatorConfig).validate_python(config).build(LETTERS, CPU)


def relaxed_gradient(name: str, tau: float) -> tuple[Tensor, Tensor, Any]:
    """The estimate, the exact gradient of E[value + w · recovery], and what was returned."""
    generator, cond = lexicon(LETTERS), texts(LETTERS)
    rollout = every_rollout(LETTERS, cond)
    one_hot = nn.functional.one_hot(rollout.ids_BT, 3).float()
    value_R = linear_value(one_hot) + WEIGHT * linear_recovery(one_hot)
    expected = gradient(-(parallel_probs(generator, rollout) * value_R).sum(), generator)
    estimator = relaxed(name, tau)
    made = estimator.sample(generator, SampleRequest(5, cond.expand(5, -1)))
    found = estimator.loss(
        generator, made, linear_value, RewardTerm("cycle", linear_recovery, WEIGHT)
    )
    return gradient(found.loss, generator, retain_graph=True), expected, found


@pytest.mark.parametrize("name", ["softmax", "straight_through"])
def test_linear_rewards_of_independent_tokens_have_the_exact_gradient(name: str) -> None:
    """At τ = 1, whatever was drawn; at another temperature not."""
    torch.manual_seed(0)
    actual, expected, found = relaxed_gradient(name, 1.0)
    assert_same_vector(actual, expected)
    assert set(found.parts) == {"critic", "cycle"}
    assert torch.equal(torch.stack(list(found.parts.values())).sum(), found.loss)
    other, _, _ = relaxed_gradient(name, 0.4)
    assert (other - expected).norm() > 0.05 * expected.norm()


def test_softmax_rows_are_the_distribution_itself() -> None:
    generator, cond = lexicon(LETTERS), texts(LETTERS)
    made = relaxed("softmax", 1.0).sample(generator, SampleRequest(1, cond))
    torch.testing.assert_close(made.tokens, generator.emit(cond).softmax(-1))
    assert torch.equal(made.ids_BT, generator.emit(cond).argmax(-1))


# ── No path at all ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("decoding", ["greedy", "sample"])
def test_detached_uses_no_critic_and_has_no_gradient(decoding: str) -> None:
    def never_asked(*_: Any) -> Tensor:
        raise AssertionError("neither the critic nor the recovery is to be computed")

    generator = lexicon(LETTERS)
    config = DetachedConfig.model_validate({"name": "detached", "decoding": decoding})
    estimator = config.build(LETTERS, CPU)
    cond = texts(LETTERS).expand(300, -1)
    made = estimator.sample(generator, SampleRequest(300, cond))
    assert not made.tokens.requires_grad
    assert not made.tokens.is_floating_point()
    greedy_BT = generator.emit(cond).argmax(-1)
    assert torch.equal(made.ids_BT, greedy_BT) == (decoding == "greedy")
    found = estimator.loss(generator, made, never_asked, RewardTerm("cycle", never_asked))
    assert float(found.loss) == 0
    assert not found.loss.requires_grad
