"""Gumbel-Rao in the limit τ → 0 ("ZGR"): no temperature, no noise.

Shekhovtsov 2023, *Cold analysis of Rao-Blackwellized straight-through Gumbel-softmax gradient
estimator*. Forward one-hot(b) with b ~ π = softmax(o). Backward, half the Jacobian of
straight-through and half that of DARN (Gregor 2014), the score function with a linear baseline:

    J_b = ½ [ (diag π − π πᵀ) + (e_b − π)(e_b − π)ᵀ ]

Why. As τ → 0 the softmax of log π + g moves only where its two largest entries b and i tie. Over
their distance d ≥ 0 its slope σ(d/τ) σ(−d/τ)/τ has the integral ½, along (e_b − e_i)(e_b − e_i)ᵀ.
Given b, d = log(1 + E_i/(π_i E_b)) (`conditional_gumbel.py`) has the density E[π_i E_b] = π_i at 0.
So J_b = ½ Σ_i π_i (e_b − e_i)(e_b − e_i)ᵀ, which is the line above.

It is symmetric in b and i, so the value's slope is averaged over both ends: in one column the mean
is exact where the value is quadratic in the rows. The same J_b is that of ReinMax at τ = 1.

Deviations: none known.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, sample_categorical, straight_through


@dataclass(frozen=True, slots=True)
class ZeroTemperature:
    """A hard sample; the gradient is Gumbel-Rao's in the limit of temperature 0.

    It maps logits [B, V] to one-hot rows [B, V], which have the gradient, and their ids [B].

        Relaxed(space, lambda _: ZeroTemperature())
    """

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logp_RV = repeat_rows(logits_BV.float().log_softmax(-1), copies)
        probs_RV = logp_RV.exp()
        still_RV = probs_RV.detach()
        ids_R = sample_categorical(still_RV, 1).flatten()
        away_RV = F.one_hot(ids_R, still_RV.shape[-1]) - still_RV  # e_b − π
        soft_RV = (probs_RV + away_RV * logp_RV.gather(-1, ids_R[:, None])) / 2
        return Sampled(straight_through(ids_R, soft_RV), ids_R)
