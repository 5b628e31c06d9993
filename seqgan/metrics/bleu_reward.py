"""Sentence BLEU as a reward: one fixed set of references, many hypotheses, over and over.

The numbers are those of `exact_bleu.sentence_bleu`, but the references are counted once: for each
order a sorted table of n-grams, each with its largest count in one reference, in which a
hypothesis looks up (rank of its first n − 1 words, last word). A position whose n-gram no reference
has cannot match at higher orders either, and is dropped.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqgan.core.types import SharedPrefix
from seqgan.metrics.corpus import Corpus, Floats, Ints
from seqgan.metrics.exact_bleu import closest_lengths, scores


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The n-grams of one order that stand in references: sorted `key` = prefix rank · V + word."""

    key: Ints
    largest: Ints
    """Largest count of each n-gram in one reference."""

    def rank(self, key: Ints) -> Ints:
        """Position of each key in the table, or -1."""
        if not len(self.key):  # no reference is that long
            return np.full(len(key), -1)
        place = np.searchsorted(self.key, key).clip(max=len(self.key) - 1)
        return np.where(self.key[place] == key, place, -1)


class BleuScorer:
    """BLEU of sentences against all of a fixed set of references."""

    def __init__(self, references: Corpus, vocab_size: int, order: int) -> None:
        if not len(references):
            raise ValueError("BLEU needs at least one reference")
        self._vocab_size = vocab_size
        self._order = order
        self._lengths = references.lengths
        self._tables = _tables(references, vocab_size, order)

    def __call__(self, hypotheses: Corpus) -> Floats:
        """One score in [0, 1] a sentence."""
        rows, lengths = len(hypotheses), hypotheses.lengths
        row, remaining = hypotheses.positions()
        start = np.arange(len(row))
        prefix = np.zeros_like(start)
        matches = []
        for order, table in enumerate(self._tables, start=1):
            inside = remaining[start] >= order
            start, prefix = start[inside], prefix[inside]
            rank = table.rank(prefix * self._vocab_size + hypotheses.ids[start + order - 1])
            start, prefix = start[rank >= 0], rank[rank >= 0]
            pair, count = np.unique(prefix * rows + row[start], return_counts=True)
            gram, hypothesis = np.divmod(pair, rows)
            clipped = np.minimum(count, table.largest[gram])
            matches.append(np.bincount(hypothesis, weights=clipped, minlength=rows))
        closest = closest_lengths(lengths, self._lengths, leave_one_out=False)
        return scores(matches, lengths, closest, [self._order])[self._order]


def _tables(references: Corpus, vocab_size: int, max_order: int) -> list[_Table]:
    row, remaining = references.positions()
    start = np.arange(len(row))
    prefix = np.zeros_like(start)
    tables = []
    for order in range(1, max_order + 1):
        inside = remaining[start] >= order
        start, prefix = start[inside], prefix[inside]
        word = references.ids[start + order - 1]
        key, prefix = np.unique(prefix * vocab_size + word, return_inverse=True)
        pair, count = np.unique(prefix * len(references) + row[start], return_counts=True)
        largest = np.zeros(len(key), dtype=np.int64)
        np.maximum.at(largest, pair // len(references), count)
        tables.append(_Table(key, largest))
    return tables


class BleuReward:
    """`core.types.Reward`: BLEU of each row against the references. The end token is no word."""

    def __init__(self, scorer: BleuScorer, end_id: int | None) -> None:
        self._scorer = scorer
        self._end_id = end_id

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        assert mask is not None, "sequences have masks"
        hypotheses = Corpus.from_masked(x.cpu().numpy(), mask.cpu().numpy(), self._end_id)
        return torch.from_numpy(self._scorer(hypotheses)).to(x.device, torch.float32)
