"""Exact sentence-BLEU and Self-BLEU of whole corpora, without a loop over pairs of sentences.

BLEU of one hypothesis h against all references R, for order n (Papineni et al. 2002):

    p_i  = sum_g min(count_h(g), max_{r in R} count_r(g)) / max(1, number of i-grams g of h)
    BP   = min(1, exp(1 - |r*| / |h|)),  r* the reference closest in length, the shorter of a tie
    BLEU = BP * exp(1/n * sum_{i=1..n} log p_i)

A numerator of zero becomes 0.1 ("method 1" of Chen & Cherry 2014), except that a hypothesis with
no word in common with the references scores 0: NLTK's `sentence_bleu` with method 1 and uniform
weights, to rounding. The corpus value is the mean over the hypotheses, as text-GAN papers report
it. That is *not* the corpus-BLEU of machine translation (pooled counts, other smoothing): never put
both in one table.

Self-BLEU (Zhu et al. 2018, Texygen) takes every sentence against all the others. Low is diverse.
The sentence itself is no reference, but an identical one elsewhere is.

Deviation: Texygen and its descendants score a subsample of the hypotheses; here every sentence
counts. Both values depend on the number of references: compare only corpora of the same size.

Method: an i-gram's id is the rank of (id of its first i-1 words, last word), so that one sort per
order counts all (i-gram, sentence) pairs: O(W log W) per order for W words in both corpora. Leaving
out one sentence needs only each n-gram's largest and second largest count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seqgan.metrics.corpus import Corpus, Floats, Ints, Sentences, as_corpora

ORDERS = (2, 3, 4, 5)
SMOOTHED_ZERO = 0.1


def bleu(
    hypotheses: Sentences, references: Sentences, orders: Sequence[int] = ORDERS
) -> dict[int, float]:
    """Mean over the hypotheses of BLEU against all references, in [0, 1], for every order.

    >>> bleu(["a b c", "a b d"], ["a b c", "a b d e"], orders=(1, 2))
    {1: 1.0, 2: 1.0}
    """
    return _means(sentence_bleu(hypotheses, references, orders))


def self_bleu(sentences: Sentences, orders: Sequence[int] = ORDERS) -> dict[int, float]:
    """Mean over the sentences of BLEU against all the other ones, in [0, 1], for every order.

    >>> self_bleu(["a b c", "a b c", "x y z", "x y z"], orders=(2,))
    {2: 1.0}
    """
    return _means(sentence_self_bleu(sentences, orders))


def sentence_bleu(
    hypotheses: Sentences, references: Sentences, orders: Sequence[int] = ORDERS
) -> dict[int, Floats]:
    """BLEU of every hypothesis against all references. Raises ValueError if a corpus is empty.

    >>> sentence_bleu(["a b", "c"], ["a b"], orders=(2,))
    {2: array([1., 0.])}
    """
    hypotheses, references = as_corpora(hypotheses, references)
    if not len(hypotheses) or not len(references):
        raise ValueError("BLEU needs at least one hypothesis and one reference")
    rows = len(hypotheses)
    matches = []
    for grams in count_ngrams(hypotheses + references, max(orders)):
        is_reference = grams.row >= rows
        limit = grams.largest(np.where(is_reference, grams.count, 0))
        clipped = np.where(is_reference, 0, np.minimum(grams.count, limit))
        matches.append(np.bincount(grams.row, weights=clipped, minlength=rows)[:rows])
    closest = closest_lengths(hypotheses.lengths, references.lengths, leave_one_out=False)
    return scores(matches, hypotheses.lengths, closest, orders)


def sentence_self_bleu(sentences: Sentences, orders: Sequence[int] = ORDERS) -> dict[int, Floats]:
    """BLEU of every sentence against all the others. Raises ValueError for fewer than two.

    >>> sentence_self_bleu(["a b", "a b", "c d"], orders=(1,))
    {1: array([1., 1., 0.])}
    """
    (sentences,) = as_corpora(sentences)
    if len(sentences) < 2:
        raise ValueError("Self-BLEU needs at least two sentences")
    matches = []
    for grams in count_ngrams(sentences, max(orders)):
        clipped = np.minimum(grams.count, _largest_elsewhere(grams))
        matches.append(np.bincount(grams.row, weights=clipped, minlength=len(sentences)))
    closest = closest_lengths(sentences.lengths, sentences.lengths, leave_one_out=True)
    return scores(matches, sentences.lengths, closest, orders)


@dataclass(frozen=True, slots=True, eq=False)
class NgramCounts:
    """How often each n-gram of one order stands in each sentence where it stands at all: one entry
    per (n-gram, sentence) pair, sorted by n-gram, then by sentence.
    """

    gram: Ints
    """Number of the n-gram, from 0 without gaps."""
    row: Ints
    count: Ints

    def largest(self, values: Ints) -> Ints:
        """For every entry the largest of `values` among the entries with the same n-gram."""
        if not len(values):
            return values
        starts = np.flatnonzero(np.diff(self.gram, prepend=-1))
        return np.maximum.reduceat(values, starts)[self.gram]


def count_ngrams(corpus: Corpus, max_order: int) -> Iterator[NgramCounts]:
    """Yield the counts of the n-grams of order 1, 2, ... `max_order`."""
    word = np.unique(corpus.ids, return_inverse=True)[1]
    row, remaining = corpus.positions()
    vocabulary = word.max(initial=0) + 1
    start = np.arange(len(word))
    gram = word
    for order in range(1, max_order + 1):
        if order > 1:
            inside = remaining[start] >= order
            start = start[inside]
            longer = gram[inside] * vocabulary + word[start + order - 1]
            gram = np.unique(longer, return_inverse=True)[1]
        pair, count = np.unique(gram * len(corpus) + row[start], return_counts=True)
        yield NgramCounts(*np.divmod(pair, max(1, len(corpus))), count)


def _largest_elsewhere(grams: NgramCounts) -> Ints:
    """For every entry the largest count of its n-gram in any other sentence, 0 if in none."""
    largest = grams.largest(grams.count)
    at_top = grams.count == largest
    second = grams.largest(np.where(at_top, 0, grams.count))
    holders = np.bincount(grams.gram, weights=at_top)[grams.gram]
    return np.where(at_top & (holders == 1), second, largest)


def closest_lengths(lengths: Ints, reference_lengths: Ints, leave_one_out: bool) -> Ints:
    """The length of the closest reference of every sentence; of a tie the shorter.

    To leave a sentence out is to ignore its own length when no other sentence has it.
    """
    own, position = np.unique(lengths, return_inverse=True)
    theirs, how_many = np.unique(reference_lengths, return_counts=True)
    distance = np.abs(own[:, None] - theirs).astype(float)
    if leave_one_out:
        distance[(distance == 0) & (how_many == 1)] = np.inf
    nearest: Ints = theirs[distance.argmin(axis=1)]
    return nearest[position]


def scores(
    matches: Sequence[Ints] | Sequence[Floats], lengths: Ints, closest: Ints, orders: Sequence[int]
) -> dict[int, Floats]:
    """Put clipped matches (one array an order, from 1) and lengths together to BLEU."""
    log_precision = np.stack(
        [
            np.log(np.where(match == 0, SMOOTHED_ZERO, match) / np.maximum(1, lengths - i))
            for i, match in enumerate(matches)
        ]
    )
    brevity = np.exp(np.minimum(0.0, 1 - closest / np.maximum(1, lengths)))
    # An empty sentence has no match either, so this is also the rule for length 0.
    factor = np.where(matches[0] == 0, 0.0, brevity)
    return {n: factor * np.exp(log_precision[:n].sum(axis=0) / n) for n in orders}


def _means(scores: dict[int, Floats]) -> dict[int, float]:
    return {order: float(values.mean()) for order, values in scores.items()}
