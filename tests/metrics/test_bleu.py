"""Every score is held against NLTK's, one sentence at a time."""

import time

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from seqgan.metrics.corpus import Corpus
from seqgan.metrics.exact_bleu import (
    bleu,
    count_ngrams,
    self_bleu,
    sentence_bleu,
    sentence_self_bleu,
)

ORDERS = (1, 2, 3, 4, 5)
Sentences = list[list[int]]


def reference_score(references: Sentences, hypothesis: list[int], order: int) -> float:
    smoothing = SmoothingFunction(epsilon=0.1).method1
    return float(nltk_bleu(references, hypothesis, (1 / order,) * order, smoothing))


def random_sentences(
    rng: np.random.Generator, number: int, vocabulary: int, longest: int
) -> Sentences:
    """Short, long and empty ones; a skewed vocabulary repeats words; some are duplicates."""
    sentences: Sentences = []
    for _ in range(number):
        if sentences and rng.random() < 0.2:
            sentences.append(list(sentences[rng.integers(len(sentences))]))
        else:
            length = rng.integers(longest + 1)
            words = (vocabulary * rng.random(length) ** 2).astype(int)
            sentences.append(words.tolist())
    return sentences


def assert_bleu_equals_nltk(hypotheses: Sentences, references: Sentences) -> None:
    scores = sentence_bleu(Corpus.from_lists(hypotheses), Corpus.from_lists(references), ORDERS)
    for order in ORDERS:
        expected = [reference_score(references, h, order) for h in hypotheses]
        np.testing.assert_allclose(scores[order], expected, rtol=0, atol=1e-9)


def assert_self_bleu_equals_nltk(sentences: Sentences) -> None:
    scores = sentence_self_bleu(Corpus.from_lists(sentences), ORDERS)
    for order in ORDERS:
        expected = [
            reference_score(sentences[:i] + sentences[i + 1 :], sentence, order)
            for i, sentence in enumerate(sentences)
        ]
        np.testing.assert_allclose(scores[order], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("vocabulary", "longest"), [(2, 6), (5, 12), (40, 12)])
def test_bleu_equals_nltk(seed: int, vocabulary: int, longest: int) -> None:
    rng = np.random.default_rng(seed)
    hypotheses = random_sentences(rng, 12, vocabulary + 3, longest)
    assert_bleu_equals_nltk(hypotheses, random_sentences(rng, 9, vocabulary, longest))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("vocabulary", "longest"), [(2, 6), (5, 12), (40, 12)])
def test_self_bleu_equals_nltk(seed: int, vocabulary: int, longest: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    assert_self_bleu_equals_nltk(random_sentences(rng, 14, vocabulary, longest))


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        pytest.param([[]], [[1, 2]], id="empty hypothesis"),
        pytest.param([[], []], [[]], id="no word anywhere"),
        pytest.param([[1, 2]], [[]], id="empty reference"),
        pytest.param([[1]], [[1]], id="shorter than every order above 1"),
        pytest.param([[1, 2, 3]], [[1, 2, 3]], id="shorter than 4"),
        pytest.param([[7, 8, 9]], [[1, 2, 3]], id="no common word"),
        pytest.param([[1, 1, 1, 1]], [[1, 1, 2], [1, 3]], id="clipped by the best reference"),
        pytest.param([[1, 2, 1, 2]], [[1, 2, 3], [1, 2, 3, 4, 5]], id="tie of lengths"),
        pytest.param([[1, 2]], [[1, 2, 3, 4, 5, 6]], id="brevity"),
        pytest.param([[1, 2, 3, 4, 5, 6]], [[1, 2]], id="longer than all"),
        pytest.param([[-5, 2**40, 3]], [[2**40, 3, -5]], id="ids of any size"),
    ],
)
def test_bleu_edges_equal_nltk(hypotheses: Sentences, references: Sentences) -> None:
    assert_bleu_equals_nltk(hypotheses, references)


@pytest.mark.parametrize(
    "sentences",
    [
        pytest.param([[], []], id="no word anywhere"),
        pytest.param([[], [1, 2]], id="one empty"),
        pytest.param([[1, 2, 3], [1, 2, 3]], id="duplicates"),
        pytest.param([[1, 1, 1], [1, 1], [1]], id="largest count held once"),
        pytest.param([[1, 1], [1, 1], [1]], id="largest count held twice"),
        pytest.param([[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4, 5]], id="tie of lengths"),
        pytest.param([[1, 2], [3, 4], [5, 6]], id="no common word"),
    ],
)
def test_self_bleu_edges_equal_nltk(sentences: Sentences) -> None:
    assert_self_bleu_equals_nltk(sentences)


def test_values_by_hand() -> None:
    """p1 = 3/4, p2 = 2/3, equal lengths."""
    score = bleu(Corpus.from_lists([[1, 2, 3, 9]]), Corpus.from_lists([[1, 2, 3, 4]]), (1, 2))
    assert score == pytest.approx({1: 0.75, 2: (0.75 * 2 / 3) ** 0.5})


