"""The discrepancy and its witness against sums over pairs, and against enumerated batches."""

from itertools import product
from math import exp

import pytest
import torch
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.estimators.baselines import LeaveOneOut, Returns
from seqgan.objectives.mmd import Mmd, squared_mmd

WIDTHS = [0.5, 2.0]
MMD = Mmd(weight=0.3, widths=WIDTHS)


def rows(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scores(features_RF: Tensor, score_R: Tensor | None = None) -> Scores:
    score_R = torch.zeros(len(features_RF)) if score_R is None else score_R
    return Scores(score_R, features_BF=features_RF)


def k(a: Tensor, b: Tensor) -> Tensor:
    squared = (a - b).square().sum()
    return sum((-squared / (2 * width * width)).exp() for width in WIDTHS)


def by_pairs(fake_BF: Tensor, real_BF: Tensor) -> Tensor:
    """MMD² pair by pair, differentiable."""
    size = len(fake_BF)
    off = [(i, j) for i in range(size) for j in range(size) if i != j]
    among_fake = sum(k(fake_BF[i], fake_BF[j]) for i, j in off) / len(off)
    among_real = sum(k(real_BF[i], real_BF[j]) for i, j in off) / len(off)
    across = sum(k(f, r) for f in fake_BF for r in real_BF) / size**2
    return among_fake + among_real - 2 * across


def test_the_kernel_is_a_sum_of_gaussians_of_the_given_standard_deviations() -> None:
    expected = exp(-9 / (2 * 0.25)) + exp(-9 / (2 * 4))
    assert float(k(torch.tensor([0.0]), torch.tensor([3.0]))) == pytest.approx(expected)


def test_the_discrepancy_is_the_sum_over_pairs() -> None:
    fake_BF, real_BF = rows(0, 4, 3), rows(1, 4, 3) + 0.5
    found = squared_mmd(fake_BF[None], real_BF, WIDTHS)
    torch.testing.assert_close(found, by_pairs(fake_BF, real_BF))


def test_equal_distributions_have_a_discrepancy_of_zero_on_average() -> None:
    """The biased form would be 2/B · Σ_σ (1 − E k), here above 0.1."""
    found = [squared_mmd(rows(s, 8, 2)[None], rows(s + 999, 8, 2), WIDTHS) for s in range(100)]
    values = torch.stack(found)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 10


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_mean_witness_has_the_gradient_of_minus_the_discrepancy(blocks: int) -> None:
    fake_RF, real_BF = rows(2, blocks * 4, 3).requires_grad_(), rows(3, 4, 3) + 0.5
    value_R = MMD.reward(scores(fake_RF), scores(real_BF))
    (found,) = torch.autograd.grad(value_R.mean(), fake_RF)
    parts = [by_pairs(block, real_BF) for block in fake_RF.split(4)]
    (expected,) = torch.autograd.grad(-torch.stack(parts).mean(), fake_RF)
    torch.testing.assert_close(found, expected)


def test_copies_of_a_sentence_are_not_compared_with_each_other() -> None:
    """Rows are blocks: two continuations of one prefix are not independent samples."""
    fake_RF, real_BF = rows(2, 8, 3), rows(3, 4, 3)
    apart = torch.cat([MMD.reward(scores(part), scores(real_BF)) for part in fake_RF.split(4)])
    torch.testing.assert_close(MMD.reward(scores(fake_RF), scores(real_BF)), apart)


# ── As the reward of a score function: every batch of a softmax policy over three points ────────

POINTS_KF = rows(5, 3, 2)
REAL_BF = rows(6, 3, 2) + 0.3
LOGITS = [0.2, -0.4, 0.7]


def expected_gradient(leave_one_out: bool) -> Tensor:
    """Σ over batches of P(batch) · 1/B Σ_i (value_i − b_i) ∇ log p(x_i)."""
    logits_K = torch.tensor(LOGITS, requires_grad=True)
    logp_K = logits_K.log_softmax(0)
    total = torch.zeros(())
    for batch in product(range(3), repeat=3):
        value_B = MMD.reward(scores(POINTS_KF[list(batch)]), scores(REAL_BF))
        if leave_one_out:
            mask_B1 = torch.ones(3, 1, dtype=torch.bool)
            value_B = value_B - LeaveOneOut()(Returns(value_B[:, None], mask_B1))[:, 0]
        prob = logp_K.detach()[list(batch)].sum().exp()
        total = total + prob * (value_B * logp_K[list(batch)]).mean()
    return torch.autograd.grad(total, logits_K)[0]


def population_gradient(repulsion: float) -> Tensor:
    """∇ of 2 Σ_a p_a mean_j k(a, r_j) − repulsion · Σ_ab p_a p_b k(a, b)."""
    logits_K = torch.tensor(LOGITS, requires_grad=True)
    p = logits_K.softmax(0)
    attraction = sum(p[a] * k(POINTS_KF[a], r) for a in range(3) for r in REAL_BF) / len(REAL_BF)
    among = sum(p[a] * p[b] * k(POINTS_KF[a], POINTS_KF[b]) for a, b in product(range(3), repeat=2))
    return torch.autograd.grad(2 * attraction - repulsion * among, logits_K)[0]


def test_the_expected_policy_gradient_is_that_of_minus_the_discrepancy() -> None:
    torch.testing.assert_close(expected_gradient(False), population_gradient(1.0))


def test_leave_one_out_takes_its_documented_share_of_the_repulsion_away() -> None:
    """(B − 2)/(B − 1) of it are left: one half in batches of three."""
    torch.testing.assert_close(expected_gradient(True), population_gradient(0.5))


# ── The critic ────────────────────────────────────────────────────────────────────────────────


def test_the_critics_loss_is_the_gan_loss_minus_the_weighted_discrepancy() -> None:
    fake_BF, wrong_BF, real_BF = rows(0, 4, 3), rows(1, 4, 3), rows(2, 4, 3)
    of_fake, of_wrong, of_real = rows(3, 4), rows(4, 4), rows(5, 4)
    loss = MMD.critic_loss(
        scores(real_BF, of_real), scores(fake_BF, of_fake), scores(wrong_BF, of_wrong),
        shares=(0.7, 0.3),
    )  # fmt: skip
    fakes = 0.7 * (-(1 - of_fake.sigmoid()).log()).mean()
    fakes = fakes + 0.3 * (-(1 - of_wrong.sigmoid()).log()).mean()
    apart = 0.7 * by_pairs(fake_BF, real_BF) + 0.3 * by_pairs(wrong_BF, real_BF)
    expected = -of_real.sigmoid().log().mean() + fakes - 0.3 * apart
    torch.testing.assert_close(loss, expected)


def test_the_critic_pulls_features_of_the_two_kinds_apart() -> None:
    """The published code's sign would push them together."""
    fake_BF, real_BF = rows(0, 6, 3).requires_grad_(), (rows(1, 6, 3) + 0.3).requires_grad_()
    before = squared_mmd(fake_BF[None], real_BF, WIDTHS)
    loss = MMD.critic_loss(scores(real_BF), scores(fake_BF))
    slopes = torch.autograd.grad(loss, (fake_BF, real_BF))
    moved = [x - 0.5 * slope for x, slope in zip((fake_BF, real_BF), slopes, strict=True)]
    assert squared_mmd(moved[0][None], moved[1], WIDTHS) > before + 1e-3
