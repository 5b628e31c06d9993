"""Classical solvers: against a brute-force likelihood, and on the ciphers that they must solve."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqgan.tasks.cipher import attacks
from seqgan.tasks.cipher.attacks import (
    coincidences,
    frequency_match,
    hill_climb,
    index_of_coincidence,
    solve_vigenere,
)
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.cipher.windows import apply_table

BROWN = Path(__file__).parents[2].parent / "shared/data/cipher/brown_sentences.txt.gz"


class Ciphered:
    """The training windows of both sides, and the held-out accuracy of a table."""

    def __init__(self, **fields: Any) -> None:
        self.config = CipherDataConfig(name="cipher", **fields)
        data = self.config.build_text()
        self.plain, self.cipher = data.a.train.ids_NT.numpy(), data.b.train.ids_NT.numpy()
        self.truth, self.held = data.a.test.ids_NT.numpy(), data.b.test.ids_NT.numpy()

    def accuracy(self, table: np.ndarray) -> float:
        return float((apply_table(table, self.held) == self.truth).mean())


@pytest.fixture(scope="module")
def substitution() -> Ciphered:
    return Ciphered(kind="substitution", train=2000, key_seed=3)


@pytest.fixture(scope="module")
def vigenere() -> Ciphered:
    return Ciphered(kind="vigenere", train=2000, period=3)


@pytest.mark.parametrize("period", [1, 2, 3])
def test_gains_of_swaps_are_those_of_the_likelihood(period: int) -> None:
    stream = np.random.RandomState(period)
    vocab = 4
    counts = stream.randint(0, 9, size=(period, vocab, vocab)).astype(float)
    log_p = np.log(stream.dirichlet(np.ones(vocab), size=vocab))
    table = np.stack([stream.permutation(vocab) for _ in range(period)])

    def likelihood(table: np.ndarray) -> float:
        return sum(
            counts[r, i, j] * log_p[table[r, i], table[(r + 1) % period, j]]
            for r in range(period)
            for i in range(vocab)
            for j in range(vocab)
        )

    for row in range(period):
        gains = attacks._gains(table, counts, log_p, row)
        for i in range(vocab):
            for j in range(vocab):
                swapped = table.copy()
                swapped[row, [i, j]] = swapped[row, [j, i]]
                expected = likelihood(swapped) - likelihood(table)
                assert gains[i, j] == pytest.approx(expected, abs=1e-9)
    climbed = table.copy()
    score = attacks._climb(climbed, counts, log_p)
    assert score == pytest.approx(likelihood(climbed))
    assert score >= likelihood(table)


@pytest.mark.parametrize("period", [1, 2, 4])
def test_a_climb_ends_where_no_swap_helps(period: int) -> None:
    stream = np.random.RandomState(period)
    vocab = 12
    counts = stream.poisson(20.0, size=(period, vocab, vocab)).astype(float)
    log_p = np.log(stream.dirichlet(np.ones(vocab), size=vocab))
    for _ in range(10):
        table = np.stack([stream.permutation(vocab) for _ in range(period)])
        attacks._climb(table, counts, log_p)
        for row in range(period):
            assert attacks._gains(table, counts, log_p, row).max() <= 1e-6


def test_frequency_match_by_hand() -> None:
    plain = np.array([[0, 0, 0, 1, 1, 2]])
    cipher = np.array([[2, 0, 2, 0, 1, 1], [2, 0, 1, 0, 2, 2]])
    # Even columns: 2 four times, 1 twice; odd ones: 0 four times, then 1 and 2 tie.
    np.testing.assert_array_equal(
        frequency_match(cipher, plain, 3, period=2), [[2, 1, 0], [0, 1, 2]]
    )


def test_hill_climb_solves_a_substitution(substitution: Ciphered) -> None:
    table = hill_climb(substitution.cipher, substitution.plain, 27, restarts=5)
    assert substitution.accuracy(table) >= 0.98
    by_rank = substitution.accuracy(frequency_match(substitution.cipher, substitution.plain, 27))
    assert 0.3 < by_rank < 0.98


def test_hill_climb_needs_no_lucky_start(
    substitution: Ciphered, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlucky(cipher: Any, plain: Any, vocab: int, period: int = 1) -> np.ndarray:
        return np.tile(np.arange(vocab), (period, 1))

    monkeypatch.setattr(attacks, "frequency_match", unlucky)
    table = hill_climb(substitution.cipher, substitution.plain, 27, restarts=20)
    assert substitution.accuracy(table) >= 0.98


def test_the_period_and_the_shifts_of_a_vigenere_cipher(vigenere: Ciphered) -> None:
    assert index_of_coincidence(vigenere.cipher, 10) == 3
    table = solve_vigenere(vigenere.cipher, vigenere.plain, 27, 3)
    np.testing.assert_array_equal(table, np.argsort(vigenere.config.build_table(), axis=1))


def test_hill_climb_solves_three_tables_at_once(vigenere: Ciphered) -> None:
    table = hill_climb(vigenere.cipher, vigenere.plain, 27, period=3, restarts=5)
    assert vigenere.accuracy(table) >= 0.98


def test_a_substitution_has_period_one(substitution: Ciphered) -> None:
    assert index_of_coincidence(substitution.cipher, 10) == 1
    uniform = np.random.RandomState(0).randint(27, size=(1000, 100))
    np.testing.assert_allclose(coincidences(uniform, 4), 1 / 27, rtol=0.02)


@pytest.mark.skipif(not BROWN.exists(), reason="the Brown corpus is not in ../shared/data/cipher")
@pytest.mark.parametrize("kind", ["substitution", "vigenere"])
def test_real_english_is_solved_too(kind: str) -> None:
    brown = Ciphered(path=str(BROWN), kind=kind, train=2000)
    period = index_of_coincidence(brown.cipher, 10)
    assert period == len(brown.config.build_table())
    table = hill_climb(brown.cipher, brown.plain, 27, period, restarts=5)
    assert brown.accuracy(table) >= 0.98
