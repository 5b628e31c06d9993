"""Configuration of generators of sequences."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.numbers import Layers
from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.models import generators
from seqgan.models.base_config import (
    CriticConfig,
    Fraction,
    GeneratorConfig,
    HfFields,
    Positive,
    SequenceGeneratorConfig,
    TransformerFields,
    arguments_of,
)

if TYPE_CHECKING:
    from seqgan.core.types import Generator, SequenceSpace, Space


class RnnGeneratorConfig(SequenceGeneratorConfig):
    """One or more recurrent layers over an embedding, a linear read-out."""

    gives: ClassVar[Words] = frozenset({"layers to copy", "a linear read-out"})

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
    tied: bool = False
    """Read out by the vectors of the embedding, behind a linear map where `hidden` is not `embed`:
    fewer parameters, which learn faster from little text."""

    def build_network(self, space: "SequenceSpace") -> "Generator":
        return generators.RnnGenerator(space, self.name, **arguments_of(self))


class PairwiseGeneratorConfig(SequenceGeneratorConfig):
    """A GRU whose logits also compare every earlier column with each possible next token."""

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

    def build_network(self, space: "SequenceSpace") -> "Generator":
        return generators.PairwiseGenerator(space, **arguments_of(self))


class TransformerGeneratorConfig(TransformerFields, SequenceGeneratorConfig):
    """A pre-norm decoder-only transformer with a key-value cache."""

    gives: ClassVar[Words] = frozenset({"layers to copy", "a linear read-out"})

    name: Literal["transformer"] = "transformer"

    def build_network(self, space: "SequenceSpace") -> "Generator":
        return generators.TransformerGenerator(space, **arguments_of(self))


class RelationalGeneratorConfig(SequenceGeneratorConfig):
    """A relational memory core: memory slots that attend to each other and to the input."""

    gives: ClassVar[Words] = frozenset({"a linear read-out"})

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
    """Probability of zeroing an entry of the embedding and of what the read-out reads."""

    def build_network(self, space: "SequenceSpace") -> "Generator":
        return generators.RelationalGenerator(space, **arguments_of(self))


class LeakGanGeneratorConfig(GeneratorConfig):
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

    def build(self, space: "Space", critic: "CriticConfig | None" = None) -> "Generator":
        """The generator, with a copy of the critic inside."""
        from seqgan.core.types import SequenceSpace

        assert isinstance(space, SequenceSpace), "leakgan writes sequences"
        assert critic is not None, "leakgan reads a critic's features"
        return generators.LeakGanGenerator(space, critic.build(space), **arguments_of(self))


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


class HfGeneratorConfig(HfFields, SequenceGeneratorConfig):
    """A causal language model of the `transformers` library, with its key-value cache.

    Its vocabulary may be larger than that of the data, never smaller. A pretrained one means
    something only with its own tokenizer: `data.tokenizer={name: hf, path: the same}`.
    """

    name: Literal["hf"] = "hf"

    lora: LoraConfig | None = None
    """Train adapters and nothing else; null: train all parameters."""

    @property
    def gives(self) -> Words:
        return frozenset() if self.lora else frozenset({"layers to copy"})

    def build_network(self, space: "SequenceSpace") -> "Generator":
        lora = None if self.lora is None else generators.Lora(**self.lora.model_dump())
        return generators.HfGenerator(space, self.path, lora, self.random_init)
