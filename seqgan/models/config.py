"""Configuration of generators and critics, and which of them fit which kind of samples."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Layers
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
    embed: Positive = 32
    """Width of the token embedding."""
    hidden: Positive = 32
    """Width of the recurrent state."""
    layers: Layers = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    init_std: Annotated[float, Field(gt=0)] | None = None
    """Draw all parameters from N(0, init_std²), as SeqGAN does with 0.1; null: torch's default."""


class PairwiseGeneratorConfig(Config):
    """A GRU whose logits also compare every earlier column with what may come."""

    name: Literal["pairwise"] = "pairwise"
    embed: Positive = 32
    """Width of the token embedding of the recurrent part."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    dropout: Fraction = 0.0
    """Of the recurrent part: probability of zeroing an entry of embedding and output."""
    compare: Positive = 16
    """Width of the token embedding that is compared."""
    channels: Positive = 4
    """Bilinear similarities learned side by side."""


class _TransformerConfig(Config):
    """What transformers have in common."""

    name: Literal["transformer"] = "transformer"
    width: Positive = 64
    """Width of the token embedding and of every layer's output."""
    layers: Layers = 2
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


class RelationalGeneratorConfig(Config):
    """A relational memory core: memory slots that attend to each other and to the input."""

    name: Literal["relational"] = "relational"
    embed: Positive = 32
    """Width of the token embedding."""
    slots: Positive = 1
    """Rows of the memory."""
    heads: Positive = 2
    """Attention heads."""
    head_size: Positive = 256
    """Width of each head; a slot is heads × head_size numbers wide."""
    gates: Literal["unit", "slot"] = "unit"
    """One input and one forget gate for each number of the memory, or for each slot."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of what the read-out sees."""


class LeakGanGeneratorConfig(Config):
    """A manager that reads the critic's features and sets goals, a worker that follows them."""

    name: Literal["leakgan"] = "leakgan"
    embed: Positive = 32
    """Width of the token embedding."""
    hidden: Positive = 32
    """Width of the recurrent states of manager and worker."""
    goal: Positive = 16
    """Numbers in the embedding of the goals, and in that of each token that they choose from."""
    horizon: Positive = 4
    """Tokens that a goal looks ahead, and for which it is followed."""


class LoraConfig(Config):
    """Low-rank adapters on a frozen network: W + (alpha / rank) · B A with trainable A and B."""

    rank: Positive = 8
    """Rows of A."""
    alpha: Positive = 16
    """Strength of the adapters; they are scaled by alpha / rank."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of what A reads."""
    targets: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the layers that get adapters, e.g. [q_proj, v_proj]; null: the usual ones for this
    kind of network."""


class _HfConfig(Config):
    """What networks of the `transformers` library have in common."""

    name: Literal["hf"] = "hf"
    path: str
    """Hub id such as `distilgpt2`, or a local folder. Resuming and sampling read it again."""
    random_init: bool = False
    """Take the configuration only, and draw new parameters."""


class HfGeneratorConfig(_HfConfig):
    """A causal language model of the `transformers` library, with its key-value cache.

    Its vocabulary may be larger than that of the data, never smaller. A pretrained one means
    something only with its own tokenizer: `data.tokenizer={name: hf, path: the same}`.
    """

    lora: LoraConfig | None = None
    """Train adapters and nothing else; null: train all parameters."""


GeneratorConfig = Annotated[
    RnnGeneratorConfig
    | PairwiseGeneratorConfig
    | TransformerGeneratorConfig
    | RelationalGeneratorConfig
    | LeakGanGeneratorConfig
    | HfGeneratorConfig
    | MlpGeneratorConfig
    | DcganGeneratorConfig
    | ResnetGeneratorConfig
    | TranslatorConfig
    | LexiconConfig
    | PointerConfig
    | EncoderDecoderConfig,
    ByName(),
]
SEQUENCE_GENERATORS = ("lstm", "gru", "pairwise", "transformer", "relational", "leakgan", "hf")
POINT_GENERATORS = ("mlp",)
PICTURE_GENERATORS = ("mlp", "dcgan", "resnet")
TRANSLATORS = ("translator",)
SEQUENCE_TRANSLATORS = ("lexicon", "pointer", "encoder_decoder")


class MlpCriticConfig(Config):
    """Sees a sample as one flat vector: points, small pictures, short sequences of few tokens."""

    name: Literal["mlp"] = "mlp"
    hidden: Positive = 128
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers, each followed by a leaky ReLU."""


class CnnCriticConfig(Config):
    """The SeqGAN critic: convolutions of many widths, max over time, a highway layer."""

    name: Literal["cnn"] = "cnn"
    embed: Positive = 64
    """Width of the token embedding."""
    widths: list[Positive] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20]
    """Window widths, in tokens; none may exceed the sequence length."""
    filters: list[Positive] = [100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160]
    """Filters of each width."""
    highways: Annotated[int, Field(ge=0, le=1_000)] = 1
    """Gated layers that mix the features of all filters."""
    dropout: Fraction = 0.25
    """On the features before the read-out."""

    @model_validator(mode="after")
    def _one_filter_count_a_width(self) -> "CnnCriticConfig":
        _check_filters(self.widths, self.filters)
        return self


class RelganCriticConfig(Config):
    """The RelGAN critic: many narrow embeddings, each read by the same convolutions."""

    name: Literal["relgan"] = "relgan"
    representations: Positive = 64
    """Embeddings of a sentence, each of which gets a logit; the score is their mean."""
    embed: Positive = 1
    """Width of each embedding."""
    widths: list[Positive] = [2, 3, 4, 5]
    """Window widths, in tokens; none may exceed the sequence length."""
    filters: list[Positive] = [300, 300, 300, 300]
    """Filters of each width."""
    hidden: Positive = 100
    """Units of the layer behind the filters; `features_BF` are their mean over the embeddings."""
    dropout: Fraction = 0.25
    """On the filters' features."""

    @model_validator(mode="after")
    def _one_filter_count_a_width(self) -> Self:
        _check_filters(self.widths, self.filters)
        return self


