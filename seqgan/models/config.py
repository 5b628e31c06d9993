"""Configuration of generators and critics, and which of them fit which kind of samples."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Layers
from seqgan.core.parts import (
    ARRAYS,
    SEQUENCES,
    CriticPart,
    GeneratorPart,
    Modalities,
    Need,
    Needs,
    Words,
)
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


class RnnGeneratorConfig(GeneratorPart):
    """One or more recurrent layers over an embedding, a linear read-out."""

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})
    gives: ClassVar[Words] = frozenset({"layers to copy"})

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


class PairwiseGeneratorConfig(GeneratorPart):
    """A GRU whose logits also compare every earlier column with what may come."""

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})

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


class TransformerGeneratorConfig(_TransformerConfig, GeneratorPart):
    """A pre-norm decoder-only transformer with a key-value cache."""

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})
    gives: ClassVar[Words] = frozenset({"layers to copy"})

    name: Literal["transformer"] = "transformer"


class RelationalGeneratorConfig(GeneratorPart):
    """A relational memory core: memory slots that attend to each other and to the input."""

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})

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


class LeakGanGeneratorConfig(GeneratorPart):
    """A manager that reads the critic's features and sets goals, a worker that follows them."""

    makes: ClassVar[Modalities] = frozenset({"sentences"})
    gives: ClassVar[Words] = frozenset({"goals"})
    needs: ClassVar[Needs] = (
        Need("estimator", "rewards of goals", otherwise="use another generator"),
        Need("critic", "features of prefixes", otherwise="use another generator and estimator"),
    )

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

    path: str
    """Hub id such as `distilgpt2`, or a local folder. Resuming and sampling read it again."""
    random_init: bool = False
    """Take the configuration only, and draw new parameters."""


class HfGeneratorConfig(_HfConfig, GeneratorPart):
    """A causal language model of the `transformers` library, with its key-value cache.

    Its vocabulary may be larger than that of the data, never smaller. A pretrained one means
    something only with its own tokenizer: `data.tokenizer={name: hf, path: the same}`.
    """

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})

    name: Literal["hf"] = "hf"

    lora: LoraConfig | None = None
    """Train adapters and nothing else; null: train all parameters."""

    @property
    def gives(self) -> Words:
        return frozenset() if self.lora else frozenset({"layers to copy"})


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


class MlpCriticConfig(CriticPart):
    """Sees a sample as one flat vector: points, small pictures, short sequences of few tokens."""

    accepts: ClassVar[Modalities] = SEQUENCES | ARRAYS
    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers"})

    name: Literal["mlp"] = "mlp"
    hidden: Positive = 128
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers, each followed by a leaky ReLU."""


class CnnCriticConfig(CriticPart):
    """The SeqGAN critic: convolutions of many widths, max over time, a highway layer."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset(
        {"features", "features of prefixes", "new weights in plain layers"}
    )

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

    @property
    def widest(self) -> int:
        return max(self.widths, default=0)


class RelganCriticConfig(CriticPart):
    """The RelGAN critic: many narrow embeddings, each read by the same convolutions."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers"})

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

    @property
    def widest(self) -> int:
        return max(self.widths, default=0)


def _check_filters(widths: list[int], filters: list[int]) -> None:
    if len(widths) != len(filters):
        raise ValueError(
            f"widths has {len(widths)} entries and filters {len(filters)}; "
            "give one filter count for each width"
        )


class RnnCriticConfig(CriticPart):
    """A causal recurrent critic: one score per step, which has seen the tokens up to there."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"scores of every step"})

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

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        fields = {field: field for field in ("embed", "hidden", "layers")}
        return {name: {"cell": "name", **fields} for name in ("lstm", "gru") if self.from_generator}


class ActionCriticConfig(CriticPart):
    """A causal recurrent critic that scores every token that may come next."""

    accepts: ClassVar[Modalities] = SEQUENCES

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

    @property
    def gives(self) -> Words:
        words = {"scores of every step", "scores of every next token"}
        return frozenset(words | ({"log-likelihoods"} if self.reads == "log_likelihood" else set()))


class TransformerCriticConfig(_TransformerConfig, CriticPart):
    """A transformer encoder with a summary position; with `causal`, one score per step."""

    accepts: ClassVar[Modalities] = SEQUENCES

    name: Literal["transformer"] = "transformer"

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

    @property
    def gives(self) -> Words:
        words = {"scores of every step"} if self.causal else {"features"}
        return frozenset(words if self.from_generator else words | {"new weights in plain layers"})

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        fields = {field: field for field in ("width", "layers", "heads")}
        return {"transformer": fields} if self.from_generator else {}


class PairwiseCriticConfig(CriticPart):
    """Compares every pair of positions by a learned bilinear form, then reads the table."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"features"})

    name: Literal["pairwise"] = "pairwise"
    embed: Positive = 16
    """Width of the token embedding."""
    channels: Positive = 4
    """Bilinear similarities learned side by side."""
    hidden: Positive = 128
    """Units of the hidden layer that reads the table."""


class LocalCriticConfig(CriticPart):
    """Convolutions that score every column by the few tokens around it."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"scores of windows", "new weights in plain layers"})

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


class CoOccurrenceCriticConfig(CriticPart):
    """A score for every word from the words it shares a sentence with, in whatever order."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"new weights in plain layers"})

    name: Literal["co_occurrence"] = "co_occurrence"
    width: Positive = 64
    """Width of the token embedding; the rank of what it can know of pairs of words."""


class HfCriticConfig(_HfConfig, CriticPart):
    """A network of the `transformers` library with a read-out of its own: a score per sequence."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"features"})

    name: Literal["hf"] = "hf"

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

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        return {"hf": {"path": "path"}} if self.from_generator else {}


class ClassesCriticConfig(CriticPart):
    """Tells k categories and generated samples apart; the label is a prompt of one token."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset(
        {"features", "scores of categories", "new weights in plain layers"}
    )
    needs: ClassVar[Needs] = (
        Need("objective", "a loss of categories"),
        Need("data", "labels", otherwise="use prompts of one token"),
        Need("game", "no mismatched pairs", otherwise="set game.mismatched to 0"),
    )

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