def test_corpus_value_is_the_mean_over_sentences() -> None:
    rng = np.random.default_rng(0)
    hypotheses = Corpus.from_lists(random_sentences(rng, 20, 5, 9))
    references = Corpus.from_lists(random_sentences(rng, 20, 5, 9))
    means = {n: scores.mean() for n, scores in sentence_bleu(hypotheses, references).items()}
    assert bleu(hypotheses, references) == pytest.approx(means)
    means = {n: scores.mean() for n, scores in sentence_self_bleu(hypotheses).items()}
    assert self_bleu(hypotheses) == pytest.approx(means)
    assert list(means) == [2, 3, 4, 5]


def test_a_sentence_is_not_its_own_reference() -> None:
    """The bug of other laboratories: Self-BLEU near 1 whatever the samples are."""
    different = Corpus.from_lists([[10 * i + j for j in range(8)] for i in range(50)])
    assert self_bleu(different) == {2: 0, 3: 0, 4: 0, 5: 0}
    assert bleu(different, different) == pytest.approx({2: 1, 3: 1, 4: 1, 5: 1})


def test_a_duplicate_is_a_reference() -> None:
    twice = Corpus.from_lists([[10 * (i // 2) + j for j in range(8)] for i in range(50)])
    assert self_bleu(twice) == pytest.approx({2: 1, 3: 1, 4: 1, 5: 1})


def test_nothing_is_remembered_between_calls() -> None:
    """Another bug of other laboratories: the first references stay cached."""
    hypotheses = Corpus.from_lists([[1, 2, 3, 4, 5, 6]])
    near, far = Corpus.from_lists([[1, 2, 3, 4, 5, 6]]), Corpus.from_lists([[6, 5, 4, 3, 2, 1]])
    assert bleu(hypotheses, near)[2] == pytest.approx(1)
    assert bleu(hypotheses, far)[2] < 0.2
    assert bleu(far, far)[2] == pytest.approx(1)


def test_order_of_the_sentences_is_kept() -> None:
    hypotheses = Corpus.from_lists([[1, 2, 3], [], [7, 8, 9], [1, 2, 9]])
    scores = sentence_bleu(hypotheses, Corpus.from_lists([[1, 2, 3]]), (2,))[2]
    assert scores[0] == pytest.approx(1)
    assert scores[1] == scores[2] == 0
    assert 0 < scores[3] < 1


def test_ngrams_do_not_cross_sentences() -> None:
    *_, bigrams = count_ngrams(Corpus.from_lists([[1, 2], [3], [1, 2, 1, 2]]), 2)
    assert bigrams.row.tolist() == [0, 2, 2]
    assert bigrams.count.tolist() == [1, 2, 1]
    assert bigrams.gram.tolist() == [0, 0, 1]


def test_masked_ids_and_lists_are_the_same_corpus() -> None:
    ids_NT = np.array([[4, 5, 0, 0], [4, 5, 6, 7], [0, 0, 0, 0]])
    mask_NT = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)
    with_end = Corpus.from_masked(ids_NT, mask_NT)
    assert [row.tolist() for row in with_end.rows()] == [[4, 5, 0], [4, 5, 6, 7], [0]]
    without = Corpus.from_masked(ids_NT, mask_NT, end_id=0)
    lists = Corpus.from_lists([[4, 5], [4, 5, 6, 7], []])
    assert [row.tolist() for row in without.rows()] == [row.tolist() for row in lists.rows()]
    assert self_bleu(without) == self_bleu(lists)


def test_too_few_sentences() -> None:
    nothing, one = Corpus.from_lists([]), Corpus.from_lists([[1, 2]])
    with pytest.raises(ValueError, match="at least one"):
        bleu(nothing, one)
    with pytest.raises(ValueError, match="at least one"):
        bleu(one, nothing)
    with pytest.raises(ValueError, match="at least two"):
        self_bleu(one)


def test_ten_thousand_sentences_take_no_pairwise_time() -> None:
    """A loop over pairs takes minutes; this takes about 0.1 s, so the limit is generous."""
    rng = np.random.default_rng(0)
    corpus = Corpus.from_lists(random_sentences(rng, 10_000, 2_000, 20))
    begin = time.process_time()
    self_bleu(corpus)
    assert time.process_time() - begin < 5


def test_strings_share_one_vocabulary() -> None:
    """Numbered apart, `b` of the references would be `a` of the hypotheses."""
    hypotheses, references = ["a b c", "b c"], ["b c d", "d a b"]
    ids = [[0, 1, 2], [1, 2]], [[1, 2, 3], [3, 0, 1]]
    assert bleu(hypotheses, references) == bleu(*ids)
    assert bleu(hypotheses, references) == bleu(*map(Corpus.from_lists, ids))
    assert self_bleu(references) == self_bleu(ids[1])
