"""Configuration of games: who plays, and for what besides the objective."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.schedule import ShareSchedule, WeightSchedule, constant
from seqgan.data.noise_config import NoiseConfig
from seqgan.objectives.config import DivergenceName

Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class AnyGameConfig(Config):
    """What a run has to know of every game."""

    adversarial_phases: ClassVar[frozenset[str]] = frozenset()
    """Phases in which the generator learns from something else than real samples."""
    adversarial_name: ClassVar[str] = "adversarial phase"
    """What people call training from the first of them on."""


class MleGameConfig(AnyGameConfig):
    """A sequence generator alone, by likelihood."""

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


class AdversarialGameConfig(AnyGameConfig):
    """A generator against a critic."""

    adversarial_phases = frozenset({"generator", "evolve"})

    name: Literal["adversarial"] = "adversarial"
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update."""
    demonstrations: DemonstrationsConfig | None = None
    """Real sentences among the samples; null: none. Estimators score_function and ppo."""
    evolution: EvolutionConfig | None = None
    """What the phase `evolve` does; null: there is no such phase."""


class ConditionalGameConfig(AnyGameConfig):
    """A generator that is told labels or a prompt, against a critic that sees them too."""

    adversarial_phases = frozenset({"generator", "evolve"})

    name: Literal["conditional"] = "conditional"
    mismatched: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of (real sample, wrong label or prompt) in the critic's loss on fakes; the rest is
    generated. 0: such pairs are not shown."""
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update; for
    sequences."""
    evolution: EvolutionConfig | None = None
    """What the phase `evolve` does; null: there is no such phase."""


class AutoencodeGameConfig(AnyGameConfig):
    """A generator alone, as the decoder of an autoencoder: the reference without a critic."""

    name: Literal["autoencode"] = "autoencode"
    variational: bool = True
    """Encode to a Gaussian and pull it towards N(0, I) (VAE); false: plain codes."""
    decoder_std: Annotated[float, Field(gt=0)] = 0.1
    """Standard deviation of the Gaussian around the decoder's output, in units of the data."""
    code_noise: Weight = 0.0
    """Standard deviation of noise on the codes while training; with `variational` leave it 0."""


class CycleGameConfig(AnyGameConfig):
    """Two generators that translate between two kinds of samples, and a critic for each kind."""

    adversarial_phases = frozenset({"generator"})
    adversarial_name = "cycle phase"

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


class PairedGameConfig(AnyGameConfig):
    """Translators alone, by likelihood of true pairs (`data.aligned`): the supervised ceiling."""

    name: Literal["paired"] = "paired"
    directions: Annotated[list[Literal["a2b", "b2a"]], Field(min_length=1)] = ["a2b", "b2a"]
    """Ways that are taught."""


class InfillGameConfig(AnyGameConfig):
    """A generator that fills blanks in real sentences, against a critic that sees them too."""

    adversarial_phases = frozenset({"generator"})

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


class RewardGameConfig(AnyGameConfig):
    """A generator that raises a fixed reward; there is no critic."""

    adversarial_phases = frozenset({"generator"})
    adversarial_name = "reward phase"

    name: Literal["reward"] = "reward"
    scorer: Literal["bleu", "oracle"]
    """bleu: of each sentence against training sentences. oracle: log-density under the oracle that
    the data come from, in nats; tells what the estimator can do with the truth."""
    order: Annotated[int, Field(gt=0, le=100)] = 4
    """Longest n-grams that bleu counts."""
    references: Annotated[int, Field(gt=0)] | None = None
    """Training sentences that bleu compares with, from the first on; null: all."""


class JsdganGameConfig(AnyGameConfig):
    """A generator that lowers its exact Jensen-Shannon divergence to a finite training set."""

    adversarial_phases = frozenset({"generator"})
    adversarial_name = "divergence phase"

    name: Literal["jsdgan"] = "jsdgan"


class DgsanGameConfig(AnyGameConfig):
    """A generator against its own former self: their density ratio is the critic."""

    adversarial_phases = frozenset({"generator"})

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
