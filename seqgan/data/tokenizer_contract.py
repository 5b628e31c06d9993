"""What tokenizers share: their contract, the special entries, the file that names their kind."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from seqgan.core.plain import JsonObject
from seqgan.core.saved_files import write_json

END = "<eos>"
UNKNOWN = "<unk>"
END_ID = 0
UNKNOWN_ID = 1

SETTINGS_FILE = "tokenizer.json"


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
        """What stands in the line for each of its ids; [] from tokenizers that cannot tell."""
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


def before_end(ids: Iterable[int], end_id: int) -> list[int]:
    """The ids before the first end token."""
    sentence = [int(index) for index in ids]
    return sentence[: sentence.index(end_id)] if end_id in sentence else sentence


def write_settings(folder: Path, settings: JsonObject) -> None:
    """What a run folder knows of its tokenizer, its kind (`name`) first."""
    write_json(folder / SETTINGS_FILE, settings)
