"""Lexicons from unpaired text by counting: rows beside what is learned, and starts for it.

frequency_lexicon      the k-th most frequent word of one side for the k-th of the other's.
co_occurrence_lexicon  the one-to-one lexicon P under which words have the same co-occurrences,
                       max_P tr(AᵀPBPᵀ), where A and B hold the square roots of how often two words
                       share a sentence (`match`). Blind to order, so languages may differ in it.

As logits of a table (`prior_logits`) they are what aligned word vectors are to Lample et al.
(2018): where an unsupervised translator starts. Only training text is read.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from seqgan.data.corpus import Corpus
from seqgan.data.neighbours import match
from seqgan.data.unpaired_text import UnpairedText


def word_by_word(lexicon: dict[str, str], lines: list[str]) -> list[str]:
    """Replace words and keep their order. Words without a translation stay."""
    return [" ".join(lexicon.get(word, word) for word in line.split()) for line in lines]


def frequency_lexicon(text: UnpairedText, direction: str = "a2b") -> dict[str, str]:
    """The k-th most frequent word of one side's training text for the k-th of the other's."""
    source, target = text.sides(direction)
    return dict(zip(_by_frequency(source), _by_frequency(target), strict=False))


def co_occurrence_lexicon(text: UnpairedText, direction: str = "a2b") -> dict[str, str]:
    """Words that have the same co-occurrences; words without a partner are left out."""
    source, target = text.sides(direction)
    words = [_by_frequency(side) for side in (source, target)]
    size = max(map(len, words))
    co_occurrence_SS, co_occurrence_TT = (
        _co_occurrences(side, known, size)
        for side, known in zip((source, target), words, strict=True)
    )
    partners = match(np.sqrt(co_occurrence_SS), np.sqrt(co_occurrence_TT))
    return {
        word: words[1][guess]
        for word, guess in zip(words[0], partners, strict=False)
        if guess < len(words[1])
    }


def _co_occurrences(side: Corpus, words: list[str], size: int) -> NDArray[np.float64]:
    """How often two of the words share a sentence, [size, size]; 0 for a word and itself."""
    number = {word: column for column, word in enumerate(words)}
    rows_NV = np.zeros((len(side.train.lines), size))
    for row, line in enumerate(side.train.lines):
        for word in line.split():
            rows_NV[row, number[word]] += 1
    co_occurrence_VV: NDArray[np.float64] = rows_NV.T @ rows_NV
    np.fill_diagonal(co_occurrence_VV, 0)
    return co_occurrence_VV


def prior_logits(
    text: UnpairedText, direction: str, frequency: float, co_occurrence: float
) -> NDArray[np.float32]:
    """The sum of two tables of logits, [V_source, V_target].

    −frequency · |ln frequency of source token − ln frequency of target token|, the counts half an
    occurrence larger than they are; and `co_occurrence` for every pair of `co_occurrence_lexicon`.
    """
    source, target = text.sides(direction)
    log_S, log_T = _log_usage(source), _log_usage(target)
    logits_ST = -frequency * np.abs(log_S[:, None] - log_T)
    if co_occurrence:
        source_ids, target_ids = (
            {word: row for row, word in enumerate(side.tokenizer.vocabulary())}
            for side in (source, target)
        )
        for word, meaning in co_occurrence_lexicon(text, direction).items():
            logits_ST[source_ids[word], target_ids[meaning]] += co_occurrence
    return logits_ST.astype(np.float32)


def _log_usage(side: Corpus) -> NDArray[np.float64]:
    ids = side.train.ids_NT[side.train.mask_NT].numpy()
    counts_V = np.bincount(ids, minlength=side.space.vocab_size) + 0.5
    log_V: NDArray[np.float64] = np.log(counts_V / counts_V.sum())
    return log_V


def _by_frequency(side: Corpus) -> list[str]:
    counts = Counter(word for line in side.train.lines for word in line.split())
    return sorted(counts, key=lambda word: (-counts[word], word))
