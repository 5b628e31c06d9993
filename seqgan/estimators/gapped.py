"""Straight-through Gumbel with the least that its noise does, instead of noise (gapped ST).

Fan, Chi, Rudnicky & Ramadge 2022, *Training discrete deep generative models via gapped
straight-through estimator*. Forward one-hot(b) with b ~ softmax(o). Backward softmax(z/τ), where z
is o moved so that b comes first, and by a gap; the moves are constants in the derivative:

    z_b = max_j o_j                          (o_b + m₁ in the paper)
    z_i = min(o_i, max_j o_j − gap)          (o_i − m₂), i ≠ b

Given b nothing is random, so the variance is lower than that of straight-through Gumbel; the mean
is another one.

Deviation: the gap is a number (1.0 as published); their second variant, −log(1 − π_b)/π_b, is not
here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.numbers import check_range, check_sampling
from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, at_temperature, sample_categorical, straight_through


@dataclass(frozen=True, slots=True)
class Gapped:
    """A hard sample; the gradient is that of a softmax in which it leads by `gap` logits.

    It maps logits [B, V] to one-hot rows [B, V], which have the gradient, and their ids [B].

        Relaxed(space, lambda tau: Gapped(tau, gap=1.0), temperature=0.7)
    """

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
