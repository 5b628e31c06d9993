"""Penalties and constraints that keep a critic smooth.

Gradient penalty (Gulrajani 2017):  λ E_b (‖∇_x D(x̂_b)‖₂ − c)²,  x̂ = ε x_r + (1 − ε) x_f
R1 (Mescheder 2018):                λ/2 E_b ‖∇_x D(x_b)‖₂²  at real x
R2 (Mescheder 2018):                the same at generated x; R3GAN (Huang 2024) has both
Weight clipping (Arjovsky 2017):    w ← clamp(w, −c, c) after each critic update
Spectral norm (Miyato 2018):        W ← W / σ_max(W), by power iteration

The norm is over one sample's dimensions, never over the batch, and ε is drawn once per sample.
Token sequences enter as one-hot rows (`Space.continuous`). Both ends of a mixture have the same
condition. Sequences of unequal length are mixed column by column, end tokens behind the end
included; the mixture's mask is the union of the two. A per-step critic's score is its mean over the
steps that count.

The first three differentiate the critic twice, which costs more than the rest of its update. They
can be lazy (Karras 2020): with `every` = k only each k-th update has the term, k times as large.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from seqgan.core.budget import count_critic_calls
from seqgan.core.modes import double_backward
from seqgan.core.schedule import Schedule, as_schedule
from seqgan.core.types import Critic, Sample, Space


class Penalty:
    """A term of the critic's loss (`loss`), or a constraint on its weights (`prepare` or
    `after_step`). This one does nothing."""

    name: ClassVar[str]
    """Name of the loss term in the log."""
    every: int = 1
    """The term is part of each so-manieth update's loss, and as many times as large there."""
    needs_fake: ClassVar[bool] = True
    """Whether `loss` reads generated samples."""

    def prepare(self, critic: nn.Module) -> None:
        """Change the critic, in place, before it is first used."""

    def after_step(self, critic: nn.Module) -> None:
        """Constrain the critic's weights, in place, after each of its updates."""

    def loss(
        self, critic: Critic, space: Space, real: Sample, fake: Sample, update: int = 0
    ) -> Tensor | None:
        """The term of the critic's loss at its update number `update`, a scalar; None: there is
        none. It does not contain `every`.

        `fake` may hold several samples for each condition of `real`, block after block.
        """
        return None


Weight = float | Schedule[float]
"""Constant, or by update of the critic."""


class _GradientTerm(Penalty):
    """A term that depends on the critic's gradient in its input."""

    def __init__(self, weight: Weight, every: int) -> None:
        self.weight = as_schedule(weight)
        self.every = every


class GradientPenalty(_GradientTerm):
    """weight · E(‖∇D(x̂)‖ − target)² at mixtures of real and generated samples (WGAN-GP).

    loss = loss + GradientPenalty(weight=10.0).loss(critic, space, real, fake)
    """

    name = "gradient_penalty"

    def __init__(self, weight: Weight = 10.0, target: float = 1.0, every: int = 1) -> None:
        super().__init__(weight, every)
        self._target = target

    def loss(
        self, critic: Critic, space: Space, real: Sample, fake: Sample, update: int = 0
    ) -> Tensor:
        """A scalar. Of several generated samples for a condition the first is mixed."""
        rows = slice(len(real.x))
        real_x, fake_x = space.continuous(real.x), space.continuous(fake.x[rows])
        mask = None if real.mask is None or fake.mask is None else real.mask | fake.mask[rows]
        epsilon = torch.rand(len(real_x), *[1] * (real_x.dim() - 1), device=real_x.device)
        mixed = epsilon * real_x.detach() + (1 - epsilon) * fake_x.detach()
        norm_B = gradient_norm(critic, mixed, mask, real.cond)
        return self.weight.at(update) * (norm_B - self._target).square().mean()


class R1(_GradientTerm):
    """weight/2 · E‖∇D(x)‖² at real samples.

    loss = loss + R1(weight=1.0).loss(critic, space, real, fake)
    """

    name = "r1"
    needs_fake = False

    def __init__(self, weight: Weight = 1.0, every: int = 1) -> None:
        super().__init__(weight, every)

    def loss(
        self, critic: Critic, space: Space, real: Sample, fake: Sample, update: int = 0
    ) -> Tensor:
        """A scalar; `fake` is not read."""
        return self._loss_at(critic, space, real, update)

    def _loss_at(self, critic: Critic, space: Space, sample: Sample, update: int) -> Tensor:
        norm_B = gradient_norm(critic, space.continuous(sample.x), sample.mask, sample.cond)
        return 0.5 * self.weight.at(update) * norm_B.square().mean()


class R2(R1):
    """weight/2 · E‖∇D(x)‖² at generated samples.

    loss = loss + R2(weight=1.0).loss(critic, space, real, fake)
    """

    name = "r2"
    needs_fake = True

    def loss(
        self, critic: Critic, space: Space, real: Sample, fake: Sample, update: int = 0
    ) -> Tensor:
        """A scalar; `real` is not read."""
        return self._loss_at(critic, space, fake, update)


class WeightClip(Penalty):
    """Clamps every trainable parameter to ±limit after each update of the critic.

    WeightClip(limit=0.01).after_step(critic)
    """

    name = "weight_clip"

    def __init__(self, limit: float = 0.01) -> None:
        self._limit = limit

    @torch.no_grad()
    def after_step(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-self._limit, self._limit)


class SpectralNorm(Penalty):
    """Normalises the weights of every linear, convolution and embedding layer in place.

    Power iterations run in training mode only, so a frozen critic does not change. Recurrent
    layers are left out (their kernels read flat weights); the configuration refuses them.

        SpectralNorm(iterations=1).prepare(critic)
    """

    name = "spectral_norm"

    def __init__(self, iterations: int = 1) -> None:
        self._iterations = iterations

    def prepare(self, critic: nn.Module) -> None:
        layers = nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding
        for module in list(critic.modules()):
            if isinstance(module, layers):
                parametrizations.spectral_norm(module, "weight", self._iterations)


def gradient_norm(
    critic: Critic, x: Tensor, mask: Tensor | None, cond: Tensor | None = None
) -> Tensor:
    """‖∇_x D(x)‖₂ of each sample: [B]. Can be differentiated again."""
    count_critic_calls(len(x))
    x = x.detach().requires_grad_()
    with double_backward():
        score_B = critic(x, mask, cond).per_sample()
        (gradient,) = torch.autograd.grad(score_B.sum(), x, create_graph=True)
    norm_B: Tensor = gradient.flatten(1).norm(dim=1)
    return norm_B
