"""Readers of folders of the `transformers` library, which takes seconds to import: for the long
form of the fuzzing only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
from reader_targets import Target

from seqgan.core.types import SequenceSpace
from seqgan.data.subword_tokenizers import HfTokenizer
from seqgan.models.config import HfGeneratorConfig


class HubReader:
    """Reads a folder of which one file is hostile."""

    def __init__(self, name: str, write: str, read: Callable[[str], Any]) -> None:
        self._name = name
        self._write = write
        self._read = read

    def seeds(self, run: Path) -> list[bytes]:
        import tiny_networks

        folder = run.parent / "hub"
        arguments = ("gpt2", folder) if self._write == "write_network" else (folder,)
        getattr(tiny_networks, self._write)(*arguments)
        return [(folder / self._name).read_bytes()]

    def read(self, folder: Path, data: bytes) -> None:
        (folder.parent / "hub" / self._name).write_bytes(data)
        self._read(str(folder.parent / "hub"))


def _network(path: str) -> None:
    space = SequenceSpace(vocab_size=9, length=6, end_id=2)
    HfGeneratorConfig(name="hf", path=path).build(space)


def _hub_tokenizer(path: str) -> None:
    tokenizer = HfTokenizer(path)
    tokenizer.decode(tokenizer.encode("the cat"))


def _hub_target(inputs: int, name: str, write: str, read: Callable[[str], Any]) -> Target:
    reader = HubReader(name, write, read)
    return Target(inputs, reader.seeds, hostile.json_lines, reader.read)


HUB_TARGETS = {
    "hub config": _hub_target(6, "config.json", "write_network", _network),
    "hub weights": _hub_target(2, "model.safetensors", "write_network", _network),
    "hub tokenizer": _hub_target(8, "tokenizer.json", "write_byte_tokenizer", _hub_tokenizer),
    "hub tokenizer_config": _hub_target(
        8, "tokenizer_config.json", "write_word_tokenizer", _hub_tokenizer
    ),
}
