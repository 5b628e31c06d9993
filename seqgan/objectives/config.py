"""Configuration of objectives and penalties; each class builds its part."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats
from seqgan.core.parts import Need, Needs, ObjectivePart, PenaltyPart, Words
from seqgan.core.schedule import Schedule, constant
from seqgan.objectives.names import DivergenceName, FDivergenceName, LabelsOf, RewardName

if TYPE_CHECKING:
    from seqgan.objectives.base import Objective
    from seqgan.objectives.penalties import Penalty


class ObjectiveConfig(ObjectivePart):
    """Base of the configurations of objectives."""

    @abstractmethod
    def build(self) -> "Objective":
        """The losses of both players."""


class DivergenceConfig(ObjectiveConfig):
    """The losses of both players as functions of the critic's scores."""

    name: DivergenceName
    """The loss of both players; formulas are in seqgan/objectives/divergences.py."""
    reward: RewardName = "objective"
    """The generator's reward for a score d: the objective's own, or prob σ(d), log_prob log σ(d),
    logit d, centred 2σ(d)−1, ratio exp(d) = D/(1−D). Arms that are compared should share it."""
    paired: bool = False
    """rsgan: the reward compares a generated sample with one real sample alone, that of the same
    condition where there are conditions, not with all of the batch."""

    @property
    def compares_pairs(self) -> bool:
        return self.paired

    @property
    def separates_at_zero(self) -> bool:
        return super().separates_at_zero or self.name == "hinge"

    def build(self) -> "Objective":
        from seqgan.objectives.divergences import Divergence

        return Divergence(self.name, self.reward, self.paired)

    @property
    def gives(self) -> Words:
        words = {"a score to penalise", "rewards of single samples", "rewards with exact gradients"}
        logit = {"the critic's logit as reward"} if self.reward == "logit" else set()
        logistic = self.name in ("minimax", "non_saturating")
        return frozenset(words | logit | ({"a logistic critic loss"} if logistic else set()))

    @property
    def needs(self) -> Needs:
        model = (Need("critic", "log-likelihoods"),) if self.name == "cooperative" else ()
        real = Need(
            "data", "true responses", "paired=true", "set it to false, or leave data.prompts out"
        )
        return (*model, real) if self.paired else model


class FGanConfig(ObjectiveConfig):
    """An f-divergence as a game of a critic that bounds it and a generator (f-GAN)."""

    name: Literal["f_gan"] = "f_gan"
    divergence: FDivergenceName = "kl"
    """Divergence of the real distribution from the generated one: kl, reverse_kl, pearson,
    hellinger, js, or gan, the minimax game; formulas in seqgan/objectives/f_divergences.py."""

    def build(self) -> "Objective":
        from seqgan.objectives.f_divergences import FGan

        return FGan(self.divergence)

    @property
    def gives(self) -> Words:
        words = {"a score to penalise", "rewards of single samples", "rewards with exact gradients"}
        logistic = self.divergence in ("js", "gan")
        return frozenset(words | ({"a logistic critic loss"} if logistic else set()))


Width = Annotated[float, Field(gt=0)]


class MmdConfig(ObjectiveConfig):
    """The generator matches the distribution of the critic's features (TextGAN)."""

    needs: ClassVar[Needs] = (Need("critic", "features"),)
    gives: ClassVar[Words] = frozenset({"a score to penalise", "rewards with exact gradients"})
    least_batch: ClassVar[int] = 2

    name: Literal["mmd"] = "mmd"
    weight: Annotated[float, Field(gt=0)] = 0.1
    """Weight of the discrepancy in the critic's loss, beside the GAN loss of its scores."""
    widths: Annotated[list[Width], Field(min_length=1)] = [1.0, 2.0, 4.0, 8.0, 16.0]
    """Standard deviations of the Gaussian kernels that are summed, in units of the features."""

    def build(self) -> "Objective":
        from seqgan.objectives.mmd import Mmd

        return Mmd(self.weight, self.widths)


class TransportConfig(ObjectiveConfig):
    """The optimal-transport distance between the critic's features, by cosine (FM-GAN)."""

    needs: ClassVar[Needs] = (Need("critic", "features"),)
    least_batch: ClassVar[int] = 2

    name: Literal["transport"] = "transport"
    proximal: Annotated[float, Field(gt=0)] = 0.5
    """How far one iteration may move the plan; less is further. Costs are between 0 and 2."""
    iterations: Repeats = 20
    """Steps towards the optimal plan; the distance is exact as proximal / iterations goes to 0."""

    def build(self) -> "Objective":
        from seqgan.objectives.transport import Transport

        return Transport(self.proximal, self.iterations)


class RankConfig(ObjectiveConfig):
    """Samples are ranked by their similarity to real references (RankGAN)."""

    needs: ClassVar[Needs] = (Need("critic", "features"),)
    gives: ClassVar[Words] = frozenset(
        {"rewards of single samples", "rewards with exact gradients"}
    )

    name: Literal["rank"] = "rank"
    gamma: Annotated[float, Field(gt=0)] = 10.0
    """Factor of the cosine in the softmax; more is a sharper ranking."""
    references: Annotated[int, Field(gt=0)] = 16
    """Real samples of the batch that the others, and the generated ones, are compared with."""

    def build(self) -> "Objective":
        from seqgan.objectives.rank import Rank

        return Rank(self.gamma, self.references)

    @property
    def least_batch(self) -> int:
        return self.references + 1


