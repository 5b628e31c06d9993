"""Configuration of policy gradients: advantages times gradients of log-probabilities."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats
from seqgan.core.parts import Need, Needs, Words, inner_needs
from seqgan.estimators.advantages_config import (
    AnyBaselineConfig,
    AnyCreditConfig,
    GaeCreditConfig,
    LearnedBaselineConfig,
    LeaveOneOutConfig,
    MovingAverageConfig,
    NoBaselineConfig,
    RolloutCreditConfig,
    SequenceCreditConfig,
    WindowCreditConfig,
)
from seqgan.estimators.base_config import CriticEstimatorConfig, check_others

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.base import Estimator


ClipRange = Annotated[float, Field(gt=0, lt=1)]


def _samples_need(samples: int) -> Needs:
    """Several samples for each prompt need prompts."""
    return (Need("data", "prompts", f"samples={samples}", "set it to 1"),) if samples > 1 else ()


class PolicyGradientConfig(CriticEstimatorConfig):
    """Base of the estimators with a credit and a baseline."""

    samples: Repeats = 1
    """Sequences written for each condition of the batch; above 1 the leave-one-out baseline is
    the mean of the other sequences for the same condition."""
    credit: AnyCreditConfig = SequenceCreditConfig()
    """How the value of a sequence is spread over its tokens."""
    baseline: AnyBaselineConfig = LeaveOneOutConfig()
    """What is subtracted from a return to lower the variance of the gradient."""
    term_baseline: AnyBaselineConfig | None = None
    """The same for each reward of whole sentences beside the critic's; null: as `baseline`."""
    whiten: bool | Literal["each"] = False
    """Divide advantages by their standard deviation over the batch (biased: couples the batch);
    each: those of each reward by their own, before the sum (GDPO)."""
    entropy_bonus: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the mean entropy of each step's distribution, in nats."""

    def build(
        self, space: "Space", device: "torch.device", network: "nn.Module | None" = None
    ) -> "Estimator":
        # A null arm replaces the returns, by the credit of `build_options`.
        return self.build_estimator(cast("SequenceSpace", space), network)

    def build_network(self, space: "Space") -> "nn.Module | None":
        return self.baseline.build_network(space)

    def build_options(self, network: "nn.Module | None") -> dict[str, Any]:
        """The arguments that `ScoreFunction` and `Ppo` share."""
        from seqgan.estimators.null_arm import NullCredit

        credit = self.credit.build()
        return {
            "credit": credit if self.reward == "critic" else NullCredit(credit, self.reward),
            "baseline": self.baseline.build(network),
            "term_baseline": self.term_baseline.build() if self.term_baseline else None,
            "samples": self.samples,
            "whiten": self.whiten,
            "entropy_bonus": self.entropy_bonus,
        }

    @property
    def gives(self) -> Words:
        alone = self.samples == 1 and self.baseline.name != "self_critical"
        return frozenset({"rewards of real sentences"} if alone else ())

    @property
    def needs(self) -> Needs:
        return (
            *_samples_need(self.samples),
            *inner_needs("credit", self.credit),
            *inner_needs("baseline", self.baseline),
            *inner_needs("term_baseline", self.term_baseline),
        )

    @property
    def window(self) -> int | None:
        return self.credit.reach if isinstance(self.credit, WindowCreditConfig) else None

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        compared = (self.baseline, self.term_baseline)
        leave_one_out = any(isinstance(part, LeaveOneOutConfig) for part in compared)
        if self.samples == 1 and batch_size < 2 and (leave_one_out or self.whiten):
            raise ValueError(
                "train.batch_size=1 leaves no other sequence for the leave-one-out baseline or "
                "whitening; use at least 2"
            )

    @model_validator(mode="after")
    def _values_are_learned_where_they_are_needed(self) -> Self:
        learned = isinstance(self.baseline, LearnedBaselineConfig)
        if isinstance(self.credit, GaeCreditConfig) and not learned:
            raise ValueError("credit.name=gae needs a learned value; set baseline.name=learned")
        if isinstance(self.term_baseline, LearnedBaselineConfig):
            raise ValueError(
                "term_baseline.name=learned: only the critic's reward has a learned baseline; use "
                "leave_one_out or self_critical"
            )
        return self


class ScoreFunctionConfig(PolicyGradientConfig):
    """REINFORCE and its relatives: reward times the gradient of the log-probability."""

    games: ClassVar[Words] = frozenset({"adversarial", "infill", "reward", "cycle", "paired"})

    name: Literal["score_function"] = "score_function"

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.score_function import ScoreFunction

        return ScoreFunction(space, **self.build_options(network))


class PpoConfig(PolicyGradientConfig):
    """The same advantages used for several updates, with clipped likelihood ratios."""

    games: ClassVar[Words] = frozenset({"adversarial", "infill", "reward"})

    name: Literal["ppo"] = "ppo"
    clip: ClipRange = 0.2
    """How far a token's likelihood ratio may leave 1 before it stops to count."""
    epochs: Repeats = 2
    """Generator updates from one batch of samples."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.ppo import Ppo

        return Ppo(space, **self.build_options(network), clip=self.clip, epochs=self.epochs)


class GrpoConfig(CriticEstimatorConfig):
    """Rewards compared within the group of samples for one condition, clipped ratios."""

    games: ClassVar[Words] = frozenset({"adversarial", "infill", "reward"})

    name: Literal["grpo"] = "grpo"
    samples: Repeats = 1
    """Sequences written for each condition, a group; 1: the batch is one group."""
    normalised: bool = True
    """Divide by the group's standard deviation, and by each sentence's length (GRPO); false: by
    neither (Dr. GRPO)."""
    clip: ClipRange = 0.2
    """How far a token's likelihood ratio may leave 1 before it stops to count."""
    epochs: Repeats = 1
    """Generator updates from one batch of samples."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.grpo import Grpo

        return Grpo(space, self.samples, self.normalised, self.clip, self.epochs)

    @property
    def needs(self) -> Needs:
        return _samples_need(self.samples)

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        if self.samples == 1:
            check_others(self.name, batch_size)


class LeakGanConfig(CriticEstimatorConfig):
    """The critic's reward trains the manager, which sets goals; the worker is rewarded for
    reaching them (LeakGAN); for generator leakgan."""

    needs: ClassVar[Needs] = (Need("generator", "goals"),)
    gives: ClassVar[Words] = frozenset({"rewards of goals"})

    name: Literal["leakgan"] = "leakgan"
    credit: Annotated[SequenceCreditConfig | RolloutCreditConfig, ByName()] = RolloutCreditConfig(
        continuations=4
    )
    """How the value of a sequence is spread over its tokens."""
    baseline: Annotated[NoBaselineConfig | MovingAverageConfig | LeaveOneOutConfig, ByName()] = (
        LeaveOneOutConfig()
    )
    """What is subtracted from the worker's reward to lower the variance of its gradient."""
    delta: Annotated[float, Field(gt=0)] = 12.0
    """How steeply the rescaled reward rises from low ranks to high ones."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.leakgan import LeakGan

        return LeakGan(space, self.credit.build(), self.baseline.build(), self.delta)

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        check_others(self.name, batch_size)
