"""Counts of data reports: copies, hashes, and tokens that the vocabulary lacks."""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence

from seqgan.core.plain import JsonObject
from seqgan.data.tokenizers import FOR_TEXT_WITHOUT_SPACES

TOLERATED = 0.001
"""Share of held-out tokens that may be unknown although training shows no such token."""
NO_WORDS = 0.2
"""Share of unknown held-out tokens above which they may be no words."""


def count_copies(rows: Mapping[str, Sequence[Hashable]]) -> dict[str, JsonObject]:
    """By split: rows that stand there before (`duplicates`), and held-out rows `in_train`."""
    train = set(rows["train"])
    counts: dict[str, JsonObject] = {
        name: {"duplicates": len(part) - len(set(part))} for name, part in rows.items()
    }
    for name in rows.keys() - {"train"}:
        counts[name]["in_train"] = sum(row in train for row in rows[name])
    return counts


def hash_of(ids: object) -> str:
    """SHA-256 of lists of ids."""
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def unknown_rate(rows: list[list[int]], unk_id: int) -> float:
    """Share of unknown tokens, end tokens not counted."""
    tokens = sum(len(ids) for ids in rows)
    return sum(ids.count(unk_id) for ids in rows) / max(tokens, 1)


def unk_rates(report: JsonObject) -> dict[str, float]:
    """Shares of unknown tokens in the splits of a data report."""
    return {name: report[name]["unk_rate"] for name in ("train", "valid", "test")}


def unknown_warnings(report: JsonObject, own_words: bool, field: str) -> list[str]:
    """Warnings about unknown tokens, a line each; `field` is where the text is configured.

    `own_words`: the vocabulary is made of the words of the training text. A line without spaces is
    one unknown word then, and most of the text may be lost. Where held-out text has unknown tokens
    and training has none, their likelihood is an accident of initialisation.
    """
    rates = unk_rates(report)
    worst = max(("valid", "test"), key=lambda name: rates[name])
    share = f"{field}: {rates[worst]:.1%} of the {worst} tokens are unknown (<unk>)"
    if own_words and rates[worst] > NO_WORDS:
        return [f"{share}; {FOR_TEXT_WITHOUT_SPACES}, else give more text"]
    if rates["train"] > 0 or rates[worst] <= TOLERATED:
        return []
    remedy = "give training text that has such words, or go by the likelihood of known tokens"
    if own_words:
        remedy = "set data.tokenizer.min_count=2"
    return [
        f"{share}, of the training tokens none, so that training says nothing about their "
        f"likelihood; {remedy}"
    ]
