"""Tokens that a vocabulary lacks: how many there are, and when that spoils what is measured.

A model is as good on `<unk>` as on any token that training shows it. Where training shows none and
held-out text has some, their likelihood is an accident of initialisation: then there is a warning.
So are they where most of the text may be lost: without spaces between words a line is one word.
"""

from seqgan.core.plain import JsonObject
from seqgan.data.tokenizers import FOR_TEXT_WITHOUT_SPACES

TOLERATED = 0.001
"""Share of held-out tokens that may be unknown although training shows no such token."""
NO_WORDS = 0.2
"""Share of unknown held-out tokens above which they may be no words."""


def unknown_rate(rows: list[list[int]], unk_id: int) -> float:
    """Share of unknown tokens, end tokens not counted."""
    tokens = sum(len(ids) for ids in rows)
    return sum(ids.count(unk_id) for ids in rows) / max(tokens, 1)


def unk_rates(report: JsonObject) -> dict[str, float]:
    """Shares of unknown tokens in the splits of a data report."""
    return {name: report[name]["unk_rate"] for name in ("train", "valid", "test")}


def unknown_warnings(report: JsonObject, own_words: bool, field: str) -> list[str]:
    """What is wrong with the `unk_rate` of the splits of `report`, a line each.

    `own_words`: whether the vocabulary is made of the words of the training text. `field` is where
    the text stands in the configuration.
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
