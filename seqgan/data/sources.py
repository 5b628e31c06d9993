"""Sentences of a corpus as text: files or Hugging Face data, cut into splits. Torch-free.

Decisions
- Blank lines are no sentences. Surrounding spaces are dropped, and text has one spelling
  (`core/text_files.py`).
- Where no held-out file or split is given, a seeded permutation of the *distinct* sentences holds
  out a share of them, so that no copy of a training sentence is held out.
- Splits given by the user are taken as they are; their overlap is counted in `corpus.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqgan.core.errors import UserError
from seqgan.core.text_files import clean_text, read_lines
from seqgan.data.huggingface import Dataset
from seqgan.data.tokenizer_contract import Canonical


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many sentences may be. `field` is where the configuration has them."""

    length: int
    overlong: str = "error"
    max_train: int | None = None
    field: str = "data"


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences of one split and where they come from.

    `numbers[i]` counts from 1 through the lines (or rows) of `source`, blank ones included.
    `blank` are the numbers of blank lines, of a source that was just read.
    """

    source: str
    lines: list[str]
    numbers: list[int]
    blank: tuple[int, ...] = ()

    def take(self, rows: Iterable[int]) -> "Sentences":
        """The sentences at these rows, in this order."""
        chosen = list(rows)
        return Sentences(
            self.source,
            [self.lines[row] for row in chosen],
            [self.numbers[row] for row in chosen],
        )


def complete_splits(
    splits: Mapping[str, Sentences],
    fractions: Mapping[str, float],
    seed: int,
    canonical: Canonical,
    max_train: int | None,
) -> dict[str, Sentences]:
    """`train`, `valid` and `test`: the splits that are given, the others held out by share of the
    distinct training sentences; of the rest, the first `max_train`.

    A held-out split has at least one sentence while there are any, and keeps the order. Raises
    `UserError` where copies leave none for training.
    """
    missing = {name: part for name, part in fractions.items() if name not in splits}
    whole = {**splits, **_hold_out(splits["train"], missing, seed, canonical)}
    train = whole["train"]
    return whole | {"train": train.take(range(len(train.lines))[:max_train])}


def _hold_out(
    sentences: Sentences, fractions: dict[str, float], seed: int, canonical: Canonical
) -> dict[str, Sentences]:
    groups: dict[str, list[int]] = {}
    for row, line in enumerate(sentences.lines):
        groups.setdefault(canonical(line), []).append(row)
    members = list(groups.values())
    if len(members) <= len(fractions) and len(members) < len(sentences.lines):
        raise UserError(
            f"{sentences.source}: {len(sentences.lines)} lines, of which {len(members)} differ as "
            "the tokenizer sees them: too few to hold some out, since copies stay together; give "
            "other text, or separate held-out data"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(members)).tolist()
    sizes = {name: max(1, round(part * len(members))) for name, part in fractions.items()}
    splits = {}
    for name, size in [*sizes.items(), ("train", len(members))]:
        chosen, order = order[:size], order[size:]
        splits[name] = sentences.take(sorted(row for group in chosen for row in members[group]))
    return splits


def read_text(paths: Mapping[str, str | None]) -> dict[str, Sentences]:
    """The splits that have a file, by name."""
    fields = {"train": "path", "valid": "valid_path", "test": "test_path"}
    return {
        name: read_sentences(path, f"data.{fields[name]}")
        for name, path in paths.items()
        if path is not None
    }


def read_sentences(path: str, field: str) -> Sentences:
    """The sentences of a file that `field` of the configuration names."""
    try:
        lines = read_lines(Path(path), keep_blank=True)
    except UserError as error:
        raise UserError(f"{field}: {error}") from error
    return _number(path, lines)


def read_unbroken(path: str, field: str) -> Sentences:
    """The sentences of a file whose line i belongs to line i of another: none may be blank."""
    sentences = read_sentences(path, field)
    for expected, number in enumerate(sentences.numbers, start=1):
        if number != expected:
            raise UserError(
                f"{field}: {path}: line {expected} is blank, which breaks the pairs; remove this "
                f"line from both files"
            )
    return sentences


def read_huggingface(
    dataset: Dataset, splits: Mapping[str, str | None], column: str
) -> dict[str, Sentences]:
    """The splits that have a name in the dataset."""
    return {
        name: _column(dataset, dataset.part(f"{name}_split", split), split, column)
        for name, split in splits.items()
        if split is not None
    }


def _column(dataset: Dataset, part: Any, split: str, column: str) -> Sentences:
    """The sentences of one split."""
    dataset.check_column(part, "column", column)
    source, field = f"{dataset.name} ({split})", f"{dataset.field}.column={column!r}"
    lines = []
    for row, value in enumerate(part[column], start=1):
        if value is not None and not isinstance(value, str):
            raise UserError(
                f"{field}: {dataset.name} holds {type(value).__name__} "
                f"there, not text; choose from: {', '.join(part.column_names)}"
            )
        lines.append(clean_text(value or "", f"{field}: {source}: row {row}"))
    return _number(source, lines)


def _number(source: str, lines: list[str]) -> Sentences:
    """Drop blank lines and remember where the others stand."""
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    blank = tuple(number for number, line in enumerate(lines, start=1) if not line.strip())
    return Sentences(source, [lines[number - 1].strip() for number in numbers], numbers, blank)
