"""Generators, critics and estimators with prompts, against enumeration.

The truth comes from the network inside, read over rows of prompt and answer: nothing here relies on
how `PromptedGenerator` reads its prompt or cuts its columns.
"""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from enumeration import (
    assert_mean_is,
    assert_same_vector,
    chi_square_is_plausible,
    gradient,
    index_of,
    mask_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.types import Rollout, SampleRequest, Scores, SequenceSpace, SharedPrefix
from seqgan.decoding import Ancestral, StraightThrough, continuations, sample, sequence_log_probs
from seqgan.estimators.base import Estimator
from seqgan.estimators.grpo import Grpo
from seqgan.estimators.policy_gradient_config import ScoreFunctionConfig
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.config import (
    ActionCriticConfig,
    CnnCriticConfig,
    RnnCriticConfig,
    RnnGeneratorConfig,
    TransformerCriticConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.prompted import PromptedGenerator
from seqgan.objectives.divergences import Divergence

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=2, prompt=1)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1, prompt=2)
TINY = SequenceSpace(vocab_size=2, length=2, prompt=1)
SPACES = {"fixed": SPACE, "ending": ENDING}
GENERATORS = {
    "gru": RnnGeneratorConfig(name="gru", embed=4, hidden=5),
    "lstm": RnnGeneratorConfig(name="lstm", embed=4, hidden=5),
    "transformer": TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=1),
}
CAUSAL = {
    "rnn": RnnCriticConfig(name="rnn", embed=4, hidden=5),
    "action": ActionCriticConfig(name="action", embed=4, hidden=5),
    "transformer": TransformerCriticConfig(
        name="transformer", width=8, heads=2, layers=1, causal=True
    ),
}
POOLED = {
    "cnn": CnnCriticConfig(name="cnn", embed=4, widths=[1, 2], filters=[4, 4], dropout=0.0),
    "transformer": TransformerCriticConfig(name="transformer", width=8, heads=2, layers=1),
}


def make_generator(space: SequenceSpace, name: str = "gru") -> PromptedGenerator:
    """A small generator whose distributions are far from uniform and differ between prompts."""
    torch.manual_seed(0)
    generator = GENERATORS[name].build(space)
    assert isinstance(generator, PromptedGenerator)
    for parameter in generator.parameters():
        parameter.data.mul_(2)
    return generator


def all_prompts(space: SequenceSpace) -> Tensor:
    return torch.tensor(list(product(range(space.vocab_size), repeat=space.prompt)))


def answers_logits(generator: PromptedGenerator, ids_BT: Tensor, cond: Tensor) -> Tensor:
    """`logits_BTV` from the network inside, row by row: those behind the prompt, which begins with
    its first token that is no end."""
    rows = []
    for ids_T, prompt in zip(ids_BT, cond.tolist(), strict=True):
        while generator.fill_id is not None and prompt[:1] == [generator.fill_id]:
            prompt = prompt[1:]
        joint = torch.cat([torch.tensor(prompt, dtype=torch.long), ids_T])
        rows.append(generator.inner(joint[None])[0, len(prompt) :])
    return torch.stack(rows)


def log_probs_of_answers(generator: PromptedGenerator, ids_BT: Tensor, cond: Tensor) -> Tensor:
    """`logp_B` from the network inside."""
    logits = answers_logits(generator, ids_BT, cond)
    total_B = torch.zeros(len(ids_BT))
    mask_BT = mask_of(ids_BT, ENDING.end_id if ids_BT.shape[1] == ENDING.length else None)
    for t in range(ids_BT.shape[1]):
        logp_BV = logits[:, t].log_softmax(-1)
        total_B = total_B + logp_BV.gather(1, ids_BT[:, t : t + 1])[:, 0] * mask_BT[:, t]
    return total_B


# ── Networks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_step_loop_and_forward_are_the_answers_columns_of_the_joint_row(name, space) -> None:
    generator = make_generator(space, name)
    ids_BT = sentences(space)
    cond = all_prompts(space)[torch.arange(len(ids_BT)) % space.vocab_size**space.prompt]
    expected = answers_logits(generator, ids_BT, cond)
    torch.testing.assert_close(generator(ids_BT, cond), expected)
    soft = nn.functional.one_hot(ids_BT, space.vocab_size).float()
    torch.testing.assert_close(generator(soft, cond), expected)
    out = generator.start(len(ids_BT), cond)
    for t in range(space.length):
        torch.testing.assert_close(out.logits_BV, expected[:, t])
        if t + 1 < space.length:
            out = generator.step(ids_BT[:, t], out.state)


