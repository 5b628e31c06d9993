"""Configuration of the game of a likelihood generator that a critic corrects. No torch here."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.parts import (
    CorrectionSettings,
    DataPart,
    EstimatorPart,
    Modalities,
    Need,
    Needs,
    Words,
)
from seqgan.games.base_config import AnyGameConfig, Weight

if TYPE_CHECKING:
    from seqgan.core.types import Critic
    from seqgan.games.adversarial import AdversarialGame
    from seqgan.games.parts import GameParts
    from seqgan.games.residual import Distillation, Fold, ResidualGame
    from seqgan.training.player import Player


CRITIC_PHASES = ("critic", "critic_mle")
"""Phases that teach the critic."""


class ResidualGameConfig(AnyGameConfig):
    """A generator by likelihood, and a critic that learns its log density ratio to real text: a
    correction of the generator, with a certificate of what it is worth."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "prompted"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "critic_mle",
        "rollback",
        "copy_critic",
        "critic",
        "distill",
        "generator",
    )
    parts: ClassVar[Words] = frozenset({"critic", "objective"})
    family: ClassVar[str] = "adversarial"
    gives: ClassVar[Words] = frozenset({"a single objective"})

    name: Literal["residual"] = "residual"
    clip: Annotated[float, Field(gt=0, le=100)] = 10.0
    """Largest size of the log density ratio, in nats per sentence."""
    cross_fit: bool = False
    """Train two more generators, each on one half of the training set; the critic compares the half
    that one has not read with its samples. For generators that know the training set by heart."""
    shuffle_labels: bool = False
    """Exchange real and generated sentences of the critic's batches at random, or let a language
    model as critic read samples for real sentences: a control, in which it can learn nothing."""
    resample: Annotated[int, Field(gt=0, le=1_000)] = 16
    """Samples of the generator, of which phase `distill` keeps one by the critic."""
    reference_kl: Weight = 1.0
    """In phase `generator`: weight of KL(policy ‖ generator), in nats per sentence, which keeps the
    policy from collapsing; 0: none."""

    def parts_for(self, phases: Collection[str]) -> Words:
        return self.parts | ({"estimator"} if "generator" in phases else set())

    @property
    def correction(self) -> CorrectionSettings:
        return CorrectionSettings(self.clip, self.resample, has_rows=True)

    @property
    def needs(self) -> Needs:
        ratio = Need("objective", "a logistic critic loss")
        halves = Need("data", "a finite training set", "cross_fit=true", "set it to false")
        return (ratio, halves) if self.cross_fit else (ratio,)

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        taught = next((i for i, phase in enumerate(phases) if phase in CRITIC_PHASES), len(phases))
        for phase, use in (("distill", "it distils"), ("generator", "the policy learns from")):
            if phase in phases[:taught]:
                raise ValueError(
                    f"schedule visits '{phase}' before the critic learns, whose correction {use}; "
                    "put a stage with critic or critic_mle in front of it"
                )
        if "generator" in phases and estimator is not None:
            parts = {"scores of every step", "scores of every next token"}
            if any(need.of == "critic" and need.word in parts for need in estimator.needs):
                raise ValueError(
                    "the policy of game residual is rewarded for whole sentences, which "
                    f"estimator.name={estimator.name} with these fields cannot use; use credit "
                    "sequence or rollout"
                )
            if any(need.word == "goals" for need in estimator.needs):
                raise ValueError(
                    "the critic of game residual corrects a generator that stays as it is, and one "
                    f"with goals (estimator.name={estimator.name}) follows its critic; use another "
                    "generator and estimator"
                )
        if self.cross_fit and "critic_mle" in phases:
            raise ValueError(
                "game.cross_fit=true trains a classifier on samples of two further generators, and "
                "the schedule's phase 'critic_mle' a language model; set it to false"
            )
        if self.cross_fit and "mle" not in phases:
            raise ValueError(
                "game.cross_fit=true, but no stage of the schedule has phase 'mle', which teaches "
                "the two further generators; add it, or set cross_fit to false"
            )

    def build(self, parts: "GameParts") -> "ResidualGame":
        from seqgan.games.residual import FirstCalibration, ResidualGame, build_rollbacks

        space = parts.sequence_space
        critic = parts.build_critic_player(parts.build_critic(space))
        return ResidualGame(
            parts.generator,
            critic,
            parts.build_criterion(space, of_sentences=True),
            parts.stream,
            space,
            FirstCalibration(parts.held_out, space, self.clip),
            self._build_folds(parts) if self.cross_fit else (),
            self._build_distillation(parts) if "distill" in parts.visits else None,
            self.shuffle_labels,
            build_rollbacks(parts.generator, critic, parts.held_out)
            if "rollback" in parts.visits
            else (),
            self._build_policy(parts, critic) if "generator" in parts.visits else None,
        )

    def _build_policy(self, parts: "GameParts", critic: "Player[Critic]") -> "AdversarialGame":
        from dataclasses import replace

        from seqgan.games.adversarial import AdversarialGame

        space, config = parts.sequence_space, parts.players.policy or parts.players.generator
        return AdversarialGame(
            replace(parts.build_learner(space), player=parts.build_copy("policy", config)),
            critic,
            parts.build_criterion(space),
            parts.stream,
            parts.data.prompts,
            trust_region=parts.build_trust_region(self.reference_kl),
        )

    def _build_folds(self, parts: "GameParts") -> "list[Fold]":
        from seqgan.games.residual import build_folds

        config = parts.players.generator
        players = [parts.build_copy(name, config) for name in ("fold_1", "fold_2")]
        return build_folds(players, parts.train, parts.batch_size, parts.seed)

    def _build_distillation(self, parts: "GameParts") -> "Distillation":
        from seqgan.games.residual import Distillation

        config = parts.players.distilled or parts.players.generator
        player = parts.build_copy("distilled", config)
        return Distillation(player, self.resample)