class ClassesConfig(ObjectiveConfig):
    """The critic classifies samples as one of the categories or as generated; the generator's
    penalty is the probability of every class but the sample's own category (SentiGAN)."""

    needs: ClassVar[Needs] = (Need("critic", "scores of categories"),)
    gives: ClassVar[Words] = frozenset({"a loss of categories", "rewards with exact gradients"})
    least_batch: ClassVar[int] = 2

    name: Literal["classes"] = "classes"

    def build(self) -> "Objective":
        from seqgan.objectives.classes import Classes

        return Classes()


class AuxiliaryConfig(ObjectiveConfig):
    """A GAN loss, and beside it the log-likelihood of labels that the critic reads off samples
    (AC-GAN, InfoGAN)."""

    needs: ClassVar[Needs] = (
        Need("critic", "labels read off samples"),
        Need("game", "no mismatched pairs", otherwise="set game.mismatched to 0"),
    )

    name: Literal["auxiliary"] = "auxiliary"
    divergence: DivergenceName = "non_saturating"
    """The GAN loss of the scores."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the labels' log-likelihood, in nats, in both players' losses."""
    labels_of: LabelsOf = "both"
    """Samples whose labels the critic learns to read. both: AC-GAN as published; real: players
    cannot agree on marks that no real sample has; generated: for codes that are drawn (game info).
    The generator is rewarded in any case."""

    @property
    def gives(self) -> Words:
        words = {"a score to penalise", "rewards of single samples", "rewards with exact gradients"}
        drawn = {"a loss of drawn codes"} if self.labels_of == "generated" else set()
        return frozenset(words | drawn)

    def build(self) -> "Objective":
        from seqgan.objectives.auxiliary import Auxiliary

        return Auxiliary(self.divergence, self.weight, self.labels_of)


class MarginConfig(ObjectiveConfig):
    """The critic's score is minus an energy: low for real samples, and for generated ones pushed up
    as far as a margin (EBGAN)."""

    needs: ClassVar[Needs] = (Need("critic", "energies"),)
    gives: ClassVar[Words] = frozenset(
        {"a score to penalise", "rewards of single samples", "rewards with exact gradients"}
    )

    name: Literal["margin"] = "margin"
    margin: Annotated[float, Field(gt=0)] = 0.2
    """Energy beyond which generated samples are left alone, in the critic's units: of an
    autoencoder the mean squared error per pixel."""

    def build(self) -> "Objective":
        from seqgan.objectives.margin import Margin

        return Margin(self.margin)


AnyObjectiveConfig = Annotated[
    DivergenceConfig
    | FGanConfig
    | MmdConfig
    | TransportConfig
    | RankConfig
    | ClassesConfig
    | AuxiliaryConfig
    | MarginConfig,
    ByName(),
]


class PenaltyConfig(PenaltyPart):
    """Base of the configurations of penalties."""

    @abstractmethod
    def build(self) -> "Penalty":
        """The term of the critic's loss, or the constraint on its weights."""


class WeightClipConfig(PenaltyConfig):
    """Clamp every critic parameter after each of its updates (WGAN)."""

    name: Literal["weight_clip"] = "weight_clip"
    limit: Annotated[float, Field(gt=0)] = 0.01
    """Largest absolute value that a parameter may have."""

    def build(self) -> "Penalty":
        from seqgan.objectives.penalties import WeightClip

        return WeightClip(self.limit)


PenaltyWeight = Schedule[Annotated[float, Field(gt=0)]]


class _GradientTermConfig(PenaltyConfig):
    """Base of penalties of the critic's gradient in its input."""

    needs: ClassVar[Needs] = (
        Need("objective", "a score to penalise", otherwise="use spectral_norm or weight_clip"),
    )

    weight: PenaltyWeight = constant(1.0)
    """Factor of the penalty in the critic's loss, by update of the critic; `r1` and `r2` halve it.
    (γ of the papers.)"""
    every: Repeats = 1
    """Updates of the critic from one that is penalised to the next; the penalty is so many times as
    large there. More is cheaper."""


class GradientPenaltyConfig(_GradientTermConfig):
    """weight · E(‖∇D(x̂)‖ − target)² on points between real and generated (WGAN-GP)."""

    name: Literal["gradient_penalty"] = "gradient_penalty"
    weight: PenaltyWeight = constant(10.0)
    """Factor of the penalty in the critic's loss, by update of the critic."""
    target: Annotated[float, Field(ge=0)] = 1.0
    """Norm of the gradient that is not penalised."""

    def build(self) -> "Penalty":
        from seqgan.objectives.penalties import GradientPenalty

        return GradientPenalty(self.weight, self.target, self.every)


class R1Config(_GradientTermConfig):
    """weight/2 · E‖∇D(x)‖² at real samples."""

    name: Literal["r1"] = "r1"

    def build(self) -> "Penalty":
        from seqgan.objectives.penalties import R1

        return R1(self.weight, self.every)


class R2Config(_GradientTermConfig):
    """weight/2 · E‖∇D(x)‖² at generated samples; R3GAN has `r1` and `r2`."""

    name: Literal["r2"] = "r2"

    def build(self) -> "Penalty":
        from seqgan.objectives.penalties import R2

        return R2(self.weight, self.every)


class SpectralNormConfig(PenaltyConfig):
    """Divide every weight matrix of the critic by its largest singular value."""

    needs: ClassVar[Needs] = (
        Need("critic", "new weights in plain layers", otherwise="use gradient_penalty or r1"),
    )

    name: Literal["spectral_norm"] = "spectral_norm"
    iterations: Repeats = 1
    """Power iterations in each forward pass in training mode (not in each update)."""

    def build(self) -> "Penalty":
        from seqgan.objectives.penalties import SpectralNorm

        return SpectralNorm(self.iterations)


AnyPenaltyConfig = Annotated[
    WeightClipConfig | GradientPenaltyConfig | R1Config | R2Config | SpectralNormConfig, ByName()
]
