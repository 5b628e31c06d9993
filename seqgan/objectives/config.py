"""Configuration of objectives and penalties."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config

ObjectiveName = Literal[
    "minimax", "non_saturating", "lsgan", "hinge", "wgan", "rsgan", "cooperative"
]
ValueName = Literal["objective", "prob", "log_prob", "logit", "centred", "ratio"]


class ObjectiveConfig(Config):
    """What the two players play for."""

    name: ObjectiveName
    """The loss of both players; formulas are in seqgan/objectives/divergences.py."""
    value: ValueName = "objective"
    """The generator's value of a score d: the objective's own, or prob σ(d), log_prob log σ(d),
    logit d, centred 2σ(d)−1, ratio exp(d) = D/(1−D). Arms that are compared should share it."""
    paired: bool = False
    """rsgan: a generated sample's value compares it with the real sample of the same condition
    alone, not with all of the batch."""


class WeightClipConfig(Config):
    """Clamp every critic parameter after each of its updates (WGAN)."""

    name: Literal["weight_clip"]
    """Kind of penalty."""
    limit: Annotated[float, Field(gt=0)] = 0.01
    """Largest absolute value that a parameter may have."""


class GradientPenaltyConfig(Config):
    """weight · E(‖∇D(x̂)‖ − target)² on points between real and generated (WGAN-GP)."""

    name: Literal["gradient_penalty"]
    """Kind of penalty."""
    weight: Annotated[float, Field(gt=0)] = 10.0
    """Factor of the penalty in the critic's loss."""
    target: Annotated[float, Field(ge=0)] = 1.0
    """Norm of the gradient that is not penalised."""


class R1Config(Config):
    """weight/2 · E‖∇D(x)‖² at real sequences."""

    name: Literal["r1"]
    """Kind of penalty."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the penalty in the critic's loss, before the half."""


class SpectralNormConfig(Config):
    """Divide every weight matrix of the critic by its largest singular value."""

    name: Literal["spectral_norm"]
    """Kind of penalty."""
    iterations: Annotated[int, Field(gt=0)] = 1
    """Power iterations in each forward pass in training mode (not in each update)."""


PenaltyConfig = Annotated[
    WeightClipConfig | GradientPenaltyConfig | R1Config | SpectralNormConfig,
    Field(discriminator="name"),
]
