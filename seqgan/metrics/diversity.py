"""How much a corpus of samples repeats itself, or its training data.

    distinct-n   = number of different n-grams / number of n-grams      (Li et al. 2016)
    unique share = number of different sentences / number of sentences
    copy rate    = share of the sentences that stand, word for word, in the training corpus

All depend on the sizes of the corpora: compare only at equal ones.

Deviation: Li et al. divide by the number of words; here, as in later work, by the number of
n-grams, so that every n can attain 1.
"""

from seqgan.metrics.corpus import Corpus, Sentences, as_corpora
from seqgan.metrics.exact_bleu import NgramCounts, count_ngrams


def distinct_n(sentences: Sentences, order: int) -> float:
    """Different n-grams by all n-grams of the sentences, in (0, 1]; 0 where there is no n-gram.

    >>> distinct_n(["a b a b a"], 2)
    0.5
    """
    (corpus,) = as_corpora(sentences)
    *_, grams = count_ngrams(corpus, order)
    return _distinct(grams)


def distinct(sentences: Sentences, max_order: int) -> dict[int, float]:
    """Distinct-n for n = 1 ... `max_order`, in one pass.

    >>> distinct(["a b", "a c"], 2)
    {1: 0.75, 2: 1.0}
    """
    (corpus,) = as_corpora(sentences)
    return {n: _distinct(g) for n, g in enumerate(count_ngrams(corpus, max_order), start=1)}


def unique_share(sentences: Sentences) -> float:
    """Different sentences by all sentences, in (0, 1].

    >>> unique_share(["a b", "a b", "b a", "c"])
    0.75
    """
    (corpus,) = as_corpora(sentences)
    _require_sentences(corpus)
    return len({row.tobytes() for row in corpus.rows()}) / len(corpus)


def share_in_train(sentences: Sentences, train: Sentences) -> float:
    """Share of the sentences that `train` holds verbatim, in [0, 1].

    >>> share_in_train(["a b", "b a"], ["a b", "c"])
    0.5
    """
    corpus, known_corpus = as_corpora(sentences, train)
    _require_sentences(corpus)
    known = {row.tobytes() for row in known_corpus.rows()}
    return sum(row.tobytes() in known for row in corpus.rows()) / len(corpus)


def mean_length(sentences: Sentences) -> float:
    """Mean number of words per sentence.

    >>> mean_length(["a b", "a b c d"])
    3.0
    """
    (corpus,) = as_corpora(sentences)
    _require_sentences(corpus)
    return float(corpus.lengths.mean())


def _distinct(grams: NgramCounts) -> float:
    if not len(grams.gram):
        return 0.0
    return float((grams.gram[-1] + 1) / grams.count.sum())


def _require_sentences(corpus: Corpus) -> None:
    if not len(corpus):
        raise ValueError("the corpus has no sentence")
