"""Configuration of games: who plays, and for what besides the objective."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.data.noise_config import NoiseConfig

Weight = Annotated[float, Field(ge=0)]


class MleGameConfig(Config):
    """A sequence generator alone, by likelihood."""

    name: Literal["mle"]
    """Kind of game."""


class AdversarialGameConfig(Config):
    """A generator against a critic."""

    name: Literal["adversarial"]
    """Kind of game."""
    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update."""


class ConditionalGameConfig(Config):
    """A generator that is told the labels, against a critic that sees sample and labels."""

    name: Literal["conditional"]
    """Kind of game."""
    mismatched: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of (real sample, wrong label) in the critic's loss on fakes; the rest is generated.
    0: such pairs are not shown."""


class AutoencodeGameConfig(Config):
    """A generator alone, as the decoder of an autoencoder: the reference without a critic."""

    name: Literal["autoencode"]
    """Kind of game."""
    variational: bool = True
    """Encode to a Gaussian and pull it towards N(0, I) (VAE); false: plain codes."""
    decoder_std: Annotated[float, Field(gt=0)] = 0.1
    """Standard deviation of the Gaussian around the decoder's output, in units of the data."""
    code_noise: Weight = 0.0
    """Standard deviation of noise on the codes while training; with `variational` leave it 0."""


class RampConfig(Config):
    """A weight that changes from `start` to `end` in `steps` generator updates."""

    start: Weight
    """Weight at the first generator update."""
    end: Weight
    """Weight after `steps` generator updates."""
    steps: Annotated[int, Field(gt=0)]
    """Generator updates (of every phase) on the way."""


def weight_at(weight: float | RampConfig, updates: float) -> float:
    """The weight after so many generator updates."""
    if not isinstance(weight, RampConfig):
        return weight
    share = min(1.0, updates / weight.steps)
    return weight.start + share * (weight.end - weight.start)


class CycleGameConfig(Config):
    """Two generators that translate between two kinds of samples, and a critic for each kind."""

    name: Literal["cycle"]
    """Kind of game."""
    directions: Annotated[list[Literal["a2b", "b2a"]], Field(min_length=1)] = ["a2b", "b2a"]
    """Ways that are to deceive a critic; the other one then only recovers what they translated."""
    adversarial_weight: Weight = 1.0
    """Weight of the critics' rewards; 0: the generators do not listen to them."""
    cycle_weight: Weight | RampConfig = 10.0
    """Weight of the distance between a sample and its translation there and back; 0: one-way."""
    identity_weight: Weight | RampConfig = 5.0
    """Weight of the distance between a sample and what the generator into its kind makes of it;
    of sequences, makes of its noisy version (`noise`)."""
    noise: NoiseConfig | None = None
    """What is done to a sequence that the generator into its kind writes again; null: nothing."""
    bijection_weight: Weight = 0.0
    """Weight of the penalty on symbols that are written for several others; generator lexicon."""
    fluency_weight: Weight = 0.0
    """Weight of the nats a symbol that a language model of the kind needs for a translation (LM
    prior). The models are trained in the phase `language_model`, which then has to come first."""
    coverage_weight: Weight = 0.0
    """Weight of the attention that falls again where it has been; generator pointer."""
    gradients_every: Annotated[int, Field(gt=0)] | None = None
    """Generator updates between measurements of each loss's gradient norm; null: never."""
    pool: Annotated[int, Field(ge=0)] = 50
    """Former translations kept for the critics; 0: they see the newest only."""


class PairedGameConfig(Config):
    """Translators alone, by likelihood of true pairs (`data.aligned`): the supervised ceiling."""

    name: Literal["paired"]
    """Kind of game."""
    directions: Annotated[list[Literal["a2b", "b2a"]], Field(min_length=1)] = ["a2b", "b2a"]
    """Ways that are taught."""


GameConfig = Annotated[
    MleGameConfig
    | AdversarialGameConfig
    | ConditionalGameConfig
    | AutoencodeGameConfig
    | CycleGameConfig
    | PairedGameConfig,
    Field(discriminator="name"),
]
