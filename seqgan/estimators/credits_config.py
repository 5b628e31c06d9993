"""Configuration of credit: how the value of a sequence is spread over its tokens."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats
from seqgan.core.parts import Need, Needs, Part

if TYPE_CHECKING:
    from seqgan.estimators.credit import Credit


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
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
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
    """Columns to either side whose values a token is credited with; as far as the critic sees."""

    def build(self) -> "Credit":
        from seqgan.estimators.credit import WindowCredit

        return WindowCredit(self.reach)


class GaeCreditConfig(CreditConfig):
    """Actor-critic: a learned value replaces what is left of the return; needs baseline learned."""

    name: Literal["gae"] = "gae"
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor by which a value counts less for each step it lies ahead; below 1 is biased."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """λ: 1 takes the whole return, 0 the next reward and the learned value after it. Below 1 is
    biased as long as that value is not exact."""

    def build(self) -> "Credit":
        from seqgan.estimators.actor_critic import GaeCredit

        return GaeCredit(self.discount, self.gae_lambda)


AnyCreditConfig = Annotated[
    SequenceCreditConfig
    | PerStepCreditConfig
    | RolloutCreditConfig
    | WindowCreditConfig
    | GaeCreditConfig,
    ByName(),
]
