"""Configuration of the cycle game."""

from collections.abc import Collection, Sequence
from math import inf
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.parts import DataPart, EstimatorPart, Modalities, Need, Needs, Words
from seqgan.core.schedule import WeightSchedule, constant
from seqgan.data.noise_config import NoiseConfig, WordNoiseConfig
from seqgan.games.base_config import CRITIC_PARTS, Weight
from seqgan.games.translation_config import DirectionName, TranslationGameConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game
    from seqgan.training.player import Player


class CycleGameConfig(TranslationGameConfig):
    """Two generators that translate between two kinds of samples, and a critic for each kind."""

    plays: ClassVar[Modalities] = frozenset({"picture_pair", "text_pair"})
    phases: ClassVar[tuple[str, ...]] = (
        "critic",
        "generator",
        "denoise",
        "reconstruct",
        "language_model",
    )
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "cycle"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "cycle phase"

    name: Literal["cycle"] = "cycle"
    directions: Annotated[list[DirectionName], Field(min_length=1)] = ["a2b", "b2a"]
    """Directions whose translations a critic rewards; a direction that is left out only recovers
    the source of the other one."""
    adversarial_weight: Weight = 1.0
    """Weight of the critics' rewards; 0: the critics are not used."""
    cycle_weight: WeightSchedule = constant(10.0)
    """Weight of the distance between a sample and its translation there and back; 0: one-way."""
    identity_weight: WeightSchedule = constant(5.0)
    """Weight of the distance between a real sample and what the generator into its domain makes of
    it, or of sequences, of its noisy version (`noise`)."""
    noise: NoiseConfig | None = None
    """Noise on a real sequence that the generator into its domain has to restore; null: none."""
    bijection_weight: Weight = 0.0
    """Weight of the penalty on target tokens that several source tokens are translated to;
    generator lexicon."""
    fluency_weight: Weight = 0.0
    """Weight of a translation's log-likelihood, in nats per token, under a language model of the
    target domain (LM prior). The models are trained in the phase `language_model`, which has to
    come first."""
    coverage_weight: Weight = 0.0
    """Weight of the attention on source tokens that were attended to before; generator pointer."""
    gradients_every: Annotated[int, Field(gt=0)] | None = None
    """Generator updates between measurements of each loss's gradient norm; null: never."""
    pool: Annotated[int, Field(ge=0)] = 50
    """Former translations kept for the critics; 0: critics read the newest only."""

    @property
    def gives(self) -> Words:
        return frozenset({"generated samples", "no mismatched pairs"})

    @property
    def needs(self) -> Needs:
        zero = "set it to 0"
        table = Need(
            "generator", "a table of tokens", f"bijection_weight={self.bijection_weight}", zero
        )
        attention = Need(
            "generator", "attention to the source", f"coverage_weight={self.coverage_weight}", zero
        )
        tokens = Need("data", "tokens", f"fluency_weight={self.fluency_weight}", zero)
        repair = Need("generator", "repaired sentences", "noise", "remove it")
        glosses = Need("data", "glosses", "noise.gloss=true", "set it to false")
        asked = (
            (self.bijection_weight, table),
            (self.coverage_weight, attention),
            (self.fluency_weight, tokens),
            (self.noise, repair),
            (self._glosses, glosses),
        )
        return tuple(need for wanted, need in asked if wanted)

    def trained_directions(self, phases: Collection[str]) -> list[str]:
        """Those that are played, and backward directions where sources are to be recovered."""
        recovers = self.cycle_weight.highest > 0 or "reconstruct" in phases
        return ["a2b", "b2a"] if recovers else sorted(self.directions)

    @property
    def sentence_noise(self) -> NoiseConfig | None:
        return self.noise

    @property
    def _glosses(self) -> bool:
        return isinstance(self.noise, WordNoiseConfig) and self.noise.gloss

    @model_validator(mode="after")
    def _each_direction_once(self) -> Self:
        if len(set(self.directions)) < len(self.directions):
            raise ValueError(f"directions={self.directions}: name each direction once")
        return self

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        if bool(self.fluency_weight) != ("language_model" in phases):
            raise ValueError(
                f"game.fluency_weight={self.fluency_weight} and the schedule's phase "
                "'language_model' go together; set both, or neither"
            )
        if "language_model" in phases and "generator" in phases[: phases.index("language_model")]:
            raise ValueError(
                "schedule has 'generator' before 'language_model', whose model would have learned "
                "nothing; put language_model first"
            )
        if "generator" in phases and not self._teaches(estimator):
            raise ValueError(
                "schedule has 'generator', but no weight of game teaches the generators anything, "
                "at the start or when ramps have ended; raise game.adversarial_weight, "
                "cycle_weight or identity_weight above 0"
            )
        rewrites = (self.identity_weight.highest or "denoise" in phases) and not self._glosses
        if rewrites and "one vocabulary" not in data.gives:
            remedy = " or data.joint to true" if "joint" in type(data).model_fields else ""
            raise ValueError(
                f"game.identity_weight={self.identity_weight}, or the phase 'denoise': generators "
                "that read one vocabulary cannot write sentences of another again; set it to 0"
                f"{remedy}"
            )
        if "denoise" in phases and "tokens" in data.gives and self.noise is None:
            raise ValueError(
                "schedule has 'denoise', but game.noise is null: copying would be all there is to "
                "learn; set game.noise.name to words or mix"
            )

    def _teaches(self, estimator: EstimatorPart | None) -> bool:
        """Whether every update of phase `generator` has a loss; ramps are 0 at their ends only."""
        steady = self.bijection_weight or self.coverage_weight
        if estimator is not None and estimator.carries_rewards:
            steady = steady or self.fluency_weight or self.adversarial_weight
        changing = (self.cycle_weight, self.identity_weight)
        return bool(steady) or all(any(w.at(update) for w in changing) for update in (0, inf))

    def build(self, parts: "GameParts") -> "Game":
        from torch import nn

        from seqgan.games.cycle import CycleGame, Domain, Weights
        from seqgan.games.pool import Pool
        from seqgan.games.translation import distance_of

        spaces = {"a": parts.space_pair.a, "b": parts.space_pair.b}
        critics = nn.ModuleDict({name: parts.build_critic(spaces[name]) for name in spaces})
        distance = distance_of(parts.generator.module["a2b"])
        a, b = (
            Domain(
                name,
                stream,
                Pool(self.pool),
                parts.build_criterion(spaces[name]),
                parts.build_estimator(spaces[name]),
                distance,
                noise,
            )
            for name, stream, noise in zip(
                spaces, parts.data.streams, parts.data.noises, strict=True
            )
        )
        return CycleGame(
            parts.generator,
            parts.build_critic_player(critics),
            (a, b),
            Weights(
                self.cycle_weight,
                self.identity_weight,
                self.adversarial_weight,
                self.bijection_weight,
                self.fluency_weight,
                self.coverage_weight,
            ),
            self.directions,
            self._build_language_models(parts) if self.fluency_weight else None,
            self.gradients_every,
        )

    def _build_language_models(self, parts: "GameParts") -> "Player[nn.ModuleDict]":
        from torch import nn

        from seqgan.models.config import RnnGeneratorConfig
        from seqgan.training.player import Player

        # Small, since the texts are.
        config = RnnGeneratorConfig(name="gru", embed=64, hidden=128)
        a, b = parts.space_pair.a, parts.space_pair.b
        models = nn.ModuleDict({"a": config.build(a), "b": config.build(b)})
        return Player("language_model", models.to(parts.device), parts.players.language_model)
