"""Sentences as metrics take them: strings, lists of ids, or both arrays of a `Corpus`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Sentences of unequal length, one behind the other: `ids` [sum of lengths], `lengths` [N].

    Ids are any integers; corpora that meet in one metric must share their vocabulary.

    >>> Corpus.from_lists([[4, 2], [7]]).lengths
    array([2, 1])
    """

    ids: Ints
    lengths: Ints

    @classmethod
    def from_lists(cls, sentences: Iterable[Sequence[int]]) -> "Corpus":
        rows = [np.asarray(sentence, dtype=np.int64) for sentence in sentences]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        return cls(np.concatenate([*rows, np.empty(0, np.int64)]), lengths)

    @classmethod
    def from_masked(
        cls, ids_NT: NDArray[np.integer], mask_NT: NDArray[np.bool_], end_id: int | None = None
    ) -> "Corpus":
        """Take the columns where the mask is True, without the end tokens if `end_id` is given:
        with them every two sentences would have n-grams in common.
        """
        keep_NT = mask_NT.astype(bool)
        if end_id is not None:
            keep_NT = keep_NT & (ids_NT != end_id)
        return cls(ids_NT[keep_NT].astype(np.int64), keep_NT.sum(axis=1, dtype=np.int64))

    def positions(self) -> tuple[Ints, Ints]:
        """For every word its sentence, and the number of words from it to the sentence's end."""
        row = np.repeat(np.arange(len(self)), self.lengths)
        ends = np.repeat(np.cumsum(self.lengths), self.lengths)
        return row, ends - np.arange(len(self.ids))

    def __len__(self) -> int:
        return len(self.lengths)

    def __add__(self, other: "Corpus") -> "Corpus":
        return Corpus(
            np.concatenate([self.ids, other.ids]), np.concatenate([self.lengths, other.lengths])
        )

    def rows(self) -> Iterator[Ints]:
        """Yield the sentences one by one."""
        end = 0
        for length in self.lengths.tolist():
            yield self.ids[end : end + length]
            end += length


Sentences: TypeAlias = Corpus | Sequence[str] | Sequence[Sequence[int]]
"""Sentences of words between spaces, lists of ids, or a `Corpus`, which metrics read as it is."""


def as_corpora(*sets: Sentences) -> tuple[Corpus, ...]:
    """The sets of sentences over one vocabulary. Words are what whitespace separates.

    Raises `ValueError` where words are to be compared with ids.

    >>> [corpus.ids.tolist() for corpus in as_corpora(["a b"], ["b", "b c"])]
    [[0, 1], [1, 1, 2]]
    """
    with_words = {_has_words(sentences) for sentences in sets if len(sentences)}
    if len(with_words) > 1:
        raise ValueError("words cannot be compared with ids; give strings or ids for both")
    number: dict[str, int] = {}
    return tuple(_as_corpus(sentences, number) for sentences in sets)


def _has_words(sentences: Sentences) -> bool:
    if isinstance(sentences, str):
        raise ValueError("one string is no list of sentences; put it into a list")
    return not isinstance(sentences, Corpus) and isinstance(sentences[0], str)


def _as_corpus(sentences: Sentences, number: dict[str, int]) -> Corpus:
    if isinstance(sentences, Corpus):
        return sentences
    return Corpus.from_lists(
        [number.setdefault(word, len(number)) for word in sentence.split()]
        if isinstance(sentence, str)
        else sentence
        for sentence in sentences
    )
