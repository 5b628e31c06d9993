"""ReinMax: a straight-through gradient of second order.

Liu, Dong, Liu, Yu & Gao 2023, *Bridging discrete and backpropagation: straight-through and beyond*.
Forward one-hot(b) with b ~ π = softmax(o). Backward, with J(p) = diag p − p pᵀ, the Jacobian of a
softmax whose value is p:

    2 J((π_τ + e_b)/2) − ½ J(π),   π_τ = softmax(o/τ)

Differences of the value between two tokens are integrated by the trapezoid rule (Heun), where
straight-through takes Euler's step. At τ = 1 the mean is therefore exact in one column where the
value is quadratic in the rows, and the Jacobian equals that of `zero_temperature.py`. τ > 1 trades
this for less variance; below 1 the paper advises against it.

Deviation: their code also subtracts the mean over tokens from the gradient, which is rounding.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from seqgan.core.numbers import check_sampling
from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, at_temperature, sample_categorical, straight_through


@dataclass(frozen=True, slots=True)
class ReinMax:
    """A hard sample whose gradient is right to second order at temperature 1.

    It maps logits [B, V] to one-hot rows [B, V], which have the gradient, and their ids [B].

        Relaxed(space, ReinMax, temperature=1.0)
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_sampling(self.temperature)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = repeat_rows(logits_BV.float(), copies)
        still_RV = logits_RV.detach()
        probs_RV = still_RV.softmax(-1)
        ids_R = sample_categorical(probs_RV, 1).flatten()
        hard_RV = F.one_hot(ids_R, probs_RV.shape[-1])
        between_RV = (at_temperature(still_RV, self.temperature).softmax(-1) + hard_RV) / 2
        soft_RV = 2 * _with_slope(between_RV, logits_RV) - _with_slope(probs_RV, logits_RV) / 2
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


def _with_slope(probs_RV: Tensor, logits_RV: Tensor) -> Tensor:
    """p ⊙ (o − p·o): linear in o, with the Jacobian diag p − p pᵀ for any fixed p."""
    return probs_RV * (logits_RV - (probs_RV * logits_RV).sum(-1, keepdim=True))