def _check_filters(widths: list[int], filters: list[int]) -> None:
    if len(widths) != len(filters):
        raise ValueError(
            f"widths has {len(widths)} entries and filters {len(filters)}; "
            "give one filter count for each width"
        )


class RnnCriticConfig(Config):
    """A causal recurrent critic: one score per step, which has seen the tokens up to there."""

    name: Literal["rnn"] = "rnn"
    cell: Literal["lstm", "gru"] = "gru"
    """The recurrent cell."""
    embed: Positive = 64
    """Width of the token embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    layers: Layers = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    from_generator: bool = False
    """Read what an lstm or gru generator of the same sizes reads, start token and all, so that
    the phase `copy_critic` can copy its embedding and its layers into the critic."""


class ActionCriticConfig(Config):
    """A causal recurrent critic that scores every token that may come next."""

    name: Literal["action"] = "action"
    reads: Literal["logits", "log_likelihood", "surprise"] = "logits"
    """What the score of a token is: free, its log-likelihood under this network as a language
    model (the mediator of CoT), or the negative of that (DPGAN)."""
    cell: Literal["lstm", "gru"] = "gru"
    """The recurrent cell."""
    embed: Positive = 64
    """Width of the token embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of the state that is read out."""


class TransformerCriticConfig(_TransformerConfig):
    """A transformer encoder with a summary position; with `causal`, one score per step."""

    causal: bool = False
    """Score every step from the tokens up to there, not the sequence as a whole."""
    from_generator: bool = False
    """Read what a transformer generator of the same sizes reads, start token and all, so that
    the phase `copy_critic` can copy everything but its read-out into the critic; causal only."""

    @model_validator(mode="after")
    def _only_causal_ones_start_from_a_generator(self) -> Self:
        if self.from_generator and not self.causal:
            raise ValueError(
                "from_generator=true, but a generator's layers see earlier tokens only; set "
                "causal=true, or from_generator=false"
            )
        return self


class PairwiseCriticConfig(Config):
    """Compares every pair of positions by a learned bilinear form, then reads the table."""

    name: Literal["pairwise"] = "pairwise"
    embed: Positive = 16
    """Width of the token embedding."""
    channels: Positive = 4
    """Bilinear similarities learned side by side."""
    hidden: Positive = 128
    """Units of the hidden layer that reads the table."""


class LocalCriticConfig(Config):
    """Convolutions that score every column by the few tokens around it."""

    name: Literal["local"] = "local"
    width: Positive = 64
    """Width of the token embedding and of every layer."""
    windows: Annotated[list[Positive], Field(min_length=1)] = [3, 3]
    """Width of each convolution, in columns; odd."""

    @property
    def reach(self) -> int:
        """Columns that a score sees to either side."""
        return sum(window // 2 for window in self.windows)

    @model_validator(mode="after")
    def _odd_windows(self) -> Self:
        even = [window for window in self.windows if window % 2 == 0]
        if even:
            raise ValueError(f"windows has {even[0]}, which has no middle; use odd numbers")
        return self


class CoOccurrenceCriticConfig(Config):
    """A score for every word from the words it shares a sentence with, in whatever order."""

    name: Literal["co_occurrence"] = "co_occurrence"
    width: Positive = 64
    """Width of the token embedding; the rank of what it can know of pairs of words."""


class HfCriticConfig(_HfConfig):
    """A network of the `transformers` library with a read-out of its own: a score per sequence."""

    kind: Literal["encoder", "causal"]
    """encoder: reads in both directions, such as BERT. causal: a language model, such as GPT-2,
    which scores at the last token that counts."""
    pooling: Literal["mean", "first"] = "mean"
    """What an encoder's score is read from: the mean over the tokens, or a summary column that
    stands in front of them."""
    from_generator: bool = False
    """Start, by the phase `copy_critic`, from the present layers of an hf generator with the same
    `path`; causal only."""

    @model_validator(mode="after")
    def _only_causal_ones_start_from_a_generator(self) -> Self:
        if self.from_generator and self.kind != "causal":
            raise ValueError(
                f"from_generator=true, but kind={self.kind} has other layers than a generator; "
                "set kind=causal, or from_generator=false"
            )
        return self


class ClassesCriticConfig(Config):
    """Tells k categories and generated samples apart; the label is a prompt of one token."""

    name: Literal["classes"] = "classes"
    trunk: Annotated[MlpCriticConfig | CnnCriticConfig | RelganCriticConfig, ByName()]
    """The critic whose features are read; it does not see the label."""


CriticConfig = Annotated[
    MlpCriticConfig
    | CnnCriticConfig
    | RelganCriticConfig
    | RnnCriticConfig
    | ActionCriticConfig
    | TransformerCriticConfig
    | PairwiseCriticConfig
    | LocalCriticConfig
    | CoOccurrenceCriticConfig
    | ClassesCriticConfig
    | HfCriticConfig
    | DcganCriticConfig
    | ResnetCriticConfig
    | PatchCriticConfig,
    ByName(),
]
SEQUENCE_CRITICS = (
    "mlp",
    "cnn",
    "relgan",
    "rnn",
    "action",
    "transformer",
    "pairwise",
    "local",
    "co_occurrence",
    "classes",
    "hf",
)
POINT_CRITICS = ("mlp",)
PICTURE_CRITICS = ("mlp", "dcgan", "resnet", "patch")
