"""Configuration of credit and baselines: what makes an advantage of a reward."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats
from seqgan.core.parts import Need, Needs, Part

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.baselines import Baseline
    from seqgan.estimators.credit import Credit

Discount = Annotated[float, Field(gt=0, le=1)]
Width = Annotated[int, Field(gt=0)]


class CreditConfig(Part):
    """Base of the configurations of credit."""

    @abstractmethod
    def build(self) -> "Credit":
        """The credit."""


class SequenceCreditConfig(CreditConfig):
    """Every token is credited with the value of the whole sequence."""

    name: Literal["sequence"] = "sequence"

    def build(self) -> "Credit":
        from seqgan.estimators.credit import SequenceCredit

        return SequenceCredit()


class PerStepCreditConfig(CreditConfig):
    """Discounted sum of a causal critic's values from this step on."""

    needs: ClassVar[Needs] = (
        Need("critic", "scores of every step", otherwise="use credit sequence or rollout"),
    )

    name: Literal["per_step"] = "per_step"
    discount: Discount = 1.0
    """Factor by which a value counts less for each step it lies ahead; below 1 is biased."""

    def build(self) -> "Credit":
        from seqgan.estimators.credit import PerStepCredit

        return PerStepCredit(self.discount)


class RolloutCreditConfig(CreditConfig):
    """Mean value of Monte-Carlo continuations from each prefix (SeqGAN)."""

    name: Literal["rollout"] = "rollout"
    continuations: Repeats = 16
    """Continuations drawn for each prefix."""

    def build(self) -> "Credit":
        from seqgan.estimators.rollout import Rollout

        return Rollout(self.continuations)


class WindowCreditConfig(CreditConfig):
    """Sum of the values within a few columns: for tokens that do not depend on each other."""

    needs: ClassVar[Needs] = (
        Need("critic", "scores of windows", otherwise="use credit sequence or rollout"),
    )

    name: Literal["window"] = "window"
    reach: Annotated[int, Field(ge=0)] = 2
    """Columns to either side whose values a token is credited with; as far as the critic reads."""

    def build(self) -> "Credit":
        from seqgan.estimators.credit import WindowCredit

        return WindowCredit(self.reach)


class GaeCreditConfig(CreditConfig):
    """Actor-critic: a learned value replaces what is left of the return; needs baseline learned."""

    name: Literal["gae"] = "gae"
    discount: Discount = 1.0
    """Factor by which a value counts less for each step it lies ahead; below 1 is biased."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """λ: 1 takes the whole return, 0 the next reward and the learned value after it. Below 1 is
    biased as long as that value is not exact."""

    def build(self) -> "Credit":
        from seqgan.estimators.credit import GaeCredit

        return GaeCredit(self.discount, self.gae_lambda)


AnyCreditConfig = Annotated[
    SequenceCreditConfig
    | PerStepCreditConfig
    | RolloutCreditConfig
    | WindowCreditConfig
    | GaeCreditConfig,
    ByName(),
]


class BaselineConfig(Part):
    """Base of the configurations of baselines."""

    @abstractmethod
    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        """The baseline; `network` is what `build_network` returned."""

    def build_network(self, space: "Space") -> "nn.Module | None":
        """The network that the player `baseline` trains; None: none."""
        return None


class NoBaselineConfig(BaselineConfig):
    """The bare return."""

    name: Literal["none"] = "none"

    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        from seqgan.estimators.baselines import NoBaseline

        return NoBaseline()


class MovingAverageConfig(BaselineConfig):
    """Exponentially weighted mean of past returns, one per step."""

    name: Literal["moving_average"] = "moving_average"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Weight of the old mean when a new batch comes in."""

    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        from seqgan.estimators.baselines import MovingAverage

        return MovingAverage(self.decay)


class LeaveOneOutConfig(BaselineConfig):
    """Mean return of the other sequences of the batch, one per step."""

    name: Literal["leave_one_out"] = "leave_one_out"

    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        from seqgan.estimators.baselines import LeaveOneOut

        return LeaveOneOut()


class SelfCriticalConfig(BaselineConfig):
    """Return of the greedy sequence, where there are conditions for the same one."""

    needs: ClassVar[Needs] = (
        Need("objective", "rewards of single samples", otherwise="use leave_one_out"),
    )

    name: Literal["self_critical"] = "self_critical"

    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        from seqgan.estimators.baselines import SelfCritical

        return SelfCritical()


class LearnedBaselineConfig(BaselineConfig):
    """A recurrent network that predicts the return from the prefix; trained by its own player."""

    needs: ClassVar[Needs] = (
        Need("game", "a single objective", otherwise="use leave_one_out or self_critical"),
    )

    name: Literal["learned"] = "learned"
    embed: Width = 32
    """Width of the token embedding."""
    hidden: Width = 32
    """Width of the recurrent state."""

    def build(self, network: "nn.Module | None" = None) -> "Baseline":
        from seqgan.estimators.baselines import LearnedBaseline

        if network is None:
            raise ValueError("baseline learned needs the network that its player trains")
        return LearnedBaseline(network)

    def build_network(self, space: "Space") -> "nn.Module":
        from seqgan.models.value import PrefixValue

        return PrefixValue(cast("SequenceSpace", space), self.embed, self.hidden)


AnyBaselineConfig = Annotated[
    NoBaselineConfig
    | MovingAverageConfig
    | LeaveOneOutConfig
    | SelfCriticalConfig
    | LearnedBaselineConfig,
    ByName(),
]
