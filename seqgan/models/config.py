"""Configuration of generators and critics, and which of them fit which kind of samples."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.models.image.config import (
    DcganCriticConfig,
    DcganGeneratorConfig,
    MlpGeneratorConfig,
    PatchCriticConfig,
    ResnetCriticConfig,
    ResnetGeneratorConfig,
    TranslatorConfig,
)
from seqgan.models.seq2seq.config import EncoderDecoderConfig, LexiconConfig, PointerConfig

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class RnnGeneratorConfig(Config):
    """One or more recurrent layers over an embedding, a linear read-out."""

    name: Literal["lstm", "gru"]
    """Kind of recurrent generator."""
    embed: Positive = 32
    """Width of the symbol embedding."""
    hidden: Positive = 32
    """Width of the recurrent state."""
    layers: Positive = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    init_std: Annotated[float, Field(gt=0)] | None = None
    """Draw all parameters from N(0, init_std²), as SeqGAN does with 0.1; null: torch's default."""


class _TransformerConfig(Config):
    """What transformers have in common."""

    name: Literal["transformer"]
    """Kind of network."""
    width: Positive = 64
    """Width of the symbol embedding and of every layer's output."""
    layers: Positive = 2
    """Transformer blocks, each reading the one below."""
    heads: Positive = 4
    """Attention heads of a layer; must divide `width`."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of what each half of a layer adds."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class TransformerGeneratorConfig(_TransformerConfig):
    """A pre-norm decoder-only transformer with a key-value cache."""


GeneratorConfig = Annotated[
    RnnGeneratorConfig
    | TransformerGeneratorConfig
    | MlpGeneratorConfig
    | DcganGeneratorConfig
    | ResnetGeneratorConfig
    | TranslatorConfig
    | LexiconConfig
    | PointerConfig
    | EncoderDecoderConfig,
    Field(discriminator="name"),
]
SEQUENCE_GENERATORS = ("lstm", "gru", "transformer")
POINT_GENERATORS = ("mlp",)
PICTURE_GENERATORS = ("mlp", "dcgan", "resnet")
TRANSLATORS = ("translator",)
SEQUENCE_TRANSLATORS = ("lexicon", "pointer", "encoder_decoder")


class MlpCriticConfig(Config):
    """Sees a sample as one flat vector: points, small pictures, short sequences of few symbols."""

    name: Literal["mlp"]
    """Kind of critic."""
    hidden: Positive = 128
    """Units of each hidden layer."""
    layers: Positive = 2
    """Hidden layers, each followed by a leaky ReLU."""


class CnnCriticConfig(Config):
    """The SeqGAN critic: convolutions of many widths, max over time, a highway layer."""

    name: Literal["cnn"]
    """Kind of critic."""
    embed: Positive = 64
    """Width of the symbol embedding."""
    widths: list[Positive] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20]
    """Window widths, in symbols; none may exceed the sequence length."""
    filters: list[Positive] = [100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160]
    """Filters of each width."""
    highways: Annotated[int, Field(ge=0)] = 1
    """Gated layers that mix the features of all filters."""
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
    """Kind of critic."""
    cell: Literal["lstm", "gru"] = "gru"
    """Kind of recurrent layer."""
    embed: Positive = 64
    """Width of the symbol embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    layers: Positive = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""


class TransformerCriticConfig(_TransformerConfig):
    """A transformer encoder with a summary position; with `causal`, one score a step."""

    causal: bool = False
    """Score every step from the symbols up to there, not the sequence as a whole."""


class PairwiseCriticConfig(Config):
    """Compares every pair of positions by a learned bilinear form, then reads the table."""

    name: Literal["pairwise"]
    """Kind of critic."""
    embed: Positive = 16
    """Width of the symbol embedding."""
    channels: Positive = 4
    """Bilinear similarities learned side by side."""
    hidden: Positive = 128
    """Units of the hidden layer that reads the table."""


class LocalCriticConfig(Config):
    """Convolutions that score every column by the few symbols around it."""

    name: Literal["local"]
    """Kind of critic."""
    width: Positive = 64
    """Width of the symbol embedding and of every layer."""
    windows: Annotated[list[Positive], Field(min_length=1)] = [3, 3]
    """Width of each convolution, in columns; odd."""
    blur: Annotated[int, Field(ge=0)] = 0
    """Columns to either side over which embeddings are averaged first: with windows [1] their order
    is then unseen, and a translation that keeps the order of another language can pass."""

    @property
    def reach(self) -> int:
        """Columns that a score sees to either side."""
        return self.blur + sum(window // 2 for window in self.windows)

    @model_validator(mode="after")
    def _odd_windows(self) -> Self:
        even = [window for window in self.windows if window % 2 == 0]
        if even:
            raise ValueError(f"windows has {even[0]}, which has no middle; use odd numbers")
        return self


CriticConfig = Annotated[
    MlpCriticConfig
    | CnnCriticConfig
    | RnnCriticConfig
    | TransformerCriticConfig
    | PairwiseCriticConfig
    | LocalCriticConfig
    | DcganCriticConfig
    | ResnetCriticConfig
    | PatchCriticConfig,
    Field(discriminator="name"),
]
SEQUENCE_CRITICS = ("mlp", "cnn", "rnn", "transformer", "pairwise", "local")
POINT_CRITICS = ("mlp",)
PICTURE_CRITICS = ("mlp", "dcgan", "resnet", "patch")
