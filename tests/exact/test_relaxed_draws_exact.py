"""Straight-through draws with better Jacobians, against their definitions.

Every draw is a sample b of softmax(o) whose gradient is a Jacobian J_b. Most J_b can be written
down, so that the expected gradient Σ_b π_b J_bᵀ ∇value(e_b) is a sum of V terms; Gumbel-Rao's is an
integral over noise.
"""

from collections.abc import Callable
from itertools import product
from math import pi

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    assert_mean_is,
    assert_same_vector,
    chi_square_is_plausible,
    gradient,
    log_probs,
    make_generator,
    sentences,
)
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from seqgan.core.types import SampleRequest, SequenceSpace
from seqgan.decoding import GumbelSoftmax, Sampler, StraightThrough, sample, sample_categorical
from seqgan.estimators.conditional_gumbel import conditional_gumbels
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.estimators.redge import Redge
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.straight_through import (
    Gapped,
    GumbelRao,
    ReinMax,
    ReinMaxRao,
    ZeroTemperature,
)

Value = Callable[[Tensor], Tensor]
Jacobian = Callable[[Tensor, int], Tensor]

LOGITS_3 = torch.tensor([0.3, 1.2, -0.8])
LOGITS_4 = torch.tensor([0.3, 1.2, -0.8, 0.1])


# ── Tools ─────────────────────────────────────────────────────────────────────────────────────


