"""Straight-through Gumbel without the noise that the sample does not need (Gumbel-Rao).

Paulus, Maddison & Krause 2021, *Rao-Blackwellizing the straight-through Gumbel-softmax gradient
estimator*. Forward one-hot(b) with b ~ π = softmax(o). Backward the Jacobian of straight-through
Gumbel, averaged over K draws of the noise given that b is its argmax:

    1/K Σ_k ∂/∂o softmax((log π + g_k)/τ),   log π + g_k ~ `conditional_gumbels`

The noise is a constant in this derivative: to differentiate it as well, as a control variate does,
would leave out how b depends on o, and the mean would be another. As it stands, the mean is that of
straight-through Gumbel at the same τ, and the variance falls with K: K = 1 has the same law,
K → ∞ leaves what b and the other tokens cause. Memory grows as K · V.

Deviations: none known. The noise is float32, its sums are taken in the log domain.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.numbers import check_range, check_sampling
from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, at_temperature, sample_categorical, straight_through
from seqgan.estimators.conditional_gumbel import conditional_gumbels


@dataclass(frozen=True, slots=True)
class GumbelRao:
    """A hard sample; the gradient is the mean of `samples` (K) draws of the noise.

    It maps logits [B, V] to one-hot rows [B, V], which have the gradient, and their ids [B].

        Relaxed(space, lambda tau: GumbelRao(tau, samples=10), temperature=0.7)
    """

    temperature: float
    samples: int

    def __post_init__(self) -> None:
        check_sampling(self.temperature)
        check_range(1, whole=True, samples=self.samples)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logp_RV = repeat_rows(logits_BV.float().log_softmax(-1), copies)
        ids_R = sample_categorical(logp_RV.detach().exp(), 1).flatten()
        slope_RV = logp_RV - logp_RV.detach()
        soft_RV = torch.zeros_like(logp_RV)
        for _ in range(self.samples):
            noisy_RV = conditional_gumbels(logp_RV.detach(), ids_R) + slope_RV
            soft_RV = (
                soft_RV + at_temperature(noisy_RV, self.temperature).softmax(-1) / self.samples
            )
        return Sampled(straight_through(ids_R, soft_RV), ids_R)
