"""Configuration of unpaired text: a cipher, an invented language pair, and what else has two sides.

Every class makes a `seqgan.data.unpaired_text.UnpairedText`. No torch here.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import LONGEST, Sampled
from seqgan.data.config import (
    Fraction,
    Length,
    Positive,
    Seed,
    TokenizerConfig,
    WordTokenizerConfig,
    check_drawn,
)


class CipherDataConfig(Config):
    """Plain text (side a) and cipher text of other sentences (side b), token by token."""

    name: Literal["cipher"] = "cipher"
    path: str | None = None
    """Sentences, one per line, plain or .gz; without a file the text is generated in code."""
    kind: Literal["substitution", "vigenere"] = "substitution"
    """One permutation of the 27 tokens, or shifts that depend on the position in the window."""
    period: Annotated[int, Field(gt=0, le=26)] = 3
    """Length of a Vigenère key; a substitution has none."""
    key_seed: Seed = 0
    """Seed of the key."""
    length: Length = 100
    """Tokens a window."""
    train: Sampled = 10_000
    """Training windows of a side, at most: a file may have fewer."""
    valid: Sampled = 200
    """Validation windows, paired."""
    test: Sampled = 500
    """Test windows, paired."""
    seed: Seed = 0
    """Seed of the generated text and of the order of sentences."""
    aligned: bool = False
    """Encrypt side a's own training windows, so that rows are pairs: for supervised ceilings."""

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        if self.path is None:
            check_drawn(self, self.length, f"length={self.length}")
        return self


class EventsDataConfig(Config):
    """Articles (side a) and headlines (side b) about events, written by a grammar."""

    name: Literal["events"] = "events"
    train: Annotated[int, Field(gt=1, le=1_000_000)] = 20_000
    """Training articles, and as many training headlines of other events."""
    valid: Annotated[int, Field(gt=0, le=1_000_000)] = 500
    """Validation articles, each with its headline."""
    test: Annotated[int, Field(gt=0, le=1_000_000)] = 1_000
    """Test articles, each with its headline."""
    seed: Seed = 0
    """Seed of the events and of how they are told."""
    aligned: bool = False
    """Training headlines are those of the training articles: for paired ceilings only."""


class TextFilesConfig(Config):
    """Training text of one side: one sentence a line, plain or gzipped, UTF-8."""

    path: str | Annotated[list[str], Field(min_length=1)]
    """The file, or several that are read one behind the other."""
    take: Literal["all", "odd", "even", "auto"] = "all"
    """Which lines of a file, counted from 1: odd ones of one language and even ones of another
    make unpaired text of a parallel corpus. auto, for both sides: that where lines of equal number
    belong together, else all."""
    length: Annotated[int, Field(gt=1, le=LONGEST)] = 32
    """Columns of a sentence, the end token included."""
    overlong: Literal["error", "drop", "truncate"] = "error"
    """What to do with sentences that do not fit; drops and cuts are counted and reported."""
    max_train: Positive | None = None
    """Use the first so many training sentences only."""


class PairedFilesConfig(Config):
    """Two files of which line i of one belongs to line i of the other."""

    a: str
    """The file of side a."""
    b: str
    """The file of side b."""


class UnpairedTextConfig(Config):
    """Two kinds of text from files, never paired in training."""

    name: Literal["unpaired_text"] = "unpaired_text"
    a: TextFilesConfig
    """The first kind; of articles and summaries, the articles."""
    b: TextFilesConfig
    """The second kind."""
    tokenizer: TokenizerConfig = WordTokenizerConfig(name="word")
    """How a sentence is cut into tokens."""
    joint: bool = True
    """One vocabulary for both sides, so that words can be copied; else one per side."""
    valid: PairedFilesConfig | None = None
    """Paired validation text, for reports only; null: none, then `test` is null as well."""
    test: PairedFilesConfig | None = None
    """Paired test text, for reports only."""
    valid_fraction: Fraction = 0.05
    """Without paired text: share of each side held out as validation data, and as test data."""
    exclude: list[str] | Literal["held_out"] = []
    """Files whose lines are dropped from the training text of both sides, and counted; held_out:
    those of `valid` and `test`."""
    aligned: bool = False
    """Training line i of one side belongs to line i of the other: for supervised ceilings."""
    score: list[Literal["bleu", "chrf", "rouge"]] = ["bleu", "chrf"]
    """Scores against the paired text; rouge is for summaries."""
    split_seed: Seed = 0
    """Seed that decides which sentences are held out."""

    @model_validator(mode="after")
    def _both_are_auto(self) -> Self:
        if self.a.take != self.b.take and "auto" in (self.a.take, self.b.take):
            raise ValueError(
                f"a.take={self.a.take}, b.take={self.b.take}: auto is for both sides; set both"
            )
        return self

    @model_validator(mode="after")
    def _pairs_stay_together(self) -> Self:
        if not self.aligned:
            return self
        for name, side in (("a", self.a), ("b", self.b)):
            if side.overlong == "drop":
                raise ValueError(f"aligned=true: {name}.overlong=drop breaks pairs; use truncate")
        if self.valid is None:
            raise ValueError("aligned=true needs paired files valid and test")
        if self.a.take != self.b.take or self.a.max_train != self.b.max_train:
            raise ValueError("aligned=true: a and b must have the same take and max_train")
        return self


class LanguagePairConfig(Config):
    """Two invented languages: b has other words than a for the same things, in another order."""

    name: Literal["language_pair"] = "language_pair"
    words: Annotated[int, Field(ge=40, le=2_000)] = 200
    """Words of the lexicon, of all classes together."""
    train: Annotated[int, Field(gt=1, le=200_000)] = 20_000
    """Training sentences of a side; no sentence of one side translates one of the other's."""
    valid: Annotated[int, Field(gt=0, le=200_000)] = 300
    """Validation sentences, paired."""
    test: Annotated[int, Field(gt=0, le=200_000)] = 1_000
    """Test sentences, paired."""
    reorder: bool = True
    """Language b puts adjectives behind nouns and adverbs before verbs; else words correspond."""
    seed: Seed = 0
    """Seed of both languages and of the sentences."""
    aligned: bool = False
    """Training rows are pairs, side a's own sentences translated: for supervised ceilings."""


TextPairConfig = Annotated[
    CipherDataConfig | EventsDataConfig | UnpairedTextConfig | LanguagePairConfig,
    ByName(),
]
