"""The n-gram model against dictionaries, sums of conditionals, and what masks leave out."""

import math
from collections import defaultdict

import numpy as np
import pytest

from seqgan.metrics.ngram_lm import NgramModel, unigram_kl

VOCAB = 5


def sentences(seed: int, rows: int = 40, columns: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Ids with end token 0 and unequal use of the others; masks up to the end token."""
    stream = np.random.RandomState(seed)
    ids_NT = stream.choice(VOCAB, size=(rows, columns), p=[0.15, 0.4, 0.3, 0.15, 0.0])
    ended_NT = np.cumsum(ids_NT == 0, axis=1) - (ids_NT == 0)
    return ids_NT, ended_NT == 0


class DictionaryModel:
    """The equation of the module, token by token."""

    def __init__(self, order: int, ids_NT: np.ndarray, mask_NT: np.ndarray) -> None:
        self.order = order
        self.followers: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for ids, mask in zip(ids_NT.tolist(), mask_NT.tolist(), strict=True):
            history = [-1] * (order - 1)
            for token, counts in zip(ids, mask, strict=True):
                if not counts:
                    break
                for length in range(order):
                    seen = self.followers[tuple(history[len(history) - length :])]
                    seen[token] = seen.get(token, 0) + 1
                history.append(token)

    def probability(self, token: int, history: list[int]) -> float:
        history = [-1] * (self.order - 1) + history
        p = 1 / VOCAB
        for length in range(self.order):
            seen = self.followers.get(tuple(history[len(history) - length :]), {})
            if seen:
                total = sum(seen.values())
                p = (seen.get(token, 0) + len(seen) * p) / (total + len(seen))
        return p


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_it_equals_dictionaries_of_counts(order: int) -> None:
    ids_NT, mask_NT = sentences(0)
    held_NT, held_mask_NT = sentences(1)
    model = NgramModel(order, VOCAB).fit(ids_NT, mask_NT)
    slow = DictionaryModel(order, ids_NT, mask_NT)
    nll_NT = model.nll_NT(held_NT, held_mask_NT)
    for row, ids in enumerate(held_NT.tolist()):
        for column, token in enumerate(ids):
            expected = -math.log(slow.probability(token, ids[:column]))
            assert nll_NT[row, column] == pytest.approx(
                expected if held_mask_NT[row, column] else 0.0, abs=1e-12
            )


@pytest.mark.parametrize("history", [[], [1], [4, 4], [2, 1, 1], [3, 4, 1, 2]])
def test_every_conditional_sums_to_one_and_is_positive(history: list[int]) -> None:
    model = NgramModel(3, VOCAB).fit(*sentences(0))
    ids_NT = np.array([[*history, token] for token in range(VOCAB)])
    p_V = np.exp(-model.nll_NT(ids_NT, np.ones_like(ids_NT, dtype=bool))[:, -1])
    assert p_V.sum() == pytest.approx(1.0)
    assert (p_V > 0).all()  # token 4 stands nowhere in the text


def test_what_stands_behind_the_end_changes_nothing() -> None:
    ids_NT, mask_NT = sentences(0)
    other_NT = np.where(mask_NT, ids_NT, 3)
    held = sentences(1)
    before = NgramModel(3, VOCAB).fit(ids_NT, mask_NT).nll_NT(*held)
    after = NgramModel(3, VOCAB).fit(other_NT, mask_NT).nll_NT(*held)
    np.testing.assert_array_equal(before, after)


def test_more_context_helps_where_there_is_structure() -> None:
    ids_NT = (np.arange(12) + np.arange(30)[:, None]) % 4  # each token decides the next
    mask_NT = np.ones_like(ids_NT, dtype=bool)
    unigram, bigram = (
        np.exp(NgramModel(order, 4).fit(ids_NT, mask_NT).nll_NT(ids_NT, mask_NT).mean())
        for order in (1, 2)
    )
    assert unigram == pytest.approx(4, abs=0.05)
    assert bigram < 1.2


def test_large_keys_and_missing_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="lower the order"):
        NgramModel(8, 5000)
    with pytest.raises(ValueError, match="fit"):
        NgramModel(2, VOCAB).nll_NT(*sentences(0))


def test_unigram_kl_by_hand() -> None:
    a, b = [[0, 0, 1]], [[1, 1]]
    p, q = np.array([2.5, 1.5, 0.5]) / 4.5, np.array([0.5, 2.5, 0.5]) / 3.5
    assert unigram_kl(a, b, 3) == pytest.approx((p * np.log(p / q)).sum())
    assert unigram_kl(a, a, 3) == 0.0
    assert unigram_kl(["x x y"], ["y y z"][:1]) == unigram_kl(a, [[1, 1, 2]])
    with pytest.raises(ValueError, match="words cannot be compared with ids"):
        unigram_kl(["x"], b)
