"""Configuration of the networks that turn one sequence into another."""

from typing import Annotated, ClassVar, Literal, Self
from warnings import catch_warnings, filterwarnings

from pydantic import Field, model_validator

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Layers
from seqgan.core.parts import GeneratorPart, Modalities, Need, Needs, Words

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


with catch_warnings():
    # pydantic's own `copy` is deprecated (`model_copy` took its place); ours may stand over it.
    filterwarnings("ignore", 'Field name "copy"', UserWarning)

    class PointerConfig(GeneratorPart):
        """A recurrent encoder and decoder with attention, which may copy tokens of the source."""

        makes: ClassVar[Modalities] = frozenset({"text_pair"})
        gives: ClassVar[Words] = frozenset({"repaired sentences", "attention to the source"})

        name: Literal["pointer"] = "pointer"
        embed: Positive = 64
        """Width of the token embedding."""
        hidden: Positive = 64
        """Width of the recurrent state, of each direction of the encoder and of the decoder."""
        dropout: Fraction = 0.0
        """Probability of zeroing an entry of the embedding and of what the read-out reads."""
        copy: bool = True  # type: ignore[assignment]
        """Mix in the tokens attended to; the vocabularies have to be equal."""
        joint: bool = True
        """One embedding for both sides, where their vocabularies are equally large."""
        shared: bool = False
        """One network for both directions, which is told the direction."""


class EncoderDecoderConfig(GeneratorPart):
    """A pre-norm transformer encoder, and a decoder that attends to it, with a cache."""

    makes: ClassVar[Modalities] = frozenset({"text_pair"})
    gives: ClassVar[Words] = frozenset({"repaired sentences"})

    name: Literal["encoder_decoder"] = "encoder_decoder"
    width: Positive = 64
    """Width of the token embedding and of every layer's output."""
    layers: Layers = 2
    """Transformer blocks of the encoder, and as many of the decoder."""
    heads: Positive = 4
    """Attention heads of a layer; must divide `width`."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of what each part of a layer adds."""
    joint: bool = True
    """One embedding for both sides, where their vocabularies are equally large."""
    shared: bool = False
    """One network for both directions, which is told the direction."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class LexiconConfig(GeneratorPart):
    """A table that says what each token becomes; neighbours may change places."""

    makes: ClassVar[Modalities] = frozenset({"text_pair"})
    gives: ClassVar[Words] = frozenset({"a table of tokens"})

    name: Literal["lexicon"] = "lexicon"
    period: Annotated[int, Field(gt=0)] = 1
    """Tables that are used in turn, one per column; 3 for a Vigenère cipher with a key of three."""
    reach: Annotated[int, Field(ge=0)] = 0
    """Columns to either side from which a token may be translated; 0: its own column only."""
    width: Annotated[int, Field(gt=0)] = 16
    """Width of the embedding that decides between neighbours; for `reach` above 0."""
    frequency_prior: Annotated[float, Field(ge=0)] = 0.0
    """Start with logits −s · |ln frequency of source token − ln frequency of target token|, s
    being this number: what is equally frequent is a likelier translation. 0: all are alike."""
    co_occurrence_prior: Annotated[float, Field(ge=0)] = 0.0
    """Start with this logit for every pair of words with similar co-occurrences (`data.lexicons`),
    counted before training; 0: not looked for. For data language_pair."""
    init_std: Annotated[float, Field(ge=0)] = 0.1
    """Standard deviation of the table's first logits."""

    @property
    def needs(self) -> Needs:
        key = f"co_occurrence_prior={self.co_occurrence_prior}"
        counts = Need("data", "counts of words in two languages", key, "set it to 0")
        return (counts,) if self.co_occurrence_prior else ()


PairConfig = Annotated[PointerConfig | EncoderDecoderConfig, ByName()]
