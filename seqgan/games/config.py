"""Configuration of games: who plays, and for what besides the objective."""

from collections.abc import Collection, Sequence
from math import inf
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.parts import DataPart, EstimatorPart, GamePart, Modalities, Need, Needs, Words
from seqgan.core.schedule import ShareSchedule, WeightSchedule, constant
from seqgan.data.noise_config import NoiseConfig, WordNoiseConfig
from seqgan.objectives.config import DivergenceName

Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


CRITIC_PARTS: Words = frozenset({"critic", "objective", "estimator"})
"""The parts of a game with a critic."""


def _likelihood_need(weight: float) -> Needs:
    """A likelihood in the loss needs tokens, which have one."""
    return (Need("data", "tokens", f"mle_weight={weight}", "set it to 0"),) if weight else ()


def _check_evolution(evolution: "EvolutionConfig | None", phases: Sequence[str]) -> None:
    if (evolution is not None) != ("evolve" in phases):
        raise ValueError(
            "game.evolution and the schedule's phase 'evolve' go together; set both, or neither"
        )


class MleGameConfig(GamePart):
    """A sequence generator alone, by likelihood."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "prompted"})
    phases: ClassVar[tuple[str, ...]] = ("mle",)

    name: Literal["mle"] = "mle"
    scheduled_sampling: ShareSchedule | None = None
    """Probability with which the generator reads its own token instead of the real one, by
    generator update (a baseline, not a likelihood). Null: real tokens only."""


class DemonstrationsConfig(Config):
    """Real sentences among the generator's samples, with a reward that no critic decides."""

    share: ShareSchedule
    """Share of real sentences in a batch, by visit of the phase `generator`."""
    reward: float = 2.0
    """The reward of each of them."""


class EvolutionConfig(Config):
    """Children of one generator, each by another objective, of which one survives."""

    mutations: Annotated[list[DivergenceName], Field(min_length=2)] = [
        "minimax",
        "non_saturating",
        "lsgan",
    ]
    """Objectives of which each child raises one; the critic keeps its own."""
    diversity: Weight = 0.001
    """Weight of the diversity in the fitness that decides which child survives."""


class AdversarialGameConfig(GamePart):
    """A generator against a critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "points", "pictures"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "copy_critic",
        "critic",
        "generator",
        "evolve",
    )
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "adversarial"
    adversarial_phases: ClassVar[Words] = frozenset({"generator", "evolve"})

    name: Literal["adversarial"] = "adversarial"
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update."""
    demonstrations: DemonstrationsConfig | None = None
    """Real sentences among the samples; null: none. Estimators score_function and ppo."""
    evolution: EvolutionConfig | None = None
    """What the phase `evolve` does; null: there is no such phase."""

    @property
    def gives(self) -> Words:
        words = {"generated samples", "no mismatched pairs"}
        return frozenset(words if self.evolution else words | {"a single objective"})

    @property
    def needs(self) -> Needs:
        real = Need(
            "estimator",
            "rewards of real sentences",
            "demonstrations",
            "set estimator.samples to 1 and its baseline to leave_one_out, or leave it out",
        )
        likelihood = _likelihood_need(self.mle_weight)
        return (*likelihood, real) if self.demonstrations else likelihood

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        _check_evolution(self.evolution, phases)


