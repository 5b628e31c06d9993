"""Configuration of objectives and penalties."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats

DivergenceName = Literal[
    "minimax", "non_saturating", "lsgan", "hinge", "wgan", "rsgan", "cooperative"
]
RewardName = Literal["objective", "prob", "log_prob", "logit", "centred", "ratio"]


class DivergenceConfig(Config):
    """What the two players play for, as a function of the critic's scores."""

    name: DivergenceName
    """The loss of both players; formulas are in seqgan/objectives/divergences.py."""
    reward: RewardName = "objective"
    """The generator's value of a score d: the objective's own, or prob σ(d), log_prob log σ(d),
    logit d, centred 2σ(d)−1, ratio exp(d) = D/(1−D). Arms that are compared should share it."""
    paired: bool = False
    """rsgan: a generated sample's value compares it with the real sample of the same condition
    alone, not with all of the batch."""


Width = Annotated[float, Field(gt=0)]


class MmdConfig(Config):
    """The critic's features of both kinds have the same distribution (TextGAN)."""

    name: Literal["mmd"] = "mmd"
    weight: Annotated[float, Field(gt=0)] = 0.1
    """Weight of the discrepancy in the critic's loss, beside the GAN loss of its scores."""
    widths: Annotated[list[Width], Field(min_length=1)] = [1.0, 2.0, 4.0, 8.0, 16.0]
    """Standard deviations of the Gaussian kernels that are summed, in units of the features."""


class TransportConfig(Config):
    """Features of generated samples lie, in direction, where those of real ones do (FM-GAN)."""

    name: Literal["transport"] = "transport"
    proximal: Annotated[float, Field(gt=0)] = 0.5
    """How far one iteration may move the plan; less is further. Costs are between 0 and 2."""
    iterations: Repeats = 20
    """Steps towards the optimal plan; the distance is exact as proximal / iterations goes to 0."""


class RankConfig(Config):
    """Generated samples rank beside real ones by how much they are like references (RankGAN)."""

    name: Literal["rank"] = "rank"
    gamma: Annotated[float, Field(gt=0)] = 10.0
    """Factor of the cosine in the softmax; more is a sharper ranking."""
    references: Annotated[int, Field(gt=0)] = 16
    """Real samples of the batch that the others, and the generated ones, are compared with."""


class ClassesConfig(Config):
    """The critic tells categories and generated samples apart; being taken for anything but a real
    sample of the own category is a penalty (SentiGAN)."""

    name: Literal["classes"] = "classes"


ObjectiveConfig = Annotated[
    DivergenceConfig | MmdConfig | TransportConfig | RankConfig | ClassesConfig,
    ByName(),
]


class WeightClipConfig(Config):
    """Clamp every critic parameter after each of its updates (WGAN)."""

    name: Literal["weight_clip"] = "weight_clip"
    limit: Annotated[float, Field(gt=0)] = 0.01
    """Largest absolute value that a parameter may have."""


class GradientPenaltyConfig(Config):
    """weight · E(‖∇D(x̂)‖ − target)² on points between real and generated (WGAN-GP)."""

    name: Literal["gradient_penalty"] = "gradient_penalty"
    weight: Annotated[float, Field(gt=0)] = 10.0
    """Factor of the penalty in the critic's loss."""
    target: Annotated[float, Field(ge=0)] = 1.0
    """Norm of the gradient that is not penalised."""


class R1Config(Config):
    """weight/2 · E‖∇D(x)‖² at real sequences."""

    name: Literal["r1"] = "r1"
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the penalty in the critic's loss, before the half."""


class SpectralNormConfig(Config):
    """Divide every weight matrix of the critic by its largest singular value."""

    name: Literal["spectral_norm"] = "spectral_norm"
    iterations: Repeats = 1
    """Power iterations in each forward pass in training mode (not in each update)."""


PenaltyConfig = Annotated[
    WeightClipConfig | GradientPenaltyConfig | R1Config | SpectralNormConfig,
    ByName(),
]
