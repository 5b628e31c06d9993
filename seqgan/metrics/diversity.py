"""How much a corpus of samples repeats itself, or its training data.

    distinct-n   = number of different n-grams / number of n-grams      (Li et al. 2016)
    unique share = number of different sentences / number of sentences
    copy rate    = share of the sentences that stand, word for word, in the training corpus

Distinct-n and the unique share fall as the corpus grows, the copy rate rises with the training
corpus: compare only at equal sizes.

Deviation: Li et al. divide the number of different n-grams by the number of words; here, as in
later work, it is divided by the number of n-grams, so that every n can attain 1.
"""

from seqgan.metrics.bleu import Corpus, NgramCounts, count_ngrams


def distinct_n(corpus: Corpus, order: int) -> float:
    """Different n-grams by all n-grams of the corpus, in (0, 1]; 0 if it has no n-gram."""
    *_, grams = count_ngrams(corpus, order)
    return _distinct(grams)


def distinct(corpus: Corpus, max_order: int) -> dict[int, float]:
    """Distinct-n for n = 1 ... `max_order`, in one pass."""
    return {n: _distinct(g) for n, g in enumerate(count_ngrams(corpus, max_order), start=1)}


def unique_share(corpus: Corpus) -> float:
    """Different sentences by all sentences, in (0, 1]."""
    _require_sentences(corpus)
    return len({row.tobytes() for row in corpus.rows()}) / len(corpus)


def share_in_train(corpus: Corpus, train: Corpus) -> float:
    """Share of the sentences of `corpus` that `train` holds verbatim, in [0, 1]."""
    _require_sentences(corpus)
    known = {row.tobytes() for row in train.rows()}
    return sum(row.tobytes() in known for row in corpus.rows()) / len(corpus)


def mean_length(corpus: Corpus) -> float:
    """Mean number of words a sentence."""
    _require_sentences(corpus)
    return float(corpus.lengths.mean())


def _distinct(grams: NgramCounts) -> float:
    if not len(grams.gram):
        return 0.0
    return float((grams.gram[-1] + 1) / grams.count.sum())


def _require_sentences(corpus: Corpus) -> None:
    if not len(corpus):
        raise ValueError("the corpus has no sentence")
