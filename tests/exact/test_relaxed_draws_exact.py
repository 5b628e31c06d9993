"""Straight-through draws against their Jacobians as defined, and what every draw must do."""

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    chi_square_is_plausible,
)
from relaxed_draws import (
    DEFINED,
    DRAWS,
    LOGITS_3,
    LOGITS_4,
    of_each_token,
    polynomial,
    reinmax_jacobian,
    row_gradients,
    row_jacobians,
    softmax_jacobian,
    zero_temperature_jacobian,
)

from seqgan.estimators.straight_through import (
    Gapped,
    GumbelRao,
)


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
