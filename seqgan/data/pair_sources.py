"""Prompts and responses as text: .jsonl files, Hugging Face data, aligned files, or a grammar, cut
into splits. Torch-free.

Decisions
- Held-out shares are shares of the distinct prompts, so that no held-out prompt was ever answered
  in training; of labels, shares of the distinct pairs. Splits given by the user are taken as they
  are.
- A blank line of a .jsonl file is no pair. In aligned files it is an error, like an empty prompt or
  response.
- Text of .jsonl files and datasets keeps its spaces and line breaks, in one spelling
  (`core/text_files.py`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.plain import JsonObject
from seqgan.core.text_files import clean_text
from seqgan.data.huggingface import Dataset
from seqgan.data.small_talk import write_pairs
from seqgan.data.sources import Sentences, complete_splits, read_sentences, read_unbroken
from seqgan.data.tokenizer_contract import Canonical


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs as text. `numbers[i]` says where in `source` pair i stands, from 1."""

    source: str
    prompts: list[str]
    responses: list[str]
    numbers: list[int]

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, rows: Iterable[int]) -> "Pairs":
        """The pairs at these rows, in this order."""
        chosen = list(rows)
        return Pairs(
            self.source,
            [self.prompts[row] for row in chosen],
            [self.responses[row] for row in chosen],
            [self.numbers[row] for row in chosen],
        )


def complete_pairs(
    splits: dict[str, Pairs],
    fractions: dict[str, float],
    seed: int,
    canonical: Canonical,
    max_train: int | None,
    labels: bool,
) -> dict[str, Pairs]:
    """`train`, `valid` and `test`, as `sources.complete_splits` makes them.

    `fractions` are shares of the distinct prompts; of `labels`, of the distinct pairs.
    """
    train = splits["train"]
    keys = train.prompts
    if labels:
        keys = [" ".join(pair) for pair in zip(train.prompts, train.responses, strict=True)]
    # What is held out is a matter of rows: here their numbers are those of the pairs.
    rows = {name: Sentences(train.source, [], []) for name in splits}
    rows["train"] = Sentences(train.source, keys, [*range(len(train))])
    held = complete_splits(rows, fractions, seed, canonical, max_train)
    return {name: train.take(part.numbers) for name, part in held.items()} | {
        name: part for name, part in splits.items() if name != "train"
    }


def read_prompts(path: str, name: str) -> Sentences:
    """Further prompts, without responses: lines, or the field `name` of a .jsonl file."""
    field = "data.prompts"
    if Path(path.removesuffix(".gz")).suffix != ".jsonl":
        return read_sentences(path, field)
    lines, numbers = [], []
    for number, row in _json_rows(path, field):
        lines.append(_text(row, name, "data.source.prompt", f"{field}: {path}: line {number}"))
        numbers.append(number)
    return Sentences(path, lines, numbers)


def write_small_talk(pairs: int, seed: int) -> Pairs:
    """Pairs of the grammar of small talk."""
    written = write_pairs(pairs, seed)
    prompts, responses = [post for post, _ in written], [reply for _, reply in written]
    return Pairs("small_talk", prompts, responses, _numbers(prompts))


def _numbers(rows: list[str]) -> list[int]:
    return list(range(1, len(rows) + 1))


def read_jsonl(paths: Mapping[str, str | None], prompt: str, response: str) -> dict[str, Pairs]:
    """The splits that have a file; `prompt` and `response` are fields of each row."""
    fields = {"train": "path", "valid": "valid_path", "test": "test_path"}
    return {
        name: _read_file(path, prompt, response, f"data.source.{fields[name]}")
        for name, path in paths.items()
        if path is not None
    }


def _read_file(path: str, prompt: str, response: str, field: str) -> Pairs:
    prompts, responses, numbers = [], [], []
    for number, row in _json_rows(path, field):
        where = f"{field}: {path}: line {number}"
        prompts.append(_text(row, prompt, "data.source.prompt", where))
        responses.append(_text(row, response, "data.source.response", where))
        numbers.append(number)
    return Pairs(path, prompts, responses, numbers)


def _json_rows(path: str, field: str) -> Iterator[tuple[int, JsonObject]]:
    """(line number, object) of every line that is not blank."""
    sentences = read_sentences(path, field)
    for number, line in zip(sentences.numbers, sentences.lines, strict=True):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{field}: {path}: line {number} is no JSON ({_why(error)}); "
                "write one object a line"
            ) from None
        if not isinstance(row, dict):
            raise UserError(
                f"{field}: {path}: line {number} is no JSON object; write one object a line, such "
                'as {"prompt": "…", "response": "…"}'
            )
        yield number, row


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    nested = isinstance(error, RecursionError)
    return "nested too deeply" if nested else "a number of thousands of digits"


def _text(row: JsonObject, name: str, option: str, where: str) -> str:
    """A field's text; whole numbers are labels."""
    if name not in row:
        raise UserError(
            f"{where} has no field '{name}'{did_you_mean(name, row) or ';'} it has: "
            f"{', '.join(row) or 'none'}; name the field in {option}"
        )
    return _checked(row[name], f"{where}: the field '{name}'")


def _checked(value: object, what: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise UserError(f"{what} is {kind}, not text; write text, or leave the pair out")
    text = clean_text(value, what)
    if not text.strip():
        raise UserError(f"{what} is empty; write text, or leave the pair out")
    return text


def read_huggingface(
    dataset: Dataset, splits: Mapping[str, str | None], prompt: str, response: str
) -> dict[str, Pairs]:
    """The splits that have a name in the dataset; `prompt` and `response` are columns."""
    found = {}
    for name, split in splits.items():
        if split is None:
            continue
        part = dataset.part(f"{name}_split", split)
        where = f"{dataset.name} ({split})"
        prompts = _column(dataset, part, "prompt", prompt, where)
        responses = _column(dataset, part, "response", response, where)
        found[name] = Pairs(where, prompts, responses, _numbers(prompts))
    return found


def _column(dataset: Dataset, part: Any, key: str, column: str, where: str) -> list[str]:
    dataset.check_column(part, key, column)
    return [
        _checked(value, f"{dataset.field}.{key}: {where}: row {row}: the column '{column}'")
        for row, value in enumerate(part[column], start=1)
    ]


def read_aligned(prompts_path: str, responses_path: str, field: str) -> Pairs:
    """Line i of one file and line i of the other."""
    prompts = read_unbroken(prompts_path, f"{field}.prompts")
    responses = read_unbroken(responses_path, f"{field}.responses")
    if len(prompts.lines) != len(responses.lines):
        raise UserError(
            f"{field}: {prompts_path} has {len(prompts.lines)} lines, {responses_path} has "
            f"{len(responses.lines)}, but line i of one must belong to line i of the other; give "
            "files that are aligned line by line"
        )
    return Pairs(prompts_path, prompts.lines, responses.lines, prompts.numbers)
