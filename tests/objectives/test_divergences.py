"""Objectives against closed forms, optima and the mistakes of other systems."""

from math import exp, log, log1p

import pytest
import torch
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.divergences import Divergence

NAMES = ["minimax", "non_saturating", "lsgan", "hinge", "wgan", "rsgan"]
REAL = [2.0, -0.5, 0.3]
FAKE = [-1.5, 0.7, 3.0]


def objective(name: str, value: str = "objective") -> Divergence:
    return Divergence(name, value)


def scores(values) -> Scores:
    return Scores(torch.tensor(values))


def sigma(d: float) -> float:
    return 1 / (1 + exp(-d))


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


CRITIC_LOSS = {
    "minimax": mean(-log(sigma(d)) for d in REAL) + mean(-log(1 - sigma(d)) for d in FAKE),
    "non_saturating": mean(-log(sigma(d)) for d in REAL) + mean(-log(1 - sigma(d)) for d in FAKE),
    "lsgan": mean((d - 1) ** 2 / 2 for d in REAL) + mean(d**2 / 2 for d in FAKE),
    "hinge": mean(max(0, 1 - d) for d in REAL) + mean(max(0, 1 + d) for d in FAKE),
    "wgan": mean(FAKE) - mean(REAL),
    "rsgan": mean(-log(sigma(r - f)) for r, f in zip(REAL, FAKE, strict=True)),
}
VALUE = {
    "minimax": lambda d: -log(1 - sigma(d)),
    "non_saturating": lambda d: log(sigma(d)),
    "lsgan": lambda d: -((d - 1) ** 2) / 2,
    "hinge": lambda d: d,
    "wgan": lambda d: d,
    "rsgan": lambda d: mean(log(sigma(d - r)) for r in REAL),
}


