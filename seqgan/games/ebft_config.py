"""Configuration of energy-based fine-tuning. No torch here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.parts import DataPart, EstimatorPart, Modalities, Words
from seqgan.estimators.policy_gradient_config import PolicyGradientConfig
from seqgan.games.base_config import AnyGameConfig, Weight

if TYPE_CHECKING:
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game

Tokens = Annotated[int, Field(gt=0)]


class EbftGameConfig(AnyGameConfig):
    """A generator whose continuations of real prefixes match the true ones in features of a frozen
    copy of itself (EBFT); `estimator.samples` for each prefix, and no critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "generator")
    parts: ClassVar[Words] = frozenset({"estimator"})
    family: ClassVar[str] = "reward"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "feature matching"
    gives: ClassVar[Words] = frozenset({"generated samples", "a single objective", "prompts"})

    name: Literal["ebft"] = "ebft"
    context: Tokens = 4
    """Tokens of the shortest prefix."""
    stride: Tokens = 2
    """Tokens by which the next longer prefix is longer."""
    continuation: Tokens = 4
    """Tokens that are written behind a prefix, unless the sentence ends before."""
    diversity: Weight = 0.5
    """Weight of the similarity to the other continuations of the same prefix, which is taken from
    the similarity to the true one."""
    whiten: bool = True
    """Compare features of which real continuations have mean 0 and covariance 1."""
    mle_weight: Weight = 0.03
    """Weight of the likelihood loss on real sequences, added to every update of phase generator."""

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        samples = getattr(estimator, "samples", 1)
        if samples < 2:
            raise ValueError(
                "game.name=ebft compares several continuations of a prefix; use estimator "
                "score_function, ppo or grpo, and set estimator.samples to 2 or more"
            )
        if isinstance(estimator, PolicyGradientConfig) and estimator.credit.name == "rollout":
            raise ValueError(
                "estimator.credit.name=rollout continues samples that game.name=ebft compares "
                "with each other; use sequence"
            )

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.ebft import EbftGame, Prefixes, continuation_space

        prefixes = Prefixes(self.context, self.stride, self.continuation)
        return EbftGame(
            parts.build_learner(continuation_space(parts.sequence_space, prefixes)),
            parts.stream,
            parts.train,
            prefixes,
            self.diversity,
            self.whiten,
            self.mle_weight,
        )