def row_jacobians(draw: Sampler, logits_V: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """The tokens of independent rows, and ∂x/∂o of each: `ids_R`, `jacobian_RVV`."""
    logits_RV = logits_V.expand(rows, -1).clone().requires_grad_()
    drawn = draw(logits_RV, 1)
    columns = [
        torch.autograd.grad(x_R.sum(), logits_RV, retain_graph=True)[0]
        for x_R in drawn.x.unbind(-1)
    ]
    return drawn.ids_R, torch.stack(columns, 1)


def row_gradients(
    draw: Sampler, logits_V: Tensor, rows: int, value: Value
) -> tuple[Tensor, Tensor]:
    """The tokens of independent rows, and ∂value(x)/∂o of each: `ids_R`, `gradient_RV`."""
    logits_RV = logits_V.expand(rows, -1).clone().requires_grad_()
    drawn = draw(logits_RV, 1)
    return drawn.ids_R, torch.autograd.grad(value(drawn.x).sum(), logits_RV)[0]


def of_each_token(ids_R: Tensor, per_row: Tensor, vocab_size: int) -> Tensor:
    """What belongs to each token, from the first row that drew it; all such rows agree."""
    first_V = torch.stack([(ids_R == b).nonzero()[0, 0] for b in range(vocab_size)])
    per_token = per_row[first_V]
    torch.testing.assert_close(per_row, per_token[ids_R])
    return per_token


def polynomial(degree: int) -> Value:
    """An arbitrary polynomial of the rows, not multilinear, with terms up to this degree."""
    stream = torch.Generator().manual_seed(5)
    linear_V, square_VV = torch.randn(4, generator=stream), torch.randn(4, 4, generator=stream)
    cube_VVV = torch.randn(4, 4, 4, generator=stream)

    def value(x_BV: Tensor) -> Tensor:
        total_B = x_BV @ linear_V
        if degree > 1:
            total_B = total_B + torch.einsum("bi,ij,bj->b", x_BV, square_VV, x_BV)
        if degree > 2:
            total_B = total_B + torch.einsum("bi,bj,bk,ijk->b", x_BV, x_BV, x_BV, cube_VVV)
        return total_B

    return value


def slope_at_tokens(value: Value, vocab_size: int) -> Tensor:
    """∇value at e_b, for each b: `slope_VV`."""
    rows_VV = torch.eye(vocab_size).requires_grad_()
    return torch.autograd.grad(value(rows_VV).sum(), rows_VV)[0]


# ── Jacobians as they are defined ─────────────────────────────────────────────────────────────


def softmax_jacobian(p_V: Tensor) -> Tensor:
    return torch.diag(p_V) - torch.outer(p_V, p_V)


def straight_through_jacobian(logits_V: Tensor, b: int) -> Tensor:
    return softmax_jacobian(logits_V.softmax(0))


def zero_temperature_jacobian(logits_V: Tensor, b: int) -> Tensor:
    p_V = logits_V.softmax(0)
    away_V = torch.eye(len(p_V))[b] - p_V
    return (softmax_jacobian(p_V) + torch.outer(away_V, away_V)) / 2


def reinmax_jacobian(tau: float) -> Jacobian:
    def jacobian(logits_V: Tensor, b: int) -> Tensor:
        between_V = ((logits_V / tau).softmax(0) + torch.eye(len(logits_V))[b]) / 2
        return 2 * softmax_jacobian(between_V) - softmax_jacobian(logits_V.softmax(0)) / 2

    return jacobian


def half_darn_jacobian(logits_V: Tensor, b: int) -> Tensor:
    away_V = torch.eye(len(logits_V))[b] - logits_V.softmax(0)
    return torch.outer(away_V, away_V) / 2


def gapped_jacobian(tau: float, gap: float) -> Jacobian:
    def jacobian(logits_V: Tensor, b: int) -> Tensor:
        top = float(logits_V.max())
        moved = [min(float(o), top - gap) for o in logits_V]
        moved[b] = top
        return softmax_jacobian((torch.tensor(moved) / tau).softmax(0)) / tau

    return jacobian


DEFINED: dict[str, tuple[Sampler, Jacobian]] = {
    "straight_through": (StraightThrough(1.0), straight_through_jacobian),
    "reinmax": (ReinMax(1.0), reinmax_jacobian(1.0)),
    "reinmax τ=1.6": (ReinMax(1.6), reinmax_jacobian(1.6)),
    "zero_temperature": (ZeroTemperature(), zero_temperature_jacobian),
    "redge of one step": (Redge(0.5, 1, hard=True), straight_through_jacobian),
    "redge of full noise": (Redge(1.0, 3, hard=True), straight_through_jacobian),
    "gapped": (Gapped(0.7, 1.0), gapped_jacobian(0.7, 1.0)),
    "gapped by 0.4": (Gapped(1.3, 0.4), gapped_jacobian(1.3, 0.4)),
}
"""Draws whose Jacobian the sample determines."""

DRAWS: dict[str, Sampler] = {name: draw for name, (draw, _) in DEFINED.items()}
DRAWS |= {
    "gumbel_rao": GumbelRao(0.7, 3),
    "reinmax_rao": ReinMaxRao(0.7, 3),
    "reinmax with control": ReinMax(1.6, control_variate=True),
}


@pytest.mark.parametrize("name", DEFINED)
@pytest.mark.parametrize("logits_V", [LOGITS_3, LOGITS_4], ids=["V=3", "V=4"])
def test_the_jacobian_given_the_sample_is_the_defined_one(name, logits_V) -> None:
    torch.manual_seed(0)
    draw, jacobian = DEFINED[name]
    size = len(logits_V)
    actual_VVV = of_each_token(*row_jacobians(draw, logits_V, 500), size)
    expected_VVV = torch.stack([jacobian(logits_V, b) for b in range(size)])
    torch.testing.assert_close(actual_VVV, expected_VVV, atol=1e-6, rtol=1e-5)


def test_the_gapped_logits_worked_out_by_hand() -> None:
    """o = (0, 1, −2), gap 1. The second token leads by 1 already: nothing moves."""
    torch.manual_seed(0)
    jacobian_VVV = of_each_token(
        *row_jacobians(Gapped(1.0, 1.0), torch.tensor([0.0, 1.0, -2.0]), 500), 3
    )
    for b, moved in enumerate([(1.0, 0.0, -2.0), (0.0, 1.0, -2.0), (0.0, 0.0, 1.0)]):
        weight_V = torch.tensor(moved).exp()
        expected_VV = softmax_jacobian(weight_V / weight_V.sum())
        torch.testing.assert_close(jacobian_VVV[b], expected_VV)


def test_reinmax_at_temperature_one_is_the_zero_temperature_limit() -> None:
    for b in range(4):
        torch.testing.assert_close(
            reinmax_jacobian(1.0)(LOGITS_4, b), zero_temperature_jacobian(LOGITS_4, b)
        )


def test_the_mean_zero_temperature_jacobian_is_that_of_straight_through() -> None:
    """So both agree where the value is linear."""
    p_V = LOGITS_4.softmax(0)
    mean_VV = sum(p_V[b] * zero_temperature_jacobian(LOGITS_4, b) for b in range(4))
    torch.testing.assert_close(mean_VV, softmax_jacobian(p_V))


# ── For which values the mean is exact ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "order"),
    [("straight_through", 1), ("reinmax", 2), ("zero_temperature", 2), ("gapped", 0)],
)
def test_the_mean_is_exact_up_to_its_order_and_not_beyond(name, order) -> None:
    """∇ Σ_b π_b value(e_b) for polynomials of degree 1, 2, 3."""
    torch.manual_seed(0)
    prob_V = LOGITS_4.softmax(0)
    for degree in (1, 2, 3):
        value = polynomial(degree)
        logits_V = LOGITS_4.clone().requires_grad_()
        expectation = logits_V.softmax(0) @ value(torch.eye(4))
        (truth_V,) = torch.autograd.grad(expectation, logits_V)
        of_token_VV = of_each_token(*row_gradients(DRAWS[name], LOGITS_4, 500, value), 4)
        error = float((prob_V @ of_token_VV - truth_V).norm() / truth_V.norm())
        assert error < 1e-5 if degree <= order else error > 0.02


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


