"""An interpolated n-gram language model on ids, and the divergence of token usage.

Witten–Bell smoothing (Witten & Bell 1991, method C; interpolated as in Chen & Goodman 1999):

    p_k(w | h) = (c(h w) + t(h) · p_{k-1}(w | h')) / (c(h) + t(h)),     p_0(w) = 1 / V,

h the last k − 1 tokens, h' without the oldest, c the counts and t(h) the number of different
tokens that followed h; where h never occurred, p_k = p_{k-1}. Not Kneser–Ney: its discount is
estimated from counts of counts, which letters of a small alphabet do not have.

Decisions
- The mask says what counts: with `mask_until_end` the end token is predicted like any other, and
  nothing behind it is counted. Masks are a prefix of each row.
- A sentence is preceded by start tokens, of an id of their own (V) that is never predicted.
- An n-gram is one integer in base V + 1, so that a sort counts and a binary search looks up;
  (V + 1)^order must fit into 63 bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgan.metrics.corpus import Corpus, Floats, Ints, Sentences, as_corpora


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """The n-grams of one order, and the contexts (an n-gram without its last token)."""

    gram: Ints
    """Keys, ascending; so are those of the contexts."""
    count: Ints
    context: Ints
    total: Ints
    types: Ints


class NgramModel:
    """p(token | the `order` − 1 tokens before it), for `vocab_size` tokens."""

    def __init__(self, order: int, vocab_size: int) -> None:
        if order < 1:
            raise ValueError(f"order={order}: an n-gram model has at least order 1")
        if (vocab_size + 1) ** order >= 2**63:
            raise ValueError(
                f"order={order} with vocab_size={vocab_size}: the n-grams do not fit into 63 bits; "
                f"lower the order"
            )
        self.order = order
        self.vocab_size = vocab_size
        self._orders: list[_Counts] = []

    def fit(self, ids_NT: NDArray[np.integer], mask_NT: NDArray[np.bool_]) -> "NgramModel":
        """Count the tokens where the mask is True. Replaces earlier counts; returns itself."""
        base = self.vocab_size + 1
        self._orders = [_count(grams, base) for grams in self._grams(ids_NT, mask_NT)]
        return self

    def nll_NT(self, ids_NT: NDArray[np.integer], mask_NT: NDArray[np.bool_]) -> Floats:
        """−log p of every token in nats, 0 where the mask is False."""
        if not self._orders:
            raise ValueError("the n-gram model has no counts yet; call fit first")
        p = np.full(int(np.count_nonzero(mask_NT)), 1 / self.vocab_size)
        for counts, grams in zip(self._orders, self._grams(ids_NT, mask_NT), strict=True):
            count = _look_up(counts.gram, counts.count, grams)
            context = grams // (self.vocab_size + 1)
            total = _look_up(counts.context, counts.total, context)
            types = _look_up(counts.context, counts.types, context)
            p = np.where(total > 0, (count + types * p) / np.maximum(total + types, 1), p)
        nll_NT = np.zeros(np.shape(ids_NT))
        nll_NT[np.asarray(mask_NT, dtype=bool)] = -np.log(p)
        return nll_NT

    def _grams(self, ids_NT: NDArray[np.integer], mask_NT: NDArray[np.bool_]) -> list[Ints]:
        """For every order the keys of the n-grams that end at the tokens that count."""
        ids_NT = np.asarray(ids_NT, dtype=np.int64)
        mask_NT = np.asarray(mask_NT, dtype=bool)
        rows, columns = ids_NT.shape
        base, before = self.vocab_size + 1, self.order - 1
        padded = np.full((rows, before + columns), self.vocab_size, dtype=np.int64)
        padded[:, before:] = ids_NT
        key_NT = np.zeros_like(ids_NT)
        grams = []
        for back in range(self.order):
            key_NT = key_NT + padded[:, before - back : before - back + columns] * base**back
            grams.append(key_NT[mask_NT])
        return grams


def unigram_kl(generated: Sentences, real: Sentences, vocab_size: int | None = None) -> float:
    """KL(generated ‖ real) in nats of how often each token is used.

    Each of `vocab_size` tokens (None: of those that occur) gets half an occurrence more than it
    has, so that the value is finite.

    >>> unigram_kl(["a b"], ["a b"])
    0.0
    """
    ours, theirs = as_corpora(generated, real)
    if vocab_size is None:
        vocab_size = 1 + int(max(ours.ids.max(initial=-1), theirs.ids.max(initial=-1)))
    p, q = _usage(ours, vocab_size), _usage(theirs, vocab_size)
    return float((p * np.log(p / q)).sum())


def _usage(corpus: Corpus, vocab_size: int) -> Floats:
    count: Floats = (np.bincount(corpus.ids, minlength=vocab_size) + 0.5).astype(np.float64)
    return np.asarray(count / count.sum())


def _count(grams: Ints, base: int) -> _Counts:
    gram, count = np.unique(grams, return_counts=True)
    if not len(gram):
        return _Counts(gram, count, gram, count, count)
    # Keys ascend, so the n-grams of a context stand together.
    context, start, types = np.unique(gram // base, return_index=True, return_counts=True)
    return _Counts(gram, count, context, np.add.reduceat(count, start), types)


def _look_up(keys: Ints, values: Ints, wanted: Ints) -> Ints:
    """The value of each wanted key, 0 where there is none."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
