"""Samplers with a hard token forward and a better Jacobian than straight-through backward.

Each draws b ~ π = softmax(o) and passes on one-hot(b), with the gradient of a soft row:

`Gapped` (Fan, Chi, Rudnicky & Ramadge 2022, *Training discrete deep generative models via gapped
straight-through estimator*): softmax(z/τ), where z is o moved, by constants, so that b leads:

    z_b = max_j o_j,    z_i = min(o_i, max_j o_j − gap)  for i ≠ b

Given b nothing is random, so its variance is below that of straight-through Gumbel; its mean is
another one. Deviation: their second variant, a gap of −log(1 − π_b)/π_b, is not here.

`GumbelRao` (Paulus, Maddison & Krause 2021, *Rao-Blackwellizing the straight-through Gumbel-softmax
gradient estimator*): straight-through Gumbel averaged over K draws of the noise given its argmax b:

    1/K Σ_k ∂/∂o softmax((log π + g_k)/τ),   log π + g_k from `conditional_gumbels`

The noise is a constant here: differentiating it, as a control variate does, would leave out how b
depends on o. The mean is that of straight-through Gumbel at the same τ; the variance falls with K,
memory grows as K · V.

`ReinMax` (Liu, Dong, Liu, Yu & Gao 2023, *Bridging discrete and backpropagation: straight-through
and beyond*), where J(p) = diag p − p pᵀ is the Jacobian of a softmax whose value is p:

    2 J((π_τ + e_b)/2) − ½ J(π),   π_τ = softmax(o/τ)

The trapezoid rule (Heun) where straight-through takes Euler's step. At τ = 1 the mean is exact in
one column where the value is quadratic in the rows. τ > 1 trades this for less variance; below 1
the paper advises against it. Deviation: their code also subtracts the gradient's mean over tokens.

With `control_variate`, derived here, a row's slope g = ∇value is compared with a, the mean slope of
the other rows, before it meets the Jacobian J_b above, whose mean over b is known:

    J_b (g − a) + J̄ a,   J̄ = Σ_b π_b J_b = J(π_τ) + ½ (π − π_τ)(π − π_τ)ᵀ

The mean stays exactly ReinMax's, in whole sequences too: a does not depend on the row's own b, and
every way by which it reaches back through other rows has a factor J̄ − J_b of mean 0 which nothing
else on that way depends on. (Up to the reward's own coupling of rows, e.g. by `mmd`.)

`ReinMaxRao` (Wang & Bui 2026, *Beyond ReinMax: low-variance gradient estimators for discrete
latent variables*) replaces the first Jacobian by Gumbel-Rao's at π' = (π + e_b)/2. The paper's text
was not at hand; this is its equation 17 as the authors' code and a reimplementation have it:

    2/K Σ_k ∂/∂o softmax((log π' + g_k)/τ) − ½ J(π),   log π' + g_k from `conditional_gumbels`

Derived here: its mean is not ReinMax's. Given b ReinMax has no noise to average over, so nothing in
it can be Rao-Blackwellized. As τ → 0 it is ½ (e_b − π)(e_b − π)ᵀ, which is ReinMax without its half
of straight-through. Deviation: their ReinMax-CV, which adds η times (Gumbel-Rao − one draw of
straight-through Gumbel) at π' to ReinMax, is not here. Given b ReinMax is a constant, so with noise
drawn given b this only adds variance, whatever η is; with other noise it changes the mean.

`ZeroTemperature` (Shekhovtsov 2023, *Cold analysis of Rao-Blackwellized straight-through
Gumbel-softmax gradient estimator*, ZGR): Gumbel-Rao as τ → 0, and equal to ReinMax at τ = 1:

    J_b = ½ [ (diag π − π πᵀ) + (e_b − π)(e_b − π)ᵀ ]

half straight-through, half DARN (Gregor 2014). As τ → 0 the softmax moves only where its two
largest entries b and i tie, along (e_b − e_i)(e_b − e_i)ᵀ with the integral ½; given b their
distance has the density π_i at 0. So J_b = ½ Σ_i π_i (e_b − e_i)(e_b − e_i)ᵀ, as above.

All map logits [B, V] to one-hot rows [B, V], which have the gradient, and their ids [B]:

    Relaxed(space, lambda tau: GumbelRao(tau, samples=10), temperature=0.7)
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.numbers import check_range, check_sampling
from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, at_temperature, sample_categorical, straight_through
from seqgan.estimators.conditional_gumbel import conditional_gumbels


@dataclass(frozen=True, slots=True)
class Gapped:
    """The gradient is that of a softmax in which the sample leads by `gap` logits."""

    temperature: float
    gap: float

    def __post_init__(self) -> None:
        check_sampling(self.temperature)
        check_range(0, gap=self.gap)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = repeat_rows(logits_BV.float(), copies)
        still_RV = logits_RV.detach()
        ids_R = sample_categorical(still_RV.softmax(-1), 1).flatten()
        top_R1 = still_RV.amax(-1, keepdim=True)
        moved_RV = torch.minimum(still_RV, top_R1 - self.gap).scatter(-1, ids_R[:, None], top_R1)
        soft_RV = at_temperature(moved_RV + (logits_RV - still_RV), self.temperature).softmax(-1)
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


@dataclass(frozen=True, slots=True)
class GumbelRao:
    """The gradient is the mean of `samples` (K) draws of the noise."""

    temperature: float
    samples: int

    def __post_init__(self) -> None:
        check_sampling(self.temperature)
        check_range(1, whole=True, samples=self.samples)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logp_RV = repeat_rows(logits_BV.float().log_softmax(-1), copies)
        still_RV = logp_RV.detach()
        ids_R = sample_categorical(still_RV.exp(), 1).flatten()
        soft_RV = self.soft_rows(still_RV, ids_R, logp_RV - still_RV)
        return Sampled(straight_through(ids_R, soft_RV), ids_R)

    def soft_rows(self, logp_RV: Tensor, ids_R: Tensor, moves_RV: Tensor) -> Tensor:
        """Mean of softmax((log p + g)/τ) over noise with argmax `ids_R`; `moves_RV` is 0 and has
        the gradient of log p."""
        soft_RV = torch.zeros_like(logp_RV)
        for _ in range(self.samples):
            noisy_RV = conditional_gumbels(logp_RV, ids_R) + moves_RV
            probs_RV = at_temperature(noisy_RV, self.temperature).softmax(-1)
            soft_RV = soft_RV + probs_RV / self.samples
        return soft_RV


@dataclass(frozen=True, slots=True)
class ReinMax:
    """The gradient is right to second order at temperature 1."""

    temperature: float = 1.0
    control_variate: bool = False

    def __post_init__(self) -> None:
        check_sampling(self.temperature)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = repeat_rows(logits_BV.float(), copies)
        still_RV = logits_RV.detach()
        probs_RV = still_RV.softmax(-1)
        ids_R = sample_categorical(probs_RV, 1).flatten()
        hard_RV = F.one_hot(ids_R, probs_RV.shape[-1])
        tempered_RV = at_temperature(still_RV, self.temperature).softmax(-1)
        between_RV = (tempered_RV + hard_RV) / 2
        soft_RV = 2 * _with_slope(between_RV, logits_RV) - _with_slope(probs_RV, logits_RV) / 2
        if self.control_variate and soft_RV.requires_grad:
            away_RV, shift_RV = hard_RV - tempered_RV, probs_RV - tempered_RV
            # J̄ − J_b, which the other rows' mean slope meets
            control_RV = (
                _with_slope(probs_RV, logits_RV)
                + _along(shift_RV, logits_RV)
                - _along(away_RV, logits_RV)
            ) / 2
            control_RV.register_hook(_mean_of_others)
            soft_RV = soft_RV + control_RV
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


@dataclass(frozen=True, slots=True)
class ReinMaxRao(GumbelRao):
    """ReinMax with the Jacobian between token and distribution averaged over `samples` draws."""

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = repeat_rows(logits_BV.float(), copies)
        still_RV = logits_RV.detach()
        probs_RV = still_RV.softmax(-1)
        ids_R = sample_categorical(probs_RV, 1).flatten()
        between_RV = (probs_RV + F.one_hot(ids_R, probs_RV.shape[-1])) / 2
        first_RV = self.soft_rows(between_RV.log(), ids_R, logits_RV - still_RV)
        soft_RV = 2 * first_RV - _with_slope(probs_RV, logits_RV) / 2
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


@dataclass(frozen=True, slots=True)
class ZeroTemperature:
    """The gradient is Gumbel-Rao's in the limit of temperature 0."""

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logp_RV = repeat_rows(logits_BV.float().log_softmax(-1), copies)
        probs_RV = logp_RV.exp()
        still_RV = probs_RV.detach()
        ids_R = sample_categorical(still_RV, 1).flatten()
        away_RV = F.one_hot(ids_R, still_RV.shape[-1]) - still_RV  # e_b − π
        soft_RV = (probs_RV + away_RV * logp_RV.gather(-1, ids_R[:, None])) / 2
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


def _with_slope(probs_RV: Tensor, logits_RV: Tensor) -> Tensor:
    """p ⊙ (o − p·o): linear in o, with the Jacobian diag p − p pᵀ for any fixed p."""
    return probs_RV * (logits_RV - (probs_RV * logits_RV).sum(-1, keepdim=True))


def _along(way_RV: Tensor, logits_RV: Tensor) -> Tensor:
    """w (w·o): linear in o, with the Jacobian w wᵀ."""
    return way_RV * (way_RV * logits_RV).sum(-1, keepdim=True)


def _mean_of_others(slope_RV: Tensor) -> Tensor:
    """Of each row the mean of all other rows; 0 where there is no other."""
    return (slope_RV.sum(0) - slope_RV) / max(1, len(slope_RV) - 1)
