"""A corpus ready for training: token ids and masks of three splits, and an account of the data.

Decisions
- The vocabulary comes from the training split alone, before sentences that are too long leave;
  SentencePiece does not read what surely leaves (`lines_to_learn_from`).
- A sentence takes one column per token and one for its end. Where `data.overlong=truncate`, the
  first `data.length` tokens stay *without* an end token: the sentence did not end there, and a
  model's sample that fills all columns looks the same.
- Duplicates and overlap are counted on lines as the tokenizer sees them (`build_canonical`),
  after overlong sentences were dropped.

Data with two sides (`unpaired_text.py`, `events.py`) make each of them with the same functions.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.progress import tracked
from seqgan.core.types import SequenceSpace
from seqgan.data.corpus_config import CorpusConfig, SentenceFilesConfig
from seqgan.data.sources import Sentences, read_splits
from seqgan.data.text_pair_config import TextFilesConfig
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.unknown_tokens import unknown_rate, unknown_warnings

Limits = CorpusConfig | TextFilesConfig
"""How long and how many sentences may be: `length`, `overlong`, `max_train`."""


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """N sentences: ids (long, padded with the end id), masks, and the lines as they were read."""

    ids_NT: Tensor
    mask_NT: Tensor
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Three splits over one vocabulary; `report` is plain JSON."""

    space: SequenceSpace
    tokenizer: Tokenizer
    train: EncodedSplit
    valid: EncodedSplit
    test: EncodedSplit
    report: JsonObject


@dataclass(frozen=True, slots=True)
class Fitted:
    """Sentences as ids of at most `length` columns, and what it took to make them fit."""

    lines: list[str]
    ids: list[list[int]]
    dropped: int
    truncated: int
    longest: int


def load_corpus(config: SentenceFilesConfig, tokenizer: Tokenizer | None = None) -> Corpus:
    """Read, split, tokenize and count. `tokenizer` is a run's own; None builds one.

    Raises `UserError` for files, columns or sentences that cannot be used.
    """
    canonical = config.tokenizer.build_canonical()
    sentences = read_splits(config, canonical)
    lines = sentences["train"].lines
    learned = config.tokenizer.lines_to_learn_from(lines, config.length, config.overlong)
    unfitted = Fitted(learned, [], len(lines) - len(learned), 0, 0)
    check_size("train", unfitted, config.source, config)  # before a tokenizer is built of nothing
    if tokenizer is None:
        tokenizer = config.tokenizer.build(learned)
    fitted = {name: fit_sentences(split, tokenizer, config) for name, split in sentences.items()}
    for name, split in fitted.items():
        check_size(name, split, config.source, config)
    end_id = tokenizer.end_id
    report = describe_splits(fitted, tokenizer, config.length, canonical)
    report["warnings"] = unknown_warnings(report, config.tokenizer.counts_words, "data")
    return Corpus(
        space=SequenceSpace(tokenizer.vocab_size, config.length, end_id),
        tokenizer=tokenizer,
        train=to_split(fitted["train"], config.length, end_id),
        valid=to_split(fitted["valid"], config.length, end_id),
        test=to_split(fitted["test"], config.length, end_id),
        report=report,
    )


def fit_sentences(
    sentences: Sentences, tokenizer: Tokenizer, limits: Limits, field: str = "data"
) -> Fitted:
    """Encode, and deal with sentences that are longer than the model as configured.

    `field` is where `limits` stand in the configuration, for messages.
    """
    length, overlong = limits.length, limits.overlong
    reading = tracked(sentences.lines, "reading text", len(sentences.lines))
    encoded = [tokenizer.encode(line) for line in reading]
    lengths = [len(ids) + 1 for ids in encoded]
    too_long = [row for row, columns in enumerate(lengths) if columns > length]
    longest = max(lengths, default=0)
    if too_long and overlong == "error":
        row = too_long[0]
        raise UserError(
            f"{sentences.source}: line {sentences.numbers[row]} has "
            f"{lengths[row]} tokens with its end token, but {field}.length={length}; raise "
            f"{field}.length (the longest line needs {longest}), or set {field}.overlong=drop or "
            f"{field}.overlong=truncate"
        )
    if overlong == "drop":
        kept = [row for row, columns in enumerate(lengths) if columns <= length]
        lines = [sentences.lines[row] for row in kept]
        return Fitted(lines, [encoded[row] for row in kept], len(too_long), 0, longest)
    cut = [ids[:length] for ids in encoded]
    return Fitted(sentences.lines, cut, 0, len(too_long), longest)


def check_size(name: str, split: Fitted, source: str, limits: Limits, field: str = "data") -> None:
    """Refuse a training split of fewer than two sentences, or an empty one."""
    needed = 2 if name == "train" else 1
    count = len(split.lines)
    if count >= needed:
        return
    if split.dropped:
        why = f"{split.dropped} were dropped as longer than {field}.length={limits.length}"
        remedy = f"raise {field}.length, or set {field}.overlong=truncate"
    else:
        why = f"{field}.max_train={limits.max_train}" if limits.max_train else "the text is short"
        remedy = f"give more text, raise {field}.max_train, or give separate held-out data"
    raise UserError(
        f"{source}: the {name} split has {count} sentences and needs at least {needed} "
        f"({why}); {remedy}"
    )


def to_split(split: Fitted, length: int, end_id: int) -> EncodedSplit:
    """The tensors of one split."""
    ids_NT = np.full((len(split.ids), length), end_id, dtype=np.int64)
    for row, ids in enumerate(split.ids):
        ids_NT[row, : len(ids)] = ids
    tensor_NT = torch.from_numpy(ids_NT)
    return EncodedSplit(tensor_NT, mask_until_end(tensor_NT, end_id), split.lines)


def describe_splits(
    splits: dict[str, Fitted],
    tokenizer: Tokenizer,
    length: int,
    canonical: Callable[[str], str],
) -> JsonObject:
    """Counts by split. `longest` is in tokens, the end token included, before drops and cuts.
    The hash of the ids tells a resumed run whether the files are still the same."""
    keys = {name: [canonical(line) for line in split.lines] for name, split in splits.items()}
    train_keys = set(keys["train"])
    report: JsonObject = {"vocabulary": tokenizer.vocab_size, "length": length}
    for name in ("train", "valid", "test"):
        split = splits[name]
        report[name] = {
            "lines": len(split.lines),
            "dropped": split.dropped,
            "truncated": split.truncated,
            "longest": split.longest,
            "unk_rate": unknown_rate(split.ids, tokenizer.unk_id),
            "duplicates": len(keys[name]) - len(set(keys[name])),
            "sha256": hashlib.sha256(json.dumps(split.ids).encode()).hexdigest(),
        }
        if name != "train":
            report[name]["in_train"] = sum(key in train_keys for key in keys[name])
    return report
