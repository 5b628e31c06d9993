"""Configuration of the game of translators that are taught by pairs."""

from collections.abc import Collection, Sequence
from math import inf
from typing import TYPE_CHECKING, ClassVar, Literal

from seqgan.core.parts import DataPart, EstimatorPart, Modalities, Need, Needs, Words
from seqgan.core.schedule import WeightSchedule, constant
from seqgan.games.base_config import CRITIC_PARTS, Weight
from seqgan.games.translation_config import TranslationGameConfig

if TYPE_CHECKING:
    from seqgan.core.types import Space, SpacePair
    from seqgan.games.paired import Adversary
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game


class PairedGameConfig(TranslationGameConfig):
    """Translators that learn from true pairs: by the distance to the true partner, which for text
    is the supervised ceiling of a cycle, from a critic that reads pairs (pix2pix), or both."""

    plays: ClassVar[Modalities] = frozenset({"picture_pair", "text_pair"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "critic", "generator")
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "paired"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    needs: ClassVar[Needs] = (Need("data", "training rows that are pairs"),)
    gives: ClassVar[Words] = frozenset(
        {"a likelihood of pairs", "generated samples", "no mismatched pairs"}
    )
    pairs_rows: ClassVar[bool] = True

    name: Literal["paired"] = "paired"
    distance_weight: WeightSchedule = constant(100.0)
    """In phase `generator`, weight of the distance to the true partner: of pictures the mean
    absolute difference, of text nats per token. 100 is for pictures; for text 1 is large."""
    adversarial_weight: Weight = 1.0
    """In phase `generator`, weight of the critic's reward."""
    critic_reads_source: bool = True
    """Whether the critic reads the source beside its translation; false: the translation alone."""

    def parts_for(self, phases: Collection[str]) -> Words:
        return self.parts if {"critic", "generator"} & set(phases) else frozenset()

    def trained_directions(self, phases: Collection[str]) -> list[str]:
        return sorted(set(self.directions))

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        weights = (self.distance_weight, constant(self.adversarial_weight))
        learns = all(any(weight.at(update) for weight in weights) for update in (0, inf))
        if "generator" in phases and not learns:
            raise ValueError(
                "schedule has 'generator', but no weight of game teaches the generators anything, "
                "at the start or when ramps have ended; raise game.adversarial_weight or "
                "distance_weight above 0"
            )
        reads_source = estimator is not None and self.critic_reads_source
        if reads_source and "one vocabulary" not in data.gives:
            remedy = " or data.joint to true" if "joint" in type(data).model_fields else ""
            raise ValueError(
                "game.critic_reads_source=true: a critic of one vocabulary cannot read sources of "
                f"another; set it to false{remedy}"
            )

    def critic_spaces(self, pair: "SpacePair") -> "dict[str, Space]":
        spaces = super().critic_spaces(pair)
        sides = {direction[-1]: direction[0] for direction in self.directions}
        if not self.critic_reads_source:
            return {side: spaces[side] for side in sorted(sides)}
        return {side: spaces[side].given(spaces[sides[side]]) for side in sorted(sides)}

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.paired import PairedGame
        from seqgan.games.translation import distance_of

        translators = parts.generator.module
        return PairedGame(
            parts.generator,
            parts.data.streams,
            {name: distance_of(translators[name]) for name in self.directions},
            self._build_adversary(parts) if parts.critic is not None else None,
        )

    def _build_adversary(self, parts: "GameParts") -> "Adversary":
        from torch import nn

        from seqgan.games.paired import Adversary

        pair = parts.space_pair
        spaces, sides = self.critic_spaces(pair), super().critic_spaces(pair)
        critics = nn.ModuleDict({side: parts.build_critic(s) for side, s in spaces.items()})
        return Adversary(
            parts.build_critic_player(critics),
            {side: parts.build_criterion(space) for side, space in spaces.items()},
            {side: parts.build_estimator(sides[side]) for side in spaces},
            self.distance_weight,
            self.adversarial_weight,
        )