@pytest.mark.parametrize("name", NAMES)
def test_critic_loss_is_the_published_formula(name) -> None:
    loss = objective(name).critic_loss(scores(REAL), scores(FAKE))
    assert float(loss) == pytest.approx(CRITIC_LOSS[name], rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_value_of_each_sample_is_the_published_formula(name) -> None:
    value = objective(name).reward(scores(FAKE), scores(REAL))
    assert value.tolist() == pytest.approx([VALUE[name](d) for d in FAKE], rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_critic_is_pushed_apart_and_the_generator_up(name) -> None:
    """At equal scores: more for real, less for generated; and the generator wants more."""
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    loss = objective(name).critic_loss(Scores(real), Scores(fake))
    real_slope, fake_slope = torch.autograd.grad(loss, (real, fake), allow_unused=True)
    assert (real_slope < 0).all()
    assert fake_slope is not None
    if name != "lsgan":  # its target for generated scores is 0 itself
        assert (fake_slope > 0).all()
    value = objective(name).reward(Scores(fake), Scores(real.detach()))
    (slope,) = torch.autograd.grad(value.sum(), fake)
    assert (slope > 0).all()


def slope_at(name: str, value: str, d: float) -> float:
    """d value / d score of one sample."""
    x = torch.tensor([d], requires_grad=True)
    (slope,) = torch.autograd.grad(objective(name, value).reward(Scores(x)).sum(), x)
    return float(slope)


@pytest.mark.parametrize("d", [-20.0, -30.0, -80.0])
def test_non_saturating_keeps_its_gradient_where_log_sigmoid_plus_epsilon_loses_it(d) -> None:
    """1 here; `log(sigmoid(d) + 1e-8)` (mimicry) has 0.17 left at −20 and 1e-5 at −30."""
    assert slope_at("non_saturating", "objective", d) == pytest.approx(1, abs=1e-6)
    assert slope_at("minimax", "log_prob", d) == pytest.approx(1, abs=1e-6)
    x = torch.tensor([d], requires_grad=True)
    (theirs,) = torch.autograd.grad(torch.log(torch.sigmoid(x) + 1e-8).sum(), x)
    assert float(theirs) < 0.2


def test_minimax_saturates_and_is_not_non_saturating() -> None:
    """2.06e-9 at −20: another game than the non-saturating one, whatever some libraries do."""
    assert slope_at("minimax", "objective", -20.0) == pytest.approx(sigma(-20), rel=1e-4)
    assert sigma(-20) == pytest.approx(2.06e-9, rel=1e-2)
    assert slope_at("minimax", "objective", 20.0) == pytest.approx(1, abs=1e-6)
    assert slope_at("non_saturating", "objective", 20.0) == pytest.approx(sigma(-20), rel=1e-4)


VALUES = {
    "prob": sigma,
    "log_prob": lambda d: -log1p(exp(-d)),
    "logit": lambda d: d,
    "centred": lambda d: 2 * sigma(d) - 1,
    "ratio": lambda d: sigma(d) / (1 - sigma(d)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_a_chosen_value_replaces_the_objectives_own(name, value) -> None:
    chosen = objective(name, value)
    assert not chosen.needs_real
    actual = chosen.reward(scores(FAKE))
    assert actual.tolist() == pytest.approx([VALUES[value](d) for d in FAKE], rel=1e-5)


def test_only_the_relativistic_value_needs_real_scores() -> None:
    assert [name for name in NAMES if objective(name).needs_real] == ["rsgan"]


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_the_optimal_critic_gives_minus_two_log_two_plus_two_jsd(name) -> None:
    """−loss(D*) = −2 ln 2 + 2 JSD(p, q) at D* = p/(p + q) = σ(ln p/q) (Goodfellow 2014), as a
    gradient-free optimum: p and q are multiples of 1/10 and enter as ten samples each."""
    p, q = [5, 3, 1, 1], [1, 1, 2, 6]
    p_samples = [x for x, count in enumerate(p) for _ in range(count)]
    q_samples = [x for x, count in enumerate(q) for _ in range(count)]
    optimal = torch.tensor([log(a / b) for a, b in zip(p, q, strict=True)])
    table = optimal.clone().requires_grad_()
    loss = objective(name).critic_loss(Scores(table[p_samples]), Scores(table[q_samples]))
    jsd = sum(
        a / 20 * log(2 * a / (a + b)) + b / 20 * log(2 * b / (a + b))
        for a, b in zip(p, q, strict=True)
    )
    assert -float(loss.detach()) == pytest.approx(-2 * log(2) + 2 * jsd, abs=1e-5)
    (slope,) = torch.autograd.grad(loss, table)
    assert slope.abs().max() < 1e-6, "no better critic nearby"


def test_equal_distributions_leave_the_critic_two_log_two() -> None:
    for name in ("minimax", "non_saturating"):
        loss = objective(name).critic_loss(scores([0.0, 0.0]), scores([0.0, 0.0]))
        assert float(loss) == pytest.approx(2 * log(2))


def test_rsgan_value_averages_over_all_real_samples_not_over_its_partner() -> None:
    value = objective("rsgan").reward(scores([0.5, 0.5]), scores([10.0, -10.0]))
    assert float(value[0]) == float(value[1])
    # More generated than real samples (continuations) are no matter.
    assert objective("rsgan").reward(scores([0.0] * 7), scores([1.0, 2.0])).shape == (7,)


# ── One score per step ──────────────────────────────────────────────────────────────────────────

MASK_REAL = torch.tensor([[True, True, False], [True, False, False]])
MASK_FAKE = torch.tensor([[True, False, False], [True, True, True]])


def steps(mask_BT: Tensor, behind: float, seed: int) -> Scores:
    score_BT = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed))
    return Scores(torch.where(mask_BT, score_BT, behind), mask_BT)


@pytest.mark.parametrize("name", NAMES)
def test_scores_behind_the_end_do_not_count(name) -> None:
    losses = [
        objective(name).critic_loss(steps(MASK_REAL, behind, 0), steps(MASK_FAKE, behind, 1))
        for behind in (0.0, 50.0)
    ]
    assert torch.equal(losses[0], losses[1])
    value = [
        objective(name).reward(steps(MASK_FAKE, 0.0, 1), steps(MASK_REAL, behind, 0))
        for behind in (0.0, 50.0)
    ]
    assert torch.equal(value[0][MASK_FAKE], value[1][MASK_FAKE])
    assert value[0].shape == (2, 3)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rsgan"])
def test_the_mean_over_steps_runs_over_the_steps_that_count(name) -> None:
    real, fake = steps(MASK_REAL, 9.0, 0), steps(MASK_FAKE, 9.0, 1)
    flat = objective(name).critic_loss(Scores(real.score[MASK_REAL]), Scores(fake.score[MASK_FAKE]))
    torch.testing.assert_close(objective(name).critic_loss(real, fake), flat)


def test_rsgan_compares_steps_that_both_sentences_have() -> None:
    real, fake = steps(MASK_REAL, 9.0, 0), steps(MASK_FAKE, 9.0, 1)
    both = MASK_REAL & MASK_FAKE
    expected = torch.log1p((fake.score - real.score)[both].exp()).mean()
    torch.testing.assert_close(objective("rsgan").critic_loss(real, fake), expected)
    value = objective("rsgan").reward(fake, real)
    at_second = torch.nn.functional.logsigmoid(fake.score[1, 1] - real.score[0, 1])
    torch.testing.assert_close(value[1, 1], at_second)


def test_rsgan_does_not_reward_steps_that_no_real_sentence_reaches():
    mask_BT = torch.tensor([[True, True, False], [True, False, False]])
    real = Scores(torch.tensor([[1.0, 2.0, 9.0], [3.0, 9.0, 9.0]]), mask_BT)
    objective = Divergence("rsgan")
    value_RT = objective.reward(Scores(torch.zeros(1, 3)), real)
    expected = torch.nn.functional.logsigmoid(torch.tensor(-2.0))  # the mean real score is 2
    torch.testing.assert_close(value_RT[0, 2], expected)
