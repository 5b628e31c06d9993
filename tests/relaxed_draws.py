"""Straight-through draws with better Jacobians, and the Jacobians as they are defined.

Every draw is a sample b of softmax(o) whose gradient is a Jacobian J_b. Most J_b can be written
down, so that the expected gradient Σ_b π_b J_bᵀ ∇value(e_b) is a sum of V terms; Gumbel-Rao's is an
integral over noise.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqgan.decoding import Sampler, StraightThrough
from seqgan.estimators.redge import Redge
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


def curved_value(x_BTV: Tensor) -> Tensor:
    """A smooth value that is not linear in the rows, different at every position."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(x_BTV[0].numel(), 6, generator=stream)
    return torch.tanh(x_BTV.flatten(1) @ weight) @ torch.randn(6, generator=stream)
