"""ReDGE: a token denoised from Gaussian noise (Gourevitch, Durmus, Moulines, Olsson & Janati 2026,
*Categorical reparameterization with denoising diffusion models*).

Noise is added to a one-hot row e_b, b ~ π = softmax(o), by x_t = (1 − t) e_b + t ε, for t from 0
to 1. All e_b are equally long, so the mean of e_b given x_t has a closed form:

    y(x_t) = softmax(o + (1 − t)/t² · x_t)

Sampling starts at t = 1 with x = ε ~ N(0, 1), where y = π, and goes down n levels, evenly spaced,
to t = `noise`; from level t to level s by the step of DDIM (Song, Meng & Ermon 2021):

    x_s = (1 − s) y + s · (x_t − (1 − t) y) / t

The last y is the soft row. Hard: forward a token drawn from it, backward y, through all steps. With
one step, or with `noise` 1, y is π: straight-through at temperature 1 (soft: the softmax). More
steps to less noise make y nearer to one-hot, and a function of ε; its mean, the tokens' law, is π
up to the error of n steps. The paper's text was not at hand: schedule, denoiser, step and hard
token are as in the authors' code, which advises n_steps 3 to 9 and noise .3 to .9.

Deviations: the first level is t = 1 instead of .9999, which makes one step straight-through
exactly; `steps` counts evaluations of y, their n_steps minus 1. Their variants with another
covariance and with ReinMax's Jacobian at the last step are not here.

    Relaxed(space, lambda noise: Redge(noise, steps=4, hard=True), temperature=0.5)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.numbers import check_range
from seqgan.core.tree import repeat_rows
from seqgan.decoding import Sampled, sample_categorical, straight_through

LEAST_NOISE = 1e-3
"""Rows are one-hot in float32 long before."""


@dataclass(frozen=True, slots=True)
class Redge:
    """A row that is denoised in `steps` steps down to the level `noise`; `hard`: a token of it."""

    noise: float
    steps: int
    hard: bool

    def __post_init__(self) -> None:
        check_range(LEAST_NOISE, 1, noise=self.noise)
        check_range(1, whole=True, steps=self.steps)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = repeat_rows(logits_BV.float(), copies)
        x_RV, soft_RV, t = torch.randn_like(logits_RV), logits_RV.softmax(-1), 1.0
        for step in range(1, self.steps):
            s = 1 - (1 - self.noise) * step / (self.steps - 1)
            x_RV = (1 - s) * soft_RV + s * (x_RV - (1 - t) * soft_RV) / t
            soft_RV = (logits_RV + (1 - s) / s**2 * x_RV).softmax(-1)
            t = s
        ids_R = sample_categorical(soft_RV.detach(), 1).flatten()
        return Sampled(straight_through(ids_R, soft_RV) if self.hard else soft_RV, ids_R)
