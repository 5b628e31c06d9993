"""Configuration of policy gradients: advantages times gradients of log-probabilities."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats
from seqgan.estimators.base_config import CriticEstimatorConfig
from seqgan.estimators.baselines_config import (
    AnyBaselineConfig,
    LeaveOneOutConfig,
    MovingAverageConfig,
    NoBaselineConfig,
)
from seqgan.estimators.credits_config import (
    AnyCreditConfig,
    RolloutCreditConfig,
    SequenceCreditConfig,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.base import Estimator


ClipRange = Annotated[float, Field(gt=0, lt=1)]


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
    whiten: bool = False
    """Divide advantages by their standard deviation over the batch (biased: couples the batch)."""
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


class ScoreFunctionConfig(PolicyGradientConfig):
    """REINFORCE and its relatives: reward times the gradient of the log-probability."""

    name: Literal["score_function"] = "score_function"

    def build_estimator(
        self, space: "SequenceSpace", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.estimators.score_function import ScoreFunction

        return ScoreFunction(space, **self.build_options(network))


class PpoConfig(PolicyGradientConfig):
    """The same advantages used for several updates, with clipped likelihood ratios."""

    name: Literal["ppo"] = "ppo"
    clip: ClipRange = 0.2
    """How far a token's likelihood ratio may leave 1 before it stops to count."""
    epochs: Repeats = 2
    """Generator updates from one batch of samples."""

    def build_estimator(
        self, space: "SequenceSpace", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.estimators.ppo import Ppo

        return Ppo(space, **self.build_options(network), clip=self.clip, epochs=self.epochs)


class GrpoConfig(CriticEstimatorConfig):
    """Rewards compared within the group of samples for one condition, clipped ratios."""

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

    def build_estimator(
        self, space: "SequenceSpace", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.estimators.grpo import Grpo

        return Grpo(
            space,
            samples=self.samples,
            normalised=self.normalised,
            clip=self.clip,
            epochs=self.epochs,
        )


class LeakGanConfig(CriticEstimatorConfig):
    """The critic's reward trains the manager, which sets goals; the worker is rewarded for
    reaching them (LeakGAN); for generator leakgan."""

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
    """How sharply the rescaled reward tells high ranks from low ones."""

    def build_estimator(
        self, space: "SequenceSpace", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.estimators.leakgan import LeakGan

        return LeakGan(space, self.credit.build(), self.baseline.build(), self.delta)
