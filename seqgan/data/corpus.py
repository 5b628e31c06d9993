"""A corpus ready for training: token ids and masks of three splits, and an account of the data.

Decisions
- The vocabulary comes from the training split alone, before sentences that are too long leave;
  SentencePiece does not read what surely leaves (`TokenizerRecipe.lines_to_learn_from`).
- A sentence takes one column per token and one for its end. Where `overlong=truncate`, the first
  `length` tokens stay *without* an end token: the sentence did not end there, and a model's sample
  that fills all columns looks the same.
- Duplicates and overlap are counted on lines as the tokenizer reads them, without what was dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.progress import tracked
from seqgan.core.types import SequenceSpace
from seqgan.data.counts import count_copies, hash_of, unknown_rate, unknown_warnings
from seqgan.data.sources import Limits, Sentences, complete_splits
from seqgan.data.tokenizer_contract import Canonical, Tokenizer, TokenizerRecipe


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """N sentences: ids (long, padded with the end id), masks, and the lines as they were read."""

    ids_NT: Tensor
    mask_NT: Tensor
    lines: list[str]
    report: JsonObject = field(default_factory=dict)
    """Counts and a hash, as plain JSON."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Three splits over one vocabulary; `report` is plain JSON."""

    space: SequenceSpace
    tokenizer: Tokenizer
    train: EncodedSplit
    valid: EncodedSplit
    test: EncodedSplit
    report: JsonObject


def load_corpus(
    splits: dict[str, Sentences],
    recipe: TokenizerRecipe,
    limits: Limits,
    *,
    fractions: dict[str, float],
    seed: int,
    source: str,
    tokenizer: Tokenizer | None = None,
) -> Corpus:
    """Hold out splits that are missing, tokenize and count. `source` is named in messages.

    `fractions` are shares of the distinct training sentences. `tokenizer` is a run's own; None
    builds one. Raises `UserError` for sentences that cannot be used.
    """
    splits = complete_splits(splits, fractions, seed, recipe.canonical, limits.max_train)
    learned = lines_to_learn_from(splits["train"], recipe, limits, source)
    if tokenizer is None:
        tokenizer = recipe.build(learned)
    corpus = encode_corpus(splits, tokenizer, limits, recipe.canonical, source=source)
    corpus.report["warnings"] = unknown_warnings(corpus.report, recipe.counts_words, "data")
    return corpus


def lines_to_learn_from(
    train: Sentences, recipe: TokenizerRecipe, limits: Limits, source: str
) -> list[str]:
    """What a tokenizer is built from; an error where it would be built of nothing."""
    learned = recipe.lines_to_learn_from(train.lines, limits.length, limits.overlong)
    _check_size("train", len(learned), len(train.lines) - len(learned), source, limits)
    return learned


def encode_corpus(
    splits: dict[str, Sentences],
    tokenizer: Tokenizer,
    limits: Limits,
    canonical: Canonical,
    *,
    source: str = "",
    dropped: Mapping[str, int] | None = None,
) -> Corpus:
    """Encode and count `train`, `valid` and `test`.

    `source` is named in messages in place of the splits' own; `dropped` has how many sentences of
    a split were dropped before.
    """
    length, end_id = limits.length, tokenizer.end_id
    before = dropped or {}
    encoded = {
        name: _encode_split(part, tokenizer, limits, before.get(name, 0))
        for name, part in splits.items()
    }
    for name, split in encoded.items():
        lost = split.report["dropped"]
        _check_size(name, len(split.lines), lost, source or splits[name].source, limits)
    copies = count_copies(
        {name: [canonical(line) for line in split.lines] for name, split in encoded.items()}
    )
    report: JsonObject = {"vocabulary": tokenizer.vocab_size, "length": length}
    for name in ("train", "valid", "test"):
        report[name] = encoded[name].report | copies[name]
    return Corpus(
        SequenceSpace(tokenizer.vocab_size, length, end_id), tokenizer, **encoded, report=report
    )


def _encode_split(
    sentences: Sentences, tokenizer: Tokenizer, limits: Limits, dropped: int
) -> EncodedSplit:
    """Encode, and deal with sentences that are longer than the model as configured."""
    length, overlong, name = limits.length, limits.overlong, limits.field
    reading = tracked(sentences.lines, "reading text", len(sentences.lines))
    encoded = [tokenizer.encode(line) for line in reading]
    lengths = [len(ids) + 1 for ids in encoded]
    too_long = [row for row, columns in enumerate(lengths) if columns > length]
    longest = max(lengths, default=0)
    if too_long and overlong == "error":
        row = too_long[0]
        raise UserError(
            f"{sentences.source}: line {sentences.numbers[row]} has "
            f"{lengths[row]} tokens with its end token, but {name}.length={length}; raise "
            f"{name}.length (the longest line needs {longest}), or set {name}.overlong=drop or "
            f"{name}.overlong=truncate"
        )
    rows = range(len(encoded))
    kept = [row for row in rows if overlong != "drop" or lengths[row] <= length]
    ids = [encoded[row][:length] for row in kept]
    ids_NT = pad(ids, length, tokenizer.end_id)
    report: JsonObject = {
        "lines": len(ids),
        "dropped": dropped + len(encoded) - len(ids),
        "truncated": len(too_long) if overlong == "truncate" else 0,
        # In tokens, the end token included, before drops and cuts.
        "longest": longest,
        "unk_rate": unknown_rate(ids, tokenizer.unk_id),
        # Tells a resumed run whether the files are still the same.
        "sha256": hash_of(ids),
    }
    lines = [sentences.lines[row] for row in kept]
    return EncodedSplit(ids_NT, mask_until_end(ids_NT, tokenizer.end_id), lines, report)


def pad(rows: list[list[int]], length: int, fill: int) -> Tensor:
    """Rows of at most `length` ids as a tensor [N, length], filled up behind."""
    ids_NT = np.full((len(rows), length), fill, dtype=np.int64)
    for row, ids in enumerate(rows):
        ids_NT[row, : len(ids)] = ids
    return torch.from_numpy(ids_NT)


def _check_size(name: str, count: int, dropped: int, source: str, limits: Limits) -> None:
    """Refuse a training split of fewer than two sentences, or an empty one."""
    needed, field = 2 if name == "train" else 1, limits.field
    if count >= needed:
        return
    if dropped:
        why = f"{dropped} were dropped as longer than {field}.length={limits.length}"
        remedy = f"raise {field}.length, or set {field}.overlong=truncate"
    else:
        why, raised = "the text is short", ""
        if limits.max_train:
            why, raised = f"{field}.max_train={limits.max_train}", f" raise {field}.max_train,"
        remedy = f"give more text,{raised} or give separate held-out data"
    raise UserError(
        f"{source}: the {name} split has {count} sentences and needs at least {needed} "
        f"({why}); {remedy}"
    )
