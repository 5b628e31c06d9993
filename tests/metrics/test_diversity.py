import numpy as np
import pytest

from seqgan.metrics.corpus import Corpus
from seqgan.metrics.diversity import distinct, distinct_n, mean_length, share_in_train, unique_share

CORPUS = Corpus.from_lists([[1, 2, 1, 2], [1, 2], [], [1, 2]])


def test_distinct_by_hand() -> None:
    """Words 1 2 of 8; bigrams 12 21 of 5; trigrams 121 212 of 2; nothing of order 5."""
    expected = {1: 2 / 8, 2: 2 / 5, 3: 1.0, 4: 1.0, 5: 0.0}
    assert distinct(CORPUS, 5) == pytest.approx(expected)
    assert {n: distinct_n(CORPUS, n) for n in expected} == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_distinct_counts_like_a_set(seed: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    sentences = [rng.integers(4, size=rng.integers(8)).tolist() for _ in range(30)]
    grams = [tuple(s[i : i + order]) for s in sentences for i in range(len(s) - order + 1)]
    expected = len(set(grams)) / len(grams)
    assert distinct_n(Corpus.from_lists(sentences), order) == pytest.approx(expected)


def test_unique_share() -> None:
    assert unique_share(CORPUS) == 3 / 4
    # The same words in other sentences are other sentences.
    assert unique_share(Corpus.from_lists([[1, 2], [3], [1], [2, 3]])) == 1


def test_share_in_train_wants_the_whole_sentence() -> None:
    train = Corpus.from_lists([[1, 2, 3], [9], [1, 2]])
    assert share_in_train(CORPUS, train) == 2 / 4
    assert share_in_train(train, train) == 1
    assert share_in_train(CORPUS, Corpus.from_lists([[2, 1], [1, 2, 1]])) == 0


def test_mean_length() -> None:
    assert mean_length(CORPUS) == 2


def test_a_corpus_without_sentences_has_no_shares() -> None:
    nothing = Corpus.from_lists([])
    assert distinct(nothing, 2) == {1: 0, 2: 0}
    for metric in (unique_share, mean_length, lambda corpus: share_in_train(corpus, CORPUS)):
        with pytest.raises(ValueError, match="no sentence"):
            metric(nothing)


def test_strings_are_their_words() -> None:
    lines = ["a b a b", "a b", "", "a b"]
    assert distinct(lines, 5) == distinct(CORPUS, 5)
    assert unique_share(lines) == unique_share([[1, 2, 1, 2], [1, 2], [], [1, 2]]) == 3 / 4
    assert share_in_train(lines, ["c a", "a b"]) == 2 / 4
    assert mean_length(lines) == mean_length(CORPUS)
    with pytest.raises(ValueError, match="words cannot be compared with ids"):
        share_in_train(lines, CORPUS)
    with pytest.raises(ValueError, match="put it into a list"):
        mean_length("a b")
