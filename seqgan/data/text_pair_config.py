"""Configuration of unpaired text: a cipher, an invented language pair, and what else has two sides.

Every class makes a `seqgan.data.unpaired_text.UnpairedText`. No torch here.
"""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.data.config import Positive, Seed


class CipherDataConfig(Config):
    """Plain text (side a) and cipher text of other sentences (side b), symbol by symbol."""

    name: Literal["cipher"]
    """Kind of data."""
    path: str | None = None
    """Sentences, one a line, plain or .gz; without a file the text is generated in code."""
    kind: Literal["substitution", "vigenere"] = "substitution"
    """One permutation of the 27 symbols, or shifts that depend on the position in the window."""
    period: Annotated[int, Field(gt=0, le=26)] = 3
    """Length of a Vigenère key; a substitution has none."""
    key_seed: Seed = 0
    """Seed of the key."""
    length: Positive = 100
    """Symbols a window."""
    train: Positive = 10_000
    """Training windows of a side, at most: a file may have fewer."""
    valid: Positive = 200
    """Validation windows, paired."""
    test: Positive = 500
    """Test windows, paired."""
    seed: Seed = 0
    """Seed of the generated text and of the order of sentences."""
    aligned: bool = False
    """Encrypt side a's own training windows, so that rows are pairs: for supervised ceilings."""


class EventsDataConfig(Config):
    """Articles (side a) and headlines (side b) about events, written by a grammar."""

    name: Literal["events"]
    """Kind of data."""
    train: Annotated[int, Field(gt=1, le=1_000_000)] = 20_000
    """Training articles, and as many training headlines of other events."""
    valid: Positive = 500
    """Validation articles, each with its headline."""
    test: Positive = 1_000
    """Test articles, each with its headline."""
    seed: Seed = 0
    """Seed of the events and of how they are told."""
    aligned: bool = False
    """Training headlines are those of the training articles: for paired ceilings only."""
