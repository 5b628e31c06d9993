"""Configuration of the networks that turn one sequence into another."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from warnings import catch_warnings, filterwarnings

from pydantic import Field

from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.models import generators
from seqgan.models.base_config import (
    Fraction,
    GeneratorConfig,
    Positive,
    TransformerFields,
    arguments_of,
)

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import SequenceSpace, SpacePair
    from seqgan.models.seq2seq.directed import StyledGenerator


class _TranslatorConfig(GeneratorConfig):
    """Base of translators of text with an encoder and a decoder."""

    makes: ClassVar[Modalities] = frozenset({"text_pair"})

    joint: bool = True
    """One embedding for both sides, where their vocabularies are equally large."""
    shared: bool = False
    """One network for both directions, with a learned vector for each direction."""

    def build_pair(self, pair: "SpacePair") -> "nn.ModuleDict":
        from seqgan.models.seq2seq.directed import make_pair

        return make_pair(self.build_network, pair, self.shared)

    def build_network(
        self, source: "SequenceSpace", space: "SequenceSpace", styles: int = 0
    ) -> "StyledGenerator":
        """The translator of one direction, or of as many as there are `styles`."""
        return self.network(source, space, **arguments_of(self, "shared"), styles=styles)

    @property
    @abstractmethod
    def network(self) -> "type[StyledGenerator]":
        """The class of the translator."""


with catch_warnings():
    # pydantic's own `copy` is deprecated (`model_copy` took its place); ours may stand over it.
    filterwarnings("ignore", 'Field name "copy"', UserWarning)

    class PointerConfig(_TranslatorConfig):
        """A recurrent encoder and decoder with attention, which may copy tokens of the source."""

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

        @property
        def network(self) -> "type[StyledGenerator]":
            return generators.PointerGenerator


class EncoderDecoderConfig(TransformerFields, _TranslatorConfig):
    """A pre-norm transformer encoder, and a decoder that attends to it, with a cache."""

    gives: ClassVar[Words] = frozenset({"repaired sentences"})

    name: Literal["encoder_decoder"] = "encoder_decoder"

    @property
    def network(self) -> "type[StyledGenerator]":
        return generators.EncoderDecoder


class LexiconConfig(GeneratorConfig):
    """A table with a distribution over translations of each token; neighbours may change places."""

    makes: ClassVar[Modalities] = frozenset({"text_pair"})
    gives: ClassVar[Words] = frozenset({"a table of tokens"})

    name: Literal["lexicon"] = "lexicon"
    period: Positive = 1
    """Tables that are used in turn, one per column; 3 for a Vigenère cipher with a key of three."""
    reach: Annotated[int, Field(ge=0)] = 0
    """Columns to either side from which a token may be translated; 0: its own column only."""
    width: Positive = 16
    """Width of the embedding that decides between neighbours; for `reach` above 0."""
    frequency_prior: Annotated[float, Field(ge=0)] = 0.0
    """Start with logits −s · |ln frequency of source token − ln frequency of target token|, s
    being this number: equally frequent tokens are likelier translations. 0: all are alike."""
    co_occurrence_prior: Annotated[float, Field(ge=0)] = 0.0
    """Start with this logit for every pair of words with similar co-occurrences (`data.lexicons`),
    counted before training; 0: none. For data language_pair."""
    init_std: Annotated[float, Field(ge=0)] = 0.1
    """Standard deviation of the table's first logits."""

    @property
    def priors(self) -> tuple[float, float]:
        return self.frequency_prior, self.co_occurrence_prior

    @property
    def needs(self) -> Needs:
        key = f"co_occurrence_prior={self.co_occurrence_prior}"
        counts = Need("data", "counts of words in two languages", key, "set it to 0")
        return (counts,) if self.co_occurrence_prior else ()

    def build_pair(self, pair: "SpacePair") -> "nn.ModuleDict":
        from torch import nn

        from seqgan.core.errors import UserError
        from seqgan.core.types import SequenceSpace

        a, b = pair.a, pair.b
        assert isinstance(a, SequenceSpace)
        assert isinstance(b, SequenceSpace)
        if a.length != b.length:
            raise UserError(
                "generator.name=lexicon: writes as many tokens as it reads, but the two kinds "
                f"have {a.length} and {b.length} columns; make their lengths equal, or use pointer"
            )
        sizes = (self.period, self.reach, self.width, self.init_std)
        return nn.ModuleDict(
            {"a2b": generators.Lexicon(a, b, *sizes), "b2a": generators.Lexicon(b, a, *sizes)}
        )
