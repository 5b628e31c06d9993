"""Configuration of baselines: what is subtracted from a return."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.parts import Need, Needs, Part

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.baselines import Baseline


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
    embed: Annotated[int, Field(gt=0)] = 32
    """Width of the token embedding."""
    hidden: Annotated[int, Field(gt=0)] = 32
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
