"""A lexicon from unpaired text of two languages: words that keep the same neighbours.

N_d(i, j) counts how often word j stands d places behind word i, d = 1, 2, 3. Nothing else is read.

1. Seed. The `SEED` most frequent words of the sides are matched one to one, max_P tr(AᵀPBPᵀ) with
   A and B = (Σ_d N_d / d)^⅓ (`match`). About a quarter come out right, the frequent ones.
2. Self-learning (Artetxe et al. 2018). Translated words are anchors. A word is the vector of
   ln(1 + N) − ln(1 + expected N) with the `ANCHORS` most frequent ones at each of the six offsets,
   the table of each offset divided by its norm; similarity is twice the cosine, less the mean
   similarity to the `HUBS` nearest of both (CSLS, Conneau et al. 2018), less `RARITY` ·
   |ln frequency − ln frequency|. Pairs that are each other's best are the anchors of
   the next round, of 1.3 times as many words; the `LAST_ROUNDS` rounds match all of them.

A translation is a word's best partner in the end. It is meant for languages of much the same order,
as English and French, and for sides of like size; `lexicons.co_occurrence_lexicon` ignores order.

Deviation from Artetxe et al.: counts instead of embeddings, FAQ for the seed, no random dropout of
the dictionary. Nothing is drawn: a text gives the same lexicon again.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seqgan.core.batches import spread
from seqgan.core.progress import tracked
from seqgan.data.words import cut_words, replace_words

SEED = 300
ANCHORS = 500
HUBS = 10
RARITY = 0.05
GROWTH = 1.3
LAST_ROUNDS = 5
DISTANCES = 3
LEAST_COUNT = 3
"""Occurrences below which a word has no translation."""
MOST_WORDS = 3_000
"""Words per side, the most frequent ones."""
MOST_LINES = 100_000
"""Lines per side that are counted, spread over all."""

Floats = NDArray[np.float32]
Lexicon = dict[str, str]


class WordForWord:
    """Translates lines word by word, in both directions. The lexicons are counted at the first use,
    which takes 10 seconds at 3,000 words per side."""

    def __init__(self, a: list[str], b: list[str]) -> None:
        self._lines = a, b

    def __call__(self, direction: str, lines: Iterable[str]) -> list[str]:
        """`lines` in the other language. Words without a translation stay, and lines that begin
        with a capital do so again."""
        lexicon = self.lexicons[direction]
        return [_translate(line, lexicon) for line in lines]

    @cached_property
    def lexicons(self) -> dict[str, Lexicon]:
        """By direction, the translation of every known word, in small letters."""
        a2b, b2a = neighbour_lexicons(*map(_cut, self._lines))
        return {"a2b": a2b, "b2a": b2a}


def neighbour_lexicons(a: list[list[str]], b: list[list[str]]) -> tuple[Lexicon, Lexicon]:
    """Lexicons from a to b and from b to a of sentences that are cut into words."""
    source, target = _count(a), _count(b)
    if not source.words or not target.words:
        return {}, {}
    found = _seed(source, target)
    rounds = _rounds(max(len(source.words), len(target.words)))
    for known in tracked(rounds, "matching words", len(rounds)):
        found = _next_round(source, target, found, known)
    of_a = {source.words[i]: target.words[j] for i, j in enumerate(found.target_of)}
    of_b = {target.words[j]: source.words[i] for j, i in enumerate(found.source_of)}
    return of_a, of_b


# ── Counts ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Counts:
    words: list[str]
    """Most frequent first."""
    frequency_V: Floats
    """Of all words together 1."""
    behind_DVV: Floats
    """How often the second word stands d places behind the first."""


def _cut(lines: list[str]) -> list[list[str]]:
    return [cut_words(lines[row].lower()) for row in spread(len(lines), MOST_LINES).tolist()]


def _count(sentences: list[list[str]]) -> _Counts:
    counts = Counter(word for sentence in sentences for word in sentence)
    frequent = sorted(counts, key=lambda word: (-counts[word], word))
    words = [word for word in frequent if counts[word] >= LEAST_COUNT][:MOST_WORDS]
    number = {word: index for index, word in enumerate(words)}
    apart = [-1] * DISTANCES  # so that no sentence neighbours the next one
    ids: list[int] = []
    for sentence in sentences:
        ids += [number.get(word, -1) for word in sentence] + apart
    text = np.array(ids, dtype=np.int64)
    behind = [_pairs(text[:-d], text[d:], len(words)) for d in range(1, DISTANCES + 1)]
    count_V = np.array([counts[word] for word in words], np.float32)
    return _Counts(words, count_V / max(float(count_V.sum()), 1.0), np.stack(behind))


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64], words: int) -> Floats:
    both = (first >= 0) & (second >= 0)
    counts = np.bincount(first[both] * words + second[both], minlength=words * words)
    return counts.reshape(words, words).astype(np.float32)


# ── Matching ──────────────────────────────────────────────────────────────────────────────────


def match(a_VV: NDArray[np.float64], b_VV: NDArray[np.float64]) -> NDArray[np.int64]:
    """Words of two texts matched one to one, so that their relations agree: max_P tr(AᵀPBPᵀ).

    A and B, of the same size, say how words of a text are related, the most frequent word first.
    Solved by FAQ (Vogelstein et al. 2015) from a start where words of like rank are likely
    partners; O(V³), a second for 300 words.
    """
    from scipy.optimize import quadratic_assignment  # half a second that others need not wait

    options = {"maximize": True, "P0": _like_ranks(len(a_VV)), "maxiter": 100}
    partner_V: NDArray[np.int64] = quadratic_assignment(a_VV, b_VV, options=options).col_ind
    return partner_V


def _like_ranks(size: int) -> NDArray[np.float64]:
    """A doubly stochastic matrix, large near the diagonal."""
    rank = np.arange(size)
    like_VV = np.exp(-20 / size * np.abs(rank[:, None] - rank))
    while not np.allclose(like_VV.sum(1), 1, rtol=1e-6):  # Sinkhorn
        like_VV /= like_VV.sum(1, keepdims=True)
        like_VV /= like_VV.sum(0, keepdims=True)
    return like_VV


@dataclass(frozen=True, slots=True)
class _Found:
    """Best partners among the words known so far, by number, and the pairs that agree."""

    target_of: NDArray[np.int64]
    source_of: NDArray[np.int64]

    @property
    def anchors(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Words of both sides that are each other's best partner, the most frequent of a first."""
        of_a = np.flatnonzero(self.source_of[self.target_of] == np.arange(len(self.target_of)))
        return of_a[:ANCHORS], self.target_of[of_a][:ANCHORS]


