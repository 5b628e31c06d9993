"""Penalties and constraints that keep a critic smooth.

Gradient penalty (Gulrajani 2017):  λ E_b (‖∇_x D(x̂_b)‖₂ − c)²,  x̂ = ε x_r + (1 − ε) x_f
R1 (Mescheder 2018):                λ/2 E_b ‖∇_x D(x_b)‖₂²  at real x
Weight clipping (Arjovsky 2017):    w ← clamp(w, −c, c) after each critic update
Spectral norm (Miyato 2018):        W ← W / σ_max(W), by power iteration

The norm is over one sample's dimensions (time and vocabulary, or pixels), never over the batch,
and ε is drawn once a sample. Token sequences enter as one-hot rows (`Space.continuous`). With
conditions, both ends of a mixture have the same one.

Sequences of unequal length: behind its end a sequence holds one-hot end tokens, so both are
defined on all T columns and the mixture is taken column by column; the mixture's mask is the
union of the two. A per-step critic's score is its mean over the steps that count.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from seqgan.core.masks import mean_per_row
from seqgan.core.modes import double_backward
from seqgan.core.types import Critic, Scores
from seqgan.objectives.config import GradientPenaltyConfig, R1Config


def gradient_penalty(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    mask: Tensor | None,
    config: GradientPenaltyConfig,
    cond: Tensor | None = None,
) -> Tensor:
    """The WGAN-GP term, a scalar. `real` and `fake` are float tensors with the batch first."""
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    mixed = epsilon * real.detach() + (1 - epsilon) * fake.detach()
    norm_B = gradient_norm(critic, mixed, mask, cond)
    return config.weight * (norm_B - config.target).square().mean()


def r1(
    critic: Critic,
    real: Tensor,
    mask: Tensor | None,
    config: R1Config,
    cond: Tensor | None = None,
) -> Tensor:
    """The R1 term, a scalar."""
    return 0.5 * config.weight * gradient_norm(critic, real, mask, cond).square().mean()


def gradient_norm(
    critic: Critic, x: Tensor, mask: Tensor | None, cond: Tensor | None = None
) -> Tensor:
    """‖∇_x D(x)‖₂ of each sample: [B]. Can be differentiated again."""
    x = x.detach().requires_grad_()
    with double_backward():
        score_B = score_per_sample(critic(x, mask, cond))
        (gradient,) = torch.autograd.grad(score_B.sum(), x, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def score_per_sample(scores: Scores) -> Tensor:
    """One score per sample: a per-step critic's mean over the steps that count."""
    if scores.mask_BT is None:
        return scores.score
    return mean_per_row(scores.score, scores.mask_BT)


def clip_weights(critic: nn.Module, limit: float) -> None:
    """Clamp every trainable parameter. To be called *after* the optimizer's step."""
    with torch.no_grad():
        for parameter in critic.parameters():
            if parameter.requires_grad:
                parameter.clamp_(-limit, limit)


def apply_spectral_norm(critic: nn.Module, iterations: int) -> None:
    """Normalise the weights of every linear, convolution and embedding layer in place.

    Power iterations run in training mode only, so a frozen critic does not change. Recurrent
    layers are left out (their kernels read flat weights); the configuration refuses them.
    """
    for module in list(critic.modules()):
        if isinstance(
            module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding
        ):
            parametrizations.spectral_norm(module, "weight", n_power_iterations=iterations)
