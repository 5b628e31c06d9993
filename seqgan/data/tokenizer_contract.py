"""What tokenizers share: their contract, the special entries, the file that names their kind."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seqgan.core.plain import JsonObject
from seqgan.core.saved_files import write_json

END = "<eos>"
UNKNOWN = "<unk>"
END_ID = 0
UNKNOWN_ID = 1

SETTINGS_FILE = "tokenizer.json"


Canonical = Callable[[str], str]
"""Maps a line to the form in which the tokenizer reads it; lines of one form are duplicates."""


class Tokenizer(Protocol):
    """What data, sampling and reports ask of a tokenizer."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def end_id(self) -> int: ...

    @property
    def unk_id(self) -> int:
        """−1 where there is no such token."""
        ...

    def encode(self, line: str) -> list[int]:
        """The ids of a line, without the end token."""
        ...

    def surface(self, line: str) -> list[str]:
        """What stands in the line for each of its ids; [] where that is not defined."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text before the first end token."""
        ...

    def vocabulary(self) -> list[str]:
        """The entry of every id, in order."""
        ...

    def save(self, folder: Path) -> None:
        """Write the files that `load_tokenizer(folder)` reads."""
        ...


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """How a text gets its tokenizer."""

    build: Callable[[Sequence[str]], Tokenizer]
    """Of training lines, where it is learned."""
    canonical: Canonical
    lines_to_learn_from: Callable[[list[str], int, str], list[str]]
    """`(lines, length, overlong)`: what `build` reads of lines for `length` columns."""
    counts_words: bool
    """Whether the vocabulary is made of the words of the training text."""


def before_end(ids: Iterable[int], end_id: int) -> list[int]:
    """The ids before the first end token."""
    sentence = [int(index) for index in ids]
    return sentence[: sentence.index(end_id)] if end_id in sentence else sentence


def write_settings(folder: Path, settings: JsonObject) -> None:
    """Save a tokenizer's kind (`name`) and options in a run folder."""
    write_json(folder / SETTINGS_FILE, settings)