def _seed(source: _Counts, target: _Counts) -> _Found:
    size = min(SEED, len(source.words), len(target.words))
    weight_D11 = 1 / np.arange(1, DISTANCES + 1)[:, None, None]
    near_SS, near_TT = (
        np.cbrt((weight_D11 * side.behind_DVV[:, :size, :size]).sum(0)) for side in (source, target)
    )
    target_of = match(near_SS, near_TT)
    return _Found(target_of, np.argsort(target_of))


def _rounds(most: int) -> list[int]:
    """How many words each round matches."""
    known = [SEED]
    while known[-1] < most:
        known.append(int(GROWTH * known[-1]) + 1)
    return known[1:] + [most] * LAST_ROUNDS


def _next_round(source: _Counts, target: _Counts, found: _Found, known: int) -> _Found:
    anchors_S, anchors_T = found.anchors
    source_VF = _vectors(source, anchors_S, known)
    target_VF = _vectors(target, anchors_T, known)
    cosine_ST = source_VF @ target_VF.T
    rarity_ST = np.abs(
        np.log(source.frequency_V[:known, None]) - np.log(target.frequency_V[None, :known])
    )
    score_ST = 2 * cosine_ST - _hubness(cosine_ST.T) - _hubness(cosine_ST)[:, None]
    score_ST -= RARITY * rarity_ST
    return _Found(score_ST.argmax(1), score_ST.argmax(0))


def _vectors(side: _Counts, anchors: NDArray[np.int64], known: int) -> Floats:
    """[V, 6 · anchors], of unit length."""
    parts = []
    for behind_VV in side.behind_DVV:
        for counts_VA in (behind_VV[:known, anchors], behind_VV[anchors, :known].T):
            by_word, by_anchor = counts_VA.sum(1), counts_VA.sum(0)
            expected_VA = np.outer(by_word, by_anchor) / max(float(by_word.sum()), 1.0)
            part_VA = np.log1p(counts_VA) - np.log1p(expected_VA)
            parts.append(part_VA / max(float(np.linalg.norm(part_VA)), 1e-9))
    vectors_VF = np.concatenate(parts, 1)
    return vectors_VF / np.maximum(np.linalg.norm(vectors_VF, axis=1, keepdims=True), 1e-9)


def _hubness(cosine_ST: Floats) -> Floats:
    """Mean cosine of each row with its nearest columns."""
    nearest = min(HUBS, cosine_ST.shape[1])
    return np.partition(cosine_ST, -nearest, axis=1)[:, -nearest:].mean(1)


def _translate(line: str, lexicon: Lexicon) -> str:
    made = replace_words(line, lambda word: lexicon.get(word.lower(), word))
    return made[:1].upper() + made[1:] if line[:1].isupper() else made