@pytest.mark.parametrize("name", GENERATORS)
def test_answers_depend_on_every_token_of_the_prompt(name) -> None:
    generator = make_generator(ENDING, name)
    ids_BT = torch.tensor([[0, 2, 1]])
    logits = [generator(ids_BT, torch.tensor([prompt])) for prompt in ([0, 0], [2, 0], [0, 2])]
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    assert (logits[0] - logits[2]).abs().max() > 1e-3


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_densities_of_all_answers_sum_to_one_behind_every_prompt(space) -> None:
    generator, ids_RT = make_generator(space), sentences(space)
    for prompt in all_prompts(space):
        cond = prompt.expand(len(ids_RT), -1)
        mask_RT = mask_of(ids_RT, space.end_id)
        logp_R = sequence_log_probs(generator, ids_RT, mask_RT, cond=cond)
        torch.testing.assert_close(logp_R, log_probs_of_answers(generator, ids_RT, cond))
        assert float(logp_R.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_blocks_of_rows_keep_their_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """27 rows in blocks of four: a row has two tokens of a vocabulary of three."""
    generator = make_generator(SPACE)
    ids_RT, cond = sentences(SPACE).repeat(3, 1), all_prompts(SPACE).repeat_interleave(9, 0)
    monkeypatch.setattr("seqgan.decoding.log_probs._BLOCK_LOGITS", 24)
    logp_R = sequence_log_probs(generator, ids_RT, torch.ones_like(ids_RT).bool(), cond=cond)
    torch.testing.assert_close(logp_R, log_probs_of_answers(generator, ids_RT, cond))


def test_samples_have_the_enumerated_distribution_of_their_own_prompt() -> None:
    generator, ids_RT = make_generator(SPACE), sentences(SPACE)
    prompts = all_prompts(SPACE)
    torch.manual_seed(0)
    cond = prompts.repeat(4000, 1)
    rollout = sample(generator, SPACE, len(cond), Ancestral(), cond)
    index_B = index_of(rollout.ids_BT, SPACE.vocab_size)
    for prompt in prompts:
        counts = index_B[(cond == prompt).all(1)].bincount(minlength=len(ids_RT))
        probs = log_probs_of_answers(generator, ids_RT, prompt.expand(len(ids_RT), -1)).exp()
        assert chi_square_is_plausible(counts, probs.detach())


def test_continuations_of_a_prefix_are_drawn_behind_the_same_prompt() -> None:
    """The last token, drawn again after each first token, has p(x_2 | c, x_1)."""
    generator, prompts = make_generator(SPACE), all_prompts(SPACE)
    ids_BT = torch.tensor([[0, 0], [1, 1], [2, 2]])
    torch.manual_seed(0)
    rollout = Rollout(ids_BT, ids_BT, torch.ones_like(ids_BT, dtype=torch.bool), prompts)
    ids_PNBT = continuations(generator, SPACE, rollout, 6000, Ancestral())
    joint = generator.inner(torch.cat([prompts, ids_BT], 1))
    probs_BV = joint[:, SPACE.prompt + 1].softmax(-1)
    for row in range(3):
        assert (ids_PNBT[0, :, row, 0] == ids_BT[row, 0]).all()
        counts = ids_PNBT[0, :, row, 1].bincount(minlength=3)
        assert chi_square_is_plausible(counts, probs_BV[row].detach())


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_critic_scores_the_answers_columns(name) -> None:
    torch.manual_seed(0)
    critic = CAUSAL[name].build(ENDING).eval()
    ids_BT, cond = torch.tensor([[0, 2, 1], [2, 1, 1]]), torch.tensor([[0, 1], [2, 2]])
    mask_BT = mask_of(ids_BT, ENDING.end_id)
    scores = critic(ids_BT, mask_BT, cond)
    assert scores.score.shape == (2, 3)
    assert torch.equal(scores.mask_BT, mask_BT)
    ones = torch.ones(2, 2, dtype=torch.bool)
    inside = critic.inner(torch.cat([cond, ids_BT], 1), torch.cat([ones, mask_BT], 1))
    torch.testing.assert_close(scores.score, inside.score[:, 2:])
    for t in range(3):  # column t has seen x up to t, and nothing behind it
        for s in range(3):
            other = ids_BT.clone()
            other[0, s] = 2 - other[0, s] if other[0, s] != 1 else 0
            moved = critic(other, torch.ones_like(mask_BT), cond).score[0, t]
            still = critic(ids_BT, torch.ones_like(mask_BT), cond).score[0, t]
            assert (float((moved - still).detach().abs()) > 1e-6) == (s <= t)
    changed = critic(ids_BT, mask_BT, torch.tensor([[2, 1], [2, 2]])).score
    assert ((changed - scores.score)[0][mask_BT[0]].abs() > 1e-6).all()
    torch.testing.assert_close(changed[1], scores.score[1])


def test_an_action_critics_table_is_about_the_answers_columns() -> None:
    torch.manual_seed(0)
    critic = CAUSAL["action"].build(ENDING).eval()
    ids_BT, cond = torch.tensor([[0, 2, 1]]), torch.tensor([[0, 1]])
    scores = critic(ids_BT, mask_of(ids_BT, 1), cond)
    assert scores.q_BTV.shape == (1, 3, 3)
    chosen = scores.q_BTV.gather(2, ids_BT[..., None])[..., 0]
    torch.testing.assert_close(chosen, scores.score)


@pytest.mark.parametrize("name", POOLED)
def test_a_pooled_critic_reads_the_joint_row_and_nothing_behind_the_end(name) -> None:
    torch.manual_seed(0)
    critic = POOLED[name].build(ENDING).eval()
    ids_BT, cond = torch.tensor([[0, 2, 1], [2, 1, 1]]), torch.tensor([[0, 1], [2, 2]])
    mask_BT = mask_of(ids_BT, ENDING.end_id)
    score_B = critic(ids_BT, mask_BT, cond).score
    assert score_B.shape == (2,)
    behind = torch.tensor([[0, 2, 1], [2, 1, 0]])
    torch.testing.assert_close(critic(behind, mask_BT, cond).score, score_B)
    swapped = critic(ids_BT, mask_BT, cond.roll(1, 0)).score
    assert ((swapped - score_B).abs() > 1e-6).all()
    soft = nn.functional.one_hot(ids_BT, 3).float()
    torch.testing.assert_close(critic(soft, mask_BT, cond).score, score_B)


@pytest.mark.parametrize("name", POOLED)
def test_continuations_are_scored_behind_their_prompts(name) -> None:
    torch.manual_seed(0)
    critic = POOLED[name].build(ENDING).eval()
    ids_RT = torch.tensor([[0, 2, 1], [2, 0, 1], [0, 0, 2], [2, 2, 2]])
    cond = torch.tensor([[0, 1], [2, 2]]).repeat(2, 1)
    mask_RT = mask_of(ids_RT, ENDING.end_id)
    shared = critic.score_continuations(ids_RT, mask_RT, SharedPrefix(2, 1), cond)
    torch.testing.assert_close(shared.score, critic(ids_RT, mask_RT, cond).score)


# ── Estimators ────────────────────────────────────────────────────────────────────────────────


class PairReward:
    """An arbitrary number for every pair of prompt and answer. Row r has prompt r modulo B."""

    def __init__(self, space: SequenceSpace, cond: Tensor, seed: int = 0) -> None:
        stream = torch.Generator().manual_seed(seed)
        size = space.vocab_size ** (space.prompt + space.length)
        self._table = 1 + 2 * torch.randn(size, generator=stream)
        self._vocab_size = space.vocab_size
        self._cond = cond

    def __call__(self, tokens: Tensor, mask: Tensor | None, shared: object = None) -> Tensor:
        rows = [self._cond[row % len(self._cond)] for row in range(len(tokens))]
        joint = torch.cat([torch.stack(rows), tokens], 1)
        return self._table[index_of(joint, self._vocab_size)]


def objective(generator: PromptedGenerator, space: SequenceSpace, cond: Tensor) -> Tensor:
    """−mean_b Σ_x p(x | c_b) R(c_b, x); differentiable."""
    ids_RT = sentences(space)
    total = torch.zeros(())
    for prompt in cond:
        told = prompt.expand(len(ids_RT), -1)
        prob_R = log_probs_of_answers(generator, ids_RT, told).exp()
        total = total - (prob_R * PairReward(space, told)(ids_RT, None)).sum()
    return total / len(cond)


def expected_loss(
    generator: PromptedGenerator,
    space: SequenceSpace,
    cond: Tensor,
    samples: int,
    loss_of: Callable[[Rollout], Tensor],
) -> Tensor:
    """Σ over all ways to answer each prompt `samples` times; row n·B + b is the n-th for b."""
    ids_RT = sentences(space)
    prob_BR = torch.stack(
        [
            log_probs_of_answers(generator, ids_RT, prompt.expand(len(ids_RT), -1)).exp()
            for prompt in cond
        ]
    ).detach()
    told = cond.repeat(samples, 1)
    total = torch.zeros(())
    for rows in product(range(len(ids_RT)), repeat=len(told)):
        ids_BT = ids_RT[list(rows)]
        probability = 1.0
        for position, row in enumerate(rows):
            probability = probability * prob_BR[position % len(cond), row]
        mask_BT = mask_of(ids_BT, space.end_id)
        total = total + probability * loss_of(Rollout(ids_BT, ids_BT, mask_BT, told))
    return total


def score_function(space: SequenceSpace, **options: object) -> ScoreFunction:
    config = ScoreFunctionConfig.model_validate({"name": "score_function", **options})
    return config.build(space, CPU)


def rloo(space: SequenceSpace, samples: int) -> ScoreFunction:
    return score_function(space, samples=samples, baseline={"name": "leave_one_out"})


def dr_grpo(space: SequenceSpace, samples: int) -> Grpo:
    return Grpo(space, samples=samples, normalised=False)


def loss_of(
    estimator: Estimator, generator: nn.Module, reward: PairReward
) -> Callable[[Rollout], Tensor]:
    return lambda rollout: estimator.loss(generator, rollout, reward).loss


CASES = {
    "one prompt, two answers": (SPACE, [[2]], 2),
    "one prompt, three answers": (TINY, [[0]], 3),
    "two prompts, two answers each": (TINY, [[0], [1]], 2),
}


@pytest.mark.parametrize(("space", "prompts", "samples"), CASES.values(), ids=CASES)
def test_leave_one_out_within_a_prompt_is_unbiased(space, prompts, samples) -> None:
    generator, cond = make_generator(space), torch.tensor(prompts)
    loss = loss_of(rloo(space, samples), generator, PairReward(space, cond))
    actual = gradient(expected_loss(generator, space, cond, samples, loss), generator)
    assert_same_vector(actual, gradient(objective(generator, space, cond), generator))


@pytest.mark.parametrize(("space", "prompts", "samples"), CASES.values(), ids=CASES)
def test_unnormalised_grpo_has_the_gradient_shrunk_by_its_own_share_of_the_mean(
    space, prompts, samples
) -> None:
    """E ĝ = (1 − 1/K) ∇ E[R], prompt by prompt."""
    generator, cond = make_generator(space), torch.tensor(prompts)
    loss = loss_of(dr_grpo(space, samples), generator, PairReward(space, cond))
    actual = gradient(expected_loss(generator, space, cond, samples, loss), generator)
    truth = gradient(objective(generator, space, cond), generator)
    assert_same_vector(actual, (1 - 1 / samples) * truth)


def test_normalised_grpo_compares_within_the_prompt() -> None:
    """Groups spelled out: (R − mean) / std over the rows of one prompt, over the length."""
    space = ENDING
    generator, cond = make_generator(space), torch.tensor([[0, 2], [2, 1]])
    ids_BT = torch.tensor([[0, 0, 2], [1, 1, 1], [2, 1, 1], [0, 2, 0], [2, 2, 1], [0, 1, 1]])
    told, reward = cond.repeat(3, 1), PairReward(space, cond)
    rollout = Rollout(ids_BT, ids_BT, mask_of(ids_BT, space.end_id), told)
    estimator = Grpo(space, samples=3)
    actual = gradient(estimator.loss(generator, rollout, reward).loss, generator)
    value = reward(ids_BT, None)
    expected = torch.zeros(())
    logp_B = log_probs_of_answers(generator, ids_BT, told)
    for b in range(2):
        group = [b, b + 2, b + 4]
        deviation = value[group].std(unbiased=False)
        for row in group:
            advantage = (value[row] - value[group].mean()) / deviation
            length = int(rollout.mask_BT[row].sum())
            expected = expected - advantage * logp_B[row] / length / 6
    assert_same_vector(actual, gradient(expected, generator), relative=1e-3)


def test_leave_one_out_subtracts_the_others_of_the_same_prompt() -> None:
    """Batch by batch: in expectation the others of another prompt would do as well."""
    generator, cond = make_generator(SPACE), torch.tensor([[0], [2]])
    ids_BT = torch.tensor([[0, 0], [1, 2], [2, 1], [0, 2], [2, 2], [1, 0]])
    told, reward = cond.repeat(3, 1), PairReward(SPACE, cond)
    rollout = Rollout(ids_BT, ids_BT, torch.ones_like(ids_BT, dtype=torch.bool), told)
    loss = rloo(SPACE, 3).loss(generator, rollout, reward).loss
    value = reward(ids_BT, None)
    logp_B = log_probs_of_answers(generator, ids_BT, told)
    expected = torch.zeros(())
    for row in range(6):
        others = [other for other in range(6) if other % 2 == row % 2 and other != row]
        expected = expected - (value[row] - value[others].mean()) * logp_B[row] / 6
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("make", [rloo, dr_grpo], ids=["rloo", "grpo"])
def test_samples_of_a_prompt_stand_block_after_block(make) -> None:
    generator, cond = make_generator(SPACE), all_prompts(SPACE)
    rollout = make(SPACE, 4).sample(generator, SampleRequest(3, cond))
    assert torch.equal(rollout.cond, cond.repeat(4, 1))
    assert rollout.ids_BT.shape == (12, 2)


@pytest.mark.parametrize("credit", ["sequence", "rollout"])
def test_sampled_gradients_have_the_enumerated_mean(credit) -> None:
    """From the estimator's own samples, with Monte-Carlo continuations behind prompts too."""
    generator, cond = make_generator(SPACE), all_prompts(SPACE).repeat(100, 1)
    credits = {"sequence": {"name": "sequence"}, "rollout": {"name": "rollout", "continuations": 2}}
    reward = PairReward(SPACE, all_prompts(SPACE))
    estimates = []
    for seed in range(32):
        torch.manual_seed(seed)
        estimator = score_function(SPACE, samples=4, credit=credits[credit])
        rollout = estimator.sample(generator, SampleRequest(len(cond), cond))
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    expected = gradient(objective(generator, SPACE, all_prompts(SPACE)), generator)
    assert_mean_is(torch.stack(estimates), expected, relative=0.05)


def test_a_relaxed_sample_passes_its_gradient_behind_the_prompt() -> None:
    """Soft rows with a prompt of ids: straight-through is exact for a reward that is linear in the
    last token, here with T = 1 so that nothing is fed back."""
    space = SequenceSpace(vocab_size=3, length=1, prompt=2)
    generator = make_generator(space)
    cond = torch.tensor([[0, 1]]).repeat(20_000, 1)
    weight_V = torch.tensor([1.0, -2.0, 0.5])
    estimator = Relaxed(space, StraightThrough, temperature=1.0)
    torch.manual_seed(0)
    rollout = estimator.sample(generator, SampleRequest(len(cond), cond))
    loss = estimator.loss(generator, rollout, lambda x, *_: (x @ weight_V)[:, 0]).loss
    probs_V = generator.inner(torch.cat([cond[:1], cond[:1, :1]], 1))[0, 2].softmax(-1)
    expected = gradient(-(probs_V * weight_V).sum(), generator)
    assert_same_vector(gradient(loss, generator), expected, relative=1e-3)


def test_the_best_bradley_terry_critic_is_the_log_density_ratio() -> None:
    """Paired RSGAN over all pairs of p = (2, 1, 1)/4 and q = (1, 1, 2)/4: its gradient is zero at
    d = log p/q plus any constant, and nowhere near it."""
    real, fake = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
    pairs = torch.cartesian_prod(real, fake)
    objective = Divergence("rsgan", reward="logit")
    ratio = (torch.tensor([2.0, 1.0, 1.0]) / torch.tensor([1.0, 1.0, 2.0])).log()
    for d, best in ((ratio, True), (ratio + 0.7, True), (2 * ratio, False), (-ratio, False)):
        d = d.clone().requires_grad_()
        loss = objective.critic_loss(Scores(d[pairs[:, 0]]), Scores(d[pairs[:, 1]]))
        (slope,) = torch.autograd.grad(loss, d)
        assert (float(slope.norm()) < 1e-6) == best
    # Its raw score is what a student is paid: in the mean over q, minus KL(q‖p).
    paid = objective.reward(Scores(ratio[fake])).mean()
    q_R = torch.tensor([0.25, 0.25, 0.5])
    torch.testing.assert_close(paid, -(q_R * -ratio).sum())
