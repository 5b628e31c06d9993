"""Conditional Gumbels, Gumbel-Rao by quadrature over its noise, and ReinMax with less variance."""

from itertools import product
from math import pi

import pytest
import torch
from enumeration import (
    assert_mean_is,
    assert_same_vector,
    gradient,
    log_probs,
    make_generator,
    sentences,
)
from relaxed_draws import (
    LOGITS_3,
    LOGITS_4,
    curved_value,
    half_darn_jacobian,
    reinmax_jacobian,
    row_gradients,
    row_jacobians,
    softmax_jacobian,
    zero_temperature_jacobian,
)
from torch import Tensor

from seqgan.core.types import SampleRequest, SequenceSpace
from seqgan.decoding import GumbelSoftmax, Sampler, sample_categorical
from seqgan.estimators.conditional_gumbel import conditional_gumbels
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.straight_through import (
    GumbelRao,
    ReinMax,
    ReinMaxRao,
)

# ── Conditional Gumbels ───────────────────────────────────────────────────────────────────────


def drawn_with_ids(logits_V: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    logp_RV = logits_V.log_softmax(0).expand(rows, -1).clone().requires_grad_()
    ids_R = sample_categorical(logp_RV.detach()[:1].exp(), rows).flatten()
    return logp_RV, ids_R, conditional_gumbels(logp_RV, ids_R)


def test_conditional_gumbels_have_the_given_argmax() -> None:
    torch.manual_seed(0)
    logp_RV = torch.tensor([3.0, 0.0, -4.0]).log_softmax(0).expand(30_000, -1)
    for b in range(3):
        ids_R = torch.full((30_000,), b)
        assert torch.equal(conditional_gumbels(logp_RV, ids_R).argmax(-1), ids_R)


def test_conditional_gumbels_mixed_over_samples_are_plain_gumbels() -> None:
    """Each entry's distribution function, and no correlation between entries."""
    torch.manual_seed(0)
    rows = 200_000
    logp_RV, _, z_RV = drawn_with_ids(LOGITS_4, rows)
    noise_RV = (z_RV - logp_RV).detach().double()
    steps_R = torch.arange(1, rows + 1) / rows
    for noise_R in noise_RV.unbind(1):
        cdf_R = (-(-noise_R.sort().values).exp()).exp()
        assert (cdf_R - steps_R).abs().max() < 1.95 / rows**0.5  # Kolmogorov-Smirnov, 0.1 %
    assert (noise_RV.T.corrcoef() - torch.eye(4)).abs().max() < 5 / rows**0.5
    assert abs(noise_RV.var() - pi**2 / 6) < 0.02


def test_conditional_gumbels_are_differentiable_with_the_exponentials_held_fixed() -> None:
    """∂z_i/∂log π_i = (E_i/π_i) / (E_i/π_i + E_b) = 1 − e^(z_i − z_b); nothing else moves."""
    torch.manual_seed(0)
    logp_RV, ids_R, z_RV = drawn_with_ids(LOGITS_4, 50)
    top_R1 = z_RV.detach().gather(1, ids_R[:, None])
    expected_RV = 1 - (z_RV.detach() - top_R1).exp()
    for i in range(4):
        (slope_RV,) = torch.autograd.grad(z_RV[:, i].sum(), logp_RV, retain_graph=True)
        torch.testing.assert_close(slope_RV[:, i], expected_RV[:, i], atol=1e-6, rtol=1e-4)
        assert slope_RV[:, [j for j in range(4) if j != i]].abs().max() == 0


def test_conditional_gumbels_stay_finite_where_probabilities_vanish() -> None:
    torch.manual_seed(0)
    logits_RV = torch.tensor([80.0, -80.0, 0.0, float("-inf")]).repeat(300, 1).requires_grad_()
    ids_R = torch.arange(3).repeat(100)
    z_RV = conditional_gumbels(logits_RV.log_softmax(-1), ids_R)
    assert z_RV.isfinite().all()
    (slope_RV,) = torch.autograd.grad(z_RV.square().clamp(max=1e6).sum(), logits_RV)
    assert slope_RV.isfinite().all()


# ── Gumbel-Rao ────────────────────────────────────────────────────────────────────────────────

TAU = 0.7
SLOPE_VV = torch.tensor([[3.0, -2.0, 0.5], [1.3, -0.5, -1.0], [0.7, -1.8, 2.0]])
"""∇value at e_b, arbitrary for every b."""


def value_with_slopes(x_BV: Tensor) -> Tensor:
    """Has the gradient SLOPE_VV[b] at e_b; differs from 0 only there."""
    return (x_BV * SLOPE_VV[x_BV.detach().argmax(-1)]).sum(-1)


def gumbel_jacobians_by_quadrature(logits_V: Tensor) -> Tensor:
    """E[J(softmax((o + g)/τ))/τ · 1(argmax (o + g) = b)] over the two differences of three Gumbels,
    for each b: [b, 3, 3].

    P(g_0 − g_2 ≤ u, g_1 − g_2 ≤ v) = 1/(1 + e^−u + e^−v); its density is integrated on a grid.
    """
    step = 0.04
    line = torch.arange(-20, 20, step, dtype=torch.float64) + step / 2
    total_bVV = torch.zeros(3, 3, 3, dtype=torch.float64)
    for u in line.split(200):
        u_R, v_R = (x.flatten() for x in torch.meshgrid(u, line, indexing="ij"))
        density_R = 2 * (-u_R - v_R).exp() / (1 + (-u_R).exp() + (-v_R).exp()).pow(3)
        noise_RV = torch.stack([u_R, v_R, torch.zeros_like(u_R)], 1)
        noisy_RV = logits_V.double() + noise_RV
        soft_RV = (noisy_RV / TAU).softmax(-1)
        for b in range(3):
            weighted_RV = soft_RV * (density_R * (noisy_RV.argmax(-1) == b))[:, None]
            total_bVV[b] += weighted_RV.sum(0).diag() - weighted_RV.T @ soft_RV
    return total_bVV * step**2 / TAU


def gumbel_gradients(draw: Sampler, seed: int, rows: int = 200_000) -> Tensor:
    torch.manual_seed(seed)
    return row_gradients(draw, LOGITS_3, rows, value_with_slopes)[1].double()


@pytest.mark.parametrize("samples", [1, 5])
def test_gumbel_rao_has_the_mean_of_straight_through_gumbel(samples) -> None:
    expected_V = torch.einsum(
        "bij,bj->i", gumbel_jacobians_by_quadrature(LOGITS_3), SLOPE_VV.double()
    )
    assert_mean_is(gumbel_gradients(GumbelRao(TAU, samples), 0), expected_V, relative=0.02)
    # The quadrature itself, against the estimator that needs no conditional noise.
    assert_mean_is(gumbel_gradients(GumbelSoftmax(TAU, hard=True), 1), expected_V, relative=0.02)


def test_gumbel_rao_has_less_variance_the_more_samples() -> None:
    """Var = what b causes + what its noise causes / K. K = 1 is straight-through Gumbel."""
    variance = {
        k: float(gumbel_gradients(GumbelRao(TAU, k), k).var(0).sum()) for k in (1, 2, 4, 16)
    }
    plain = float(gumbel_gradients(GumbelSoftmax(TAU, hard=True), 0).var(0).sum())
    assert variance[1] == pytest.approx(plain, rel=0.02)
    assert plain > 1.1 * variance[2] > 1.1**2 * variance[16]
    of_noise = (variance[1] - variance[16]) / (1 - 1 / 16)
    for k in (2, 4):
        assert variance[1] - variance[k] == pytest.approx(of_noise * (1 - 1 / k), rel=0.05)


@pytest.mark.parametrize(
    ("draw", "limit"),
    [(GumbelRao, zero_temperature_jacobian), (ReinMaxRao, half_darn_jacobian)],
)
def test_averaged_noise_tends_to_a_limit_at_zero_temperature(draw, limit) -> None:
    """The mean Jacobian given each token, and how far a higher temperature is from it."""
    rows, size = 600_000, len(LOGITS_3)

    def given_token(tau: float) -> list[Tensor]:
        torch.manual_seed(0)
        ids_R, jacobian_RVV = row_jacobians(draw(tau, 4), LOGITS_3, rows)
        return [jacobian_RVV[ids_R == b].flatten(1).double() for b in range(size)]

    cold, warm = given_token(0.02), given_token(2.0)
    for b in range(size):
        limit_D = limit(LOGITS_3, b).flatten().double()
        assert_mean_is(cold[b], limit_D, relative=0.06, slack=0.02)
        assert (warm[b].mean(0) - limit_D).norm() > 0.2 * limit_D.norm()


# ── ReinMax with less variance ────────────────────────────────────────────────────────────────


def test_reinmax_rao_has_its_own_mean_by_quadrature() -> None:
    """Σ_b π_b (2 J^GR_b(log π') − ½ J(π)) ∇value(e_b), π' = (π + e_b)/2; it is not ReinMax's."""
    prob_V = LOGITS_3.softmax(0).double()
    expected_V, reinmax_V = torch.zeros(3).double(), torch.zeros(3).double()
    for b in range(3):
        between_V = (prob_V + torch.eye(3)[b]) / 2
        given_b_VV = gumbel_jacobians_by_quadrature(between_V.log())[b] / between_V[b]
        jacobian_VV = 2 * given_b_VV - softmax_jacobian(prob_V) / 2
        expected_V += prob_V[b] * jacobian_VV @ SLOPE_VV[b].double()
        reinmax_V += prob_V[b] * reinmax_jacobian(1.0)(LOGITS_3, b).double() @ SLOPE_VV[b].double()
    actual_RV = gumbel_gradients(ReinMaxRao(TAU, 2), 0)
    assert_mean_is(actual_RV, expected_V, relative=0.02)
    assert (expected_V - reinmax_V).norm() > 0.2 * reinmax_V.norm()


def reinmax_variance(draw: Sampler) -> float:
    return float(gumbel_gradients(draw, 0).var(0).sum())


def test_reinmax_rao_and_the_control_variate_have_less_variance_than_reinmax() -> None:
    plain = reinmax_variance(ReinMax())
    assert reinmax_variance(ReinMaxRao(TAU, 10)) < 0.7 * plain
    assert reinmax_variance(ReinMax(control_variate=True)) < 0.6 * plain
    warm = reinmax_variance(ReinMax(1.6))
    assert reinmax_variance(ReinMax(1.6, control_variate=True)) < 0.8 * warm


@pytest.mark.parametrize("tau", [1.0, 1.6])
def test_the_control_variate_by_loops(tau) -> None:
    """J_b (g − a) + Σ_c π_c J_c a, a the other rows' mean slope."""
    torch.manual_seed(0)
    logits_RV = LOGITS_3.expand(5, -1).clone().requires_grad_()
    drawn = ReinMax(tau, control_variate=True)(logits_RV, 1)
    slope_RV = torch.randn(5, 3)
    (actual_RV,) = torch.autograd.grad((drawn.x * slope_RV).sum(), logits_RV)
    jacobian_VVV = torch.stack([reinmax_jacobian(tau)(LOGITS_3, b) for b in range(3)])
    mean_VV = torch.einsum("b,bij->ij", LOGITS_3.softmax(0), jacobian_VVV)
    for row, b in enumerate(drawn.ids_R.tolist()):
        others_V = torch.stack([slope_RV[r] for r in range(5) if r != row]).mean(0)
        expected_V = jacobian_VVV[b] @ (slope_RV[row] - others_V) + mean_VV @ others_V
        torch.testing.assert_close(actual_RV[row], expected_V)


def test_a_single_row_has_no_control_variate() -> None:
    slopes = []
    for control in (False, True):
        torch.manual_seed(0)
        _, slope_RV = row_gradients(ReinMax(1.3, control), LOGITS_3, 1, value_with_slopes)
        slopes.append(slope_RV)
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("tau", [1.0, 1.6])
def test_the_control_variate_keeps_the_mean_of_whole_sequences(tau, monkeypatch) -> None:
    """Summed over all pairs of sentences: the rows of a batch meet in each other's gradients."""
    space = SequenceSpace(vocab_size=2, length=3)
    generator = make_generator("gru", space)
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT).sum(1).exp().detach()

    def mean_gradient(control: bool) -> Tensor:
        estimator = Relaxed(space, lambda tau: ReinMax(tau, control), tau)
        total = torch.zeros(())
        for first, second in product(range(len(ids_RT)), repeat=2):
            columns = iter(ids_RT[[first, second]].unbind(1))
            forced = lambda probs, copies, columns=columns: next(columns)  # noqa: E731
            monkeypatch.setattr("seqgan.estimators.straight_through.sample_categorical", forced)
            rollout = estimator.sample(generator, SampleRequest(2))
            loss = estimator.loss(generator, rollout, lambda x, mask: curved_value(x)).loss
            total = total + prob_R[first] * prob_R[second] * gradient(loss, generator)
        return total

    assert_same_vector(mean_gradient(control=True), mean_gradient(control=False))