class ConditionalGameConfig(GamePart):
    """A generator that is told labels or a prompt, against a critic that sees them too."""

    plays: ClassVar[Modalities] = frozenset({"prompted", "pictures"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "copy_critic",
        "critic",
        "generator",
        "evolve",
    )
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "adversarial"
    adversarial_phases: ClassVar[Words] = frozenset({"generator", "evolve"})

    name: Literal["conditional"] = "conditional"
    mismatched: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of (real sample, wrong label or prompt) in the critic's loss on fakes; the rest is
    generated. 0: such pairs are not shown."""
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update; for
    sequences."""
    evolution: EvolutionConfig | None = None
    """What the phase `evolve` does; null: there is no such phase."""

    @property
    def gives(self) -> Words:
        words = {"generated samples"} | (set() if self.mismatched else {"no mismatched pairs"})
        return frozenset(words if self.evolution else words | {"a single objective"})

    @property
    def needs(self) -> Needs:
        return _likelihood_need(self.mle_weight)

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        _check_evolution(self.evolution, phases)


class AutoencodeGameConfig(GamePart):
    """A generator alone, as the decoder of an autoencoder: the reference without a critic."""

    plays: ClassVar[Modalities] = frozenset({"points", "pictures"})
    phases: ClassVar[tuple[str, ...]] = ("reconstruct",)
    parts: ClassVar[Words] = frozenset({"encoder"})

    name: Literal["autoencode"] = "autoencode"
    variational: bool = True
    """Encode to a Gaussian and pull it towards N(0, I) (VAE); false: plain codes."""
    decoder_std: Annotated[float, Field(gt=0)] = 0.1
    """Standard deviation of the Gaussian around the decoder's output, in units of the data."""
    code_noise: Weight = 0.0
    """Standard deviation of noise on the codes while training; with `variational` leave it 0."""


class CycleGameConfig(GamePart):
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
    directions: Annotated[list[Literal["a2b", "b2a"]], Field(min_length=1)] = ["a2b", "b2a"]
    """Ways that are to deceive a critic; the other one then only recovers what they translated."""
    adversarial_weight: Weight = 1.0
    """Weight of the critics' rewards; 0: the generators do not listen to them."""
    cycle_weight: WeightSchedule = constant(10.0)
    """Weight of the distance between a sample and its translation there and back; 0: one-way."""
    identity_weight: WeightSchedule = constant(5.0)
    """Weight of the distance between a sample and what the generator into its kind makes of it;
    of sequences, makes of its noisy version (`noise`)."""
    noise: NoiseConfig | None = None
    """What is done to a sequence that the generator into its kind writes again; null: nothing."""
    bijection_weight: Weight = 0.0
    """Weight of the penalty on tokens that are written for several others; generator lexicon."""
    fluency_weight: Weight = 0.0
    """Weight of the nats per token that a language model of the kind needs for a translation (LM
    prior). The models are trained in the phase `language_model`, which then has to come first."""
    coverage_weight: Weight = 0.0
    """Weight of the attention that falls again where it has been; generator pointer."""
    gradients_every: Annotated[int, Field(gt=0)] | None = None
    """Generator updates between measurements of each loss's gradient norm; null: never."""
    pool: Annotated[int, Field(ge=0)] = 50
    """Former translations kept for the critics; 0: they see the newest only."""

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

    @property
    def played_directions(self) -> list[str]:
        return [*self.directions]

    def trained_directions(self, phases: Collection[str]) -> list[str]:
        """Those that are played, and backward directions where sources are to be recovered."""
        recovers = self.cycle_weight.highest > 0 or "reconstruct" in phases
        return ["a2b", "b2a"] if recovers else sorted(self.directions)

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


class PairedGameConfig(GamePart):
    """Translators alone, by likelihood of true pairs (`data.aligned`): the supervised ceiling."""

    plays: ClassVar[Modalities] = frozenset({"text_pair"})
    phases: ClassVar[tuple[str, ...]] = ("mle",)
    needs: ClassVar[Needs] = (Need("data", "training rows that are pairs"),)

    name: Literal["paired"] = "paired"
    directions: Annotated[list[Literal["a2b", "b2a"]], Field(min_length=1)] = ["a2b", "b2a"]
    """Ways that are taught."""

    @property
    def played_directions(self) -> list[str]:
        return [*self.directions]

    def trained_directions(self, phases: Collection[str]) -> list[str]:
        return sorted(set(self.directions))


class InfillGameConfig(GamePart):
    """A generator that fills blanks in real sentences, against a critic that sees them too."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "critic",
        "generator",
    )
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "infill"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    gives: ClassVar[Words] = frozenset(
        {"generated samples", "no mismatched pairs", "a single objective"}
    )

    name: Literal["infill"] = "infill"
    shares: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.25, 1.0]
    """Least and greatest share of a sentence's tokens that is blanked; 1: all, which is what the
    generator is evaluated on."""
    contiguous: bool = True
    """Blank one run of tokens; false: each token by itself."""
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss of the blanked tokens, added to every adversarial generator
    update."""

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        if self.shares[0] > self.shares[1]:
            raise ValueError(f"shares={self.shares}: the least share comes first")
        return self

    @property
    def needs(self) -> Needs:
        return _likelihood_need(self.mle_weight)


class RewardGameConfig(GamePart):
    """A generator that raises a fixed reward; there is no critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "generator",
    )
    parts: ClassVar[Words] = frozenset({"estimator"})
    family: ClassVar[str] = "reward"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "reward phase"
    gives: ClassVar[Words] = frozenset(
        {"generated samples", "a single objective", "rewards of single samples"}
    )

    name: Literal["reward"] = "reward"
    scorer: Literal["bleu", "oracle"]
    """bleu: of each sentence against training sentences. oracle: log-density under the oracle that
    the data come from, in nats; tells what the estimator can do with the truth."""
    order: Annotated[int, Field(gt=0, le=100)] = 4
    """Longest n-grams that bleu counts."""
    references: Annotated[int, Field(gt=0)] | None = None
    """Training sentences that bleu compares with, from the first on; null: all."""

    @property
    def needs(self) -> Needs:
        density = Need(
            "data", "a density that is positive everywhere", "scorer=oracle", "use scorer bleu"
        )
        return (density,) if self.scorer == "oracle" else ()


class JsdganGameConfig(GamePart):
    """A generator that lowers its exact Jensen-Shannon divergence to a finite training set."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "generator",
    )
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "divergence phase"
    needs: ClassVar[Needs] = (Need("data", "a finite training set"),)

    name: Literal["jsdgan"] = "jsdgan"


class DgsanGameConfig(GamePart):
    """A generator against its own former self: their density ratio is the critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = (
        "mle",
        "generator",
        "snapshot",
    )
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})

    name: Literal["dgsan"] = "dgsan"


CriticFreeGameConfig = MleGameConfig | RewardGameConfig | JsdganGameConfig | DgsanGameConfig
"""Games of a generator of sequences alone."""

GameConfig = Annotated[
    CriticFreeGameConfig
    | AdversarialGameConfig
    | InfillGameConfig
    | ConditionalGameConfig
    | AutoencodeGameConfig
    | CycleGameConfig
    | PairedGameConfig,
    ByName(),
]
