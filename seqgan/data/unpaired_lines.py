"""Which lines of two training files are learned from, where the two are never to be paired.

- No file serves both sides: its halves would be text of one kind. Blank lines are dropped.
- `take` makes unpaired text of a parallel corpus: odd lines of one side, even ones of the other.
  With `auto` it does so where lines of equal number belong together, and takes all lines of files
  that are unpaired already. Odd or even lines of files that do not pair bring a warning: half of
  the text is left out for nothing.
- What stands in a file of `data.exclude` is dropped, compared as the tokenizer reads it; of lines
  that are aligned, the pair.
- `rows_pair` compares rows with each other and with the row after, so that files in the same order
  of topics or lengths are not taken for pairs.

What is left out is counted by its reason (`UnpairedText.left_out`).
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seqgan.core.errors import UserError
from seqgan.core.scripts import set_apart
from seqgan.data.sources import Limits, Sentences, read_sentences
from seqgan.data.tokenizer_contract import Canonical

ROWS = 2_000
"""Training rows that are looked at to see whether they pair."""
SURE = 6.0
"""Standard errors by which rows of equal number must be closer than others to be called pairs."""

ENOUGH_ROWS = 200
"""Training rows from which on it is certain that they do not pair, where they do not seem to."""


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """The training files of one side, read one behind the other."""

    paths: list[str]
    take: str
    """Which lines: all, odd, even, or auto."""
    limits: Limits


@dataclass(frozen=True, slots=True)
class TrainingLines:
    """The lines of both sides that `take` leaves, before exclusion; by side."""

    pools: dict[str, Sentences]
    not_taken: dict[str, int]
    warnings: list[str]


def read_training_lines(
    files: dict[str, TrainingFiles], canonical: Canonical, aligned: bool
) -> TrainingLines:
    """Read the training files of both sides. Raises `UserError` for files that cannot be used."""
    _check_apart(files["a"].paths, files["b"].paths)
    whole = {side: _read_whole(part.paths, f"data.{side}.path") for side, part in files.items()}
    asked = {side: part.take for side, part in files.items()}
    taken, warnings = _choose_take(asked, whole, canonical, aligned)
    pools = {side: _take(part, taken[side]) for side, part in whole.items()}
    not_taken = {
        side: len(whole[side].lines) + len(whole[side].blank) - len(pool.lines) - len(pool.blank)
        for side, pool in pools.items()
    }
    return TrainingLines(pools, not_taken, warnings)


def _choose_take(
    asked: dict[str, str], whole: dict[str, Sentences], canonical: Canonical, aligned: bool
) -> tuple[dict[str, str], list[str]]:
    """By side all, odd or even, and warnings about the choice."""
    if aligned or set(asked.values()) == {"all"}:
        return {side: "all" if take == "auto" else take for side, take in asked.items()}, []
    beside = _lines_beside(whole["a"], whole["b"])
    a, b = ([canonical(line) for line in lines] for lines in beside)
    if rows_pair(a, b):
        if asked["a"] != "auto":
            return dict(asked), []
        warning = (
            "data.a, data.b: training lines of equal number belong together, so odd lines of "
            "data.a and even lines of data.b are taken (take=auto)"
        )
        return {"a": "odd", "b": "even"}, [warning]
    if asked["a"] == "auto":
        return {"a": "all", "b": "all"}, []
    if 0 < len(a) < ENOUGH_ROWS:
        return dict(asked), []
    halves = ", ".join(f"data.{side}.take={take}" for side, take in asked.items() if take != "all")
    warning = (
        f"{halves}: leaves out every other training line, though lines of equal number do not "
        "belong together; set data.a.take=auto and data.b.take=auto"
    )
    return dict(asked), [warning]


def _lines_beside(a: Sentences, b: Sentences) -> tuple[list[str], list[str]]:
    """The first lines of equal number, of files with equally many lines; else none."""
    if len(a.lines) + len(a.blank) != len(b.lines) + len(b.blank):
        return [], []
    of_a, of_b = _first_file(a), _first_file(b)
    both = [number for number in of_a if number in of_b]
    return [of_a[number] for number in both], [of_b[number] for number in both]


def _first_file(sentences: Sentences) -> dict[int, str]:
    """By their numbers, the first lines of the first file."""
    lines: dict[int, str] = {}
    for number, line in zip(sentences.numbers[: ROWS + 1], sentences.lines, strict=False):
        if number in lines:
            break
        lines[number] = line
    return lines


def _check_apart(a: list[str], b: list[str]) -> None:
    """Halves of one file are text of one kind, whatever `take` says."""
    ours = {Path(path).resolve() for path in a}
    for path in b:
        if Path(path).resolve() in ours:
            raise UserError(
                f"data.b.path: {path} is a file of data.a.path as well; name text of another kind "
                f"(take=odd and take=even are for two files that are aligned line by line)"
            )


def _read_whole(paths: list[str], field: str) -> Sentences:
    """The lines of a side, all files one behind the other; numbers are those in a file."""
    parts = [read_sentences(path, field) for path in paths]
    return Sentences(
        ", ".join(paths),
        [line for part in parts for line in part.lines],
        [number for part in parts for number in part.numbers],
        tuple(number for part in parts for number in part.blank),
    )


def _take(whole: Sentences, take: str) -> Sentences:
    if take == "all":
        return whole
    odd = take == "odd"
    part = whole.take(row for row, n in enumerate(whole.numbers) if (n % 2 == 1) == odd)
    return replace(part, blank=tuple(n for n in whole.blank if (n % 2 == 1) == odd))


def find_excluded(
    paths: list[str], keys: dict[str, list[str]], canonical: Canonical, aligned: bool
) -> dict[str, list[bool]]:
    """By side, which training lines stand in one of the files; a pair goes as one."""
    files = [read_sentences(path, "data.exclude") for path in paths]
    barred = {canonical(line) for sentences in files for line in sentences.lines}
    excluded = {side: [key in barred for key in lines] for side, lines in keys.items()}
    if aligned:
        either = [a or b for a, b in zip(excluded["a"], excluded["b"], strict=True)]
        return {"a": either, "b": either}
    return excluded


def rows_pair(keys_a: list[str], keys_b: list[str]) -> bool:
    """Whether row i of one side has more to do with row i of the other than with row i + 1.

    Measured in common words and in lengths; either one is enough.
    """
    if len(keys_a) != len(keys_b) or len(keys_a) < 3:
        return False
    a = [set_apart(key).split() for key in keys_a[: ROWS + 1]]
    b = [set_apart(key).split() for key in keys_b[: ROWS + 1]]
    words_a, words_b = [set(row) for row in a], [set(row) for row in b]
    common = [
        len(ours & own) / max(len(own), 1) - len(ours & after) / max(len(after), 1)
        for ours, own, after in zip(words_a, words_b, words_b[1:], strict=False)
    ]
    length_a, length_b = (np.array([len(row) for row in side], float) for side in (a, b))
    centred_a, centred_b = length_a - length_a.mean(), length_b - length_b.mean()
    together = centred_a[:-1] * (centred_b[:-1] - centred_b[1:])
    return _standard_errors(np.array(common)) > SURE or _standard_errors(together) > SURE


def _standard_errors(values: np.ndarray) -> float:
    """The mean in units of its standard error; of fewer than 50 values nothing is concluded."""
    mean, spread = float(values.mean()), float(values.std())
    if len(values) < 50 or mean <= 0:
        return 0.0
    return mean / spread * len(values) ** 0.5 if spread > 0 else float("inf")
