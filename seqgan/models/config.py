"""Configuration of generators and critics."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seqgan.core.config import Config

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class RnnGeneratorConfig(Config):
    """One or more recurrent layers over an embedding, a linear read-out."""

    name: Literal["lstm", "gru"]
    embed: Positive = 32
    """Width of the symbol embedding."""
    hidden: Positive = 32
    """Width of the recurrent state."""
    layers: Positive = 1
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    init_std: Annotated[float, Field(gt=0)] | None = None
    """Draw all parameters from N(0, init_std²), as SeqGAN does with 0.1; null: torch's default."""


class TransformerGeneratorConfig(Config):
    """A pre-norm decoder-only transformer with a key-value cache."""

    name: Literal["transformer"]
    width: Positive = 64
    layers: Positive = 2
    heads: Positive = 4
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerGeneratorConfig":
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


GeneratorConfig = Annotated[
    RnnGeneratorConfig | TransformerGeneratorConfig, Field(discriminator="name")
]


class MlpCriticConfig(Config):
    """Sees the whole sequence as one flat vector: for short sequences over small vocabularies."""

    name: Literal["mlp"]
    hidden: Positive = 128
    layers: Positive = 2
    """Hidden layers, each followed by a leaky ReLU."""


class CnnCriticConfig(Config):
    """The SeqGAN critic: convolutions of many widths, max over time, a highway layer."""

    name: Literal["cnn"]
    embed: Positive = 64
    widths: list[Positive] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20]
    """Window widths, in symbols; none may exceed the sequence length."""
    filters: list[Positive] = [100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160]
    """Filters of each width."""
    highways: Annotated[int, Field(ge=0)] = 1
    dropout: Fraction = 0.25
    """On the features before the read-out."""

    @model_validator(mode="after")
    def _one_filter_count_a_width(self) -> "CnnCriticConfig":
        if len(self.widths) != len(self.filters):
            raise ValueError(
                f"widths has {len(self.widths)} entries and filters {len(self.filters)}; "
                "give one filter count for each width"
            )
        return self


class RnnCriticConfig(Config):
    """A causal recurrent critic: one score a step, which has seen the symbols up to there."""

    name: Literal["rnn"]
    cell: Literal["lstm", "gru"] = "gru"
    embed: Positive = 64
    hidden: Positive = 64
    layers: Positive = 1
    dropout: Fraction = 0.0


class TransformerCriticConfig(Config):
    """A transformer encoder with a summary position; with `causal`, one score a step."""

    name: Literal["transformer"]
    width: Positive = 64
    layers: Positive = 2
    heads: Positive = 4
    dropout: Fraction = 0.0
    causal: bool = False

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerCriticConfig":
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class PairwiseCriticConfig(Config):
    """Compares every pair of positions by a learned bilinear form, then reads the table."""

    name: Literal["pairwise"]
    embed: Positive = 16
    channels: Positive = 4
    """Bilinear similarities learned side by side."""
    hidden: Positive = 128


CriticConfig = Annotated[
    MlpCriticConfig
    | CnnCriticConfig
    | RnnCriticConfig
    | TransformerCriticConfig
    | PairwiseCriticConfig,
    Field(discriminator="name"),
]