# ── Whole sequences ───────────────────────────────────────────────────────────────────────────

SETTINGS = {
    "straight_through": {
        "name": "straight_through",
        "temperature": 1.0,
    },
    "reinmax τ=1.6": {"name": "reinmax", "temperature": 1.6},
    "zero_temperature": {"name": "zero_temperature"},
    "gapped by 0.4": {
        "name": "gapped",
        "gap": 0.4,
        "temperature": 1.3,
    },
    "gumbel_rao": {
        "name": "gumbel_rao",
        "samples": 3,
        "temperature": 0.7,
    },
    "reinmax_rao": {"name": "reinmax_rao", "samples": 3, "temperature": 0.7},
    "reinmax with control": {"name": "reinmax", "temperature": 1.6, "control_variate": True},
    "redge of one step": {"name": "redge", "steps": 1},
    "redge of full noise": {"name": "redge", "steps": 3, "noise": 1},
}


def estimator_of(name: str, space: SequenceSpace) -> Relaxed:
    """As a configuration file makes it; the draw is `DRAWS[name]`."""
    config = TypeAdapter(AnyEstimatorConfig).validate_python(SETTINGS[name])
    estimator = config.build(space, torch.device("cpu"))
    assert isinstance(estimator, Relaxed)
    return estimator


def curved_value(x_BTV: Tensor) -> Tensor:
    """A smooth value that is not linear in the rows, different at every position."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(x_BTV[0].numel(), 6, generator=stream)
    return torch.tanh(x_BTV.flatten(1) @ weight) @ torch.randn(6, generator=stream)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name in DEFINED])
@pytest.mark.parametrize("network", ["gru", "transformer"])
def test_whole_sequences_have_the_enumerated_expectation(network, name) -> None:
    """Σ_x p(x) ∇value(x): tokens are fed back, and each carries its J into all that follows.

    The estimator's own samples contain every sentence; one row of each is weighed with its
    probability, so that its estimate has no sampling error.
    """
    space = SequenceSpace(vocab_size=3, length=3)
    generator = make_generator(network, space)
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT).sum(1).exp().detach()

    jacobian = DEFINED[name][1]
    out, rows = generator.start(len(ids_RT)), []
    for time in range(space.length):
        if time:
            out = generator.step(rows[-1], out.state)
        logits_RV, ids_R = out.logits_BV, ids_RT[:, time]
        jacobian_RVV = torch.stack(
            [jacobian(o_V, int(b)) for o_V, b in zip(logits_RV.detach(), ids_R, strict=True)]
        )
        moves_RV = torch.einsum("rij,rj->ri", jacobian_RVV, logits_RV - logits_RV.detach())
        rows.append(F.one_hot(ids_R, 3) + moves_RV)
    expected = gradient(-(prob_R * curved_value(torch.stack(rows, 1))).sum(), generator)

    torch.manual_seed(0)
    estimator = estimator_of(name, space)
    rollout = estimator.sample(generator, SampleRequest(20_000))
    weight_B = torch.zeros(20_000)
    for ids_T, prob in zip(ids_RT, prob_R, strict=True):
        weight_B[(rollout.ids_BT == ids_T).all(1).nonzero()[0]] = prob * 20_000
    loss = estimator.loss(generator, rollout, lambda x, mask: weight_B * curved_value(x)).loss
    assert_same_vector(gradient(loss, generator), expected)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_configuration_makes_the_draw_that_it_names(name) -> None:
    """The same random numbers give the same tokens and gradient, with an end token too."""
    space = SequenceSpace(vocab_size=4, length=3, end_id=2)
    generator = make_generator("gru", space)
    gradients, tokens = [], []
    for sampled in (
        lambda: estimator_of(name, space).sample(generator, SampleRequest(50)),
        lambda: sample(generator, space, 50, DRAWS[name]),
    ):
        torch.manual_seed(0)
        rollout = sampled()
        tokens.append(rollout.tokens)
        gradients.append(gradient(curved_value(rollout.tokens).sum(), generator))
    assert torch.equal(*tokens)
    assert torch.equal(*gradients)
    assert gradients[0].norm() > 0


@pytest.mark.parametrize(
    "temperature",
    [
        0.9,
        {"start": 2.0, "end": 0.5, "steps": 10},
    ],
)
def test_reinmax_refuses_a_temperature_below_one(temperature) -> None:
    with pytest.raises(ValidationError, match="use 1 or more"):
        TypeAdapter(AnyEstimatorConfig).validate_python(
            {"name": "reinmax", "temperature": temperature}
        )


# ── What every draw must do ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DRAWS)
def test_the_tokens_are_samples_of_the_softmax_exactly_one_hot(name) -> None:
    torch.manual_seed(0)
    drawn = DRAWS[name](LOGITS_4[None].requires_grad_(), 50_000)
    assert torch.equal(drawn.x, F.one_hot(drawn.ids_R, 4).float())
    assert drawn.x.requires_grad
    assert chi_square_is_plausible(drawn.ids_R.bincount(minlength=4), LOGITS_4.softmax(0))


@pytest.mark.parametrize("name", [name for name in DRAWS if "control" not in name])
def test_row_n_times_batch_plus_b_is_copy_n_of_row_b(name) -> None:
    """In the tokens, and in where the gradient goes."""
    torch.manual_seed(0)
    sure_BV = 12.0 * torch.eye(4)[[2, 0, 3]]
    assert DRAWS[name](sure_BV, 3).ids_R.tolist() == [2, 0, 3] * 3
    logits_BV = LOGITS_4.repeat(3, 1).requires_grad_()
    drawn = DRAWS[name](logits_BV, 3)
    assert len(drawn.ids_R.unique()) > 1
    for row in range(9):
        value = (drawn.x[row] * torch.tensor([1.0, -1.0, 2.0, 0.0])).sum()
        (slope_BV,) = torch.autograd.grad(value, logits_BV, retain_graph=True)
        assert slope_BV.abs().sum(1).nonzero().flatten().tolist() == [row % 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*DRAWS, "gumbel_rao, cold"])
def test_extreme_logits_under_bfloat16_give_finite_rows_and_gradients(name, dtype) -> None:
    torch.manual_seed(0)
    draw = GumbelRao(1e-3, 3) if name == "gumbel_rao, cold" else DRAWS[name]
    rows = [[80.0, -80.0, 0.0], [-80.0, -80.0, -80.0], [80.0, 80.0, -80.0], [-1e4, 0.0, 1.0]]
    logits_BV = torch.tensor(rows, dtype=dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        drawn = draw(logits_BV, 200)
        value = (drawn.x * torch.tensor([3.0, -1.0, 2.0])).sum()
    assert drawn.x.dtype == torch.float32
    assert torch.equal(drawn.x, F.one_hot(drawn.ids_R, 3).float())
    (slope_BV,) = torch.autograd.grad(value, logits_BV)
    assert slope_BV.isfinite().all()
    assert slope_BV[1:].abs().sum() > 0


def test_float32_slopes_survive_under_autocast() -> None:
    """The Jacobian under autocast is that without it, to float32."""
    for name, (draw, jacobian) in DEFINED.items():
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ids_R, jacobian_RVV = row_jacobians(draw, LOGITS_4, 100)
        expected_RVV = torch.stack([jacobian(LOGITS_4, int(b)) for b in ids_R])
        error = float((jacobian_RVV - expected_RVV).abs().max())
        assert error < 1e-6, f"{name}: {error:.1g}"
