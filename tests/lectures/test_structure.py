"""Idea 9: outputs whose parts depend on one another."""

from pathlib import Path

import pytest
from playing import play_quickly

from seqgan.lectures.structure import all_words, corrected


def test_a_palindrome_shows_in_the_whole_only() -> None:
    ids, right = all_words()
    assert len(ids) == 729
    assert int(right.sum()) == 27
    for column in range(6):  # letters of palindromes are those of all words
        assert ids[right, column].bincount().tolist() == [9, 9, 9]
    letters, windows, whole = (
        float(corrected(kind, 120)[right].sum()) for kind in ("letters", "windows", "whole")
    )
    assert letters < 0.1
    assert windows < 0.3 < 0.6 < whole


def test_words_letter_by_letter(tmp_path: Path) -> None:
    letters, *_ = play_quickly(9, tmp_path).findings
    assert letters.value == pytest.approx(1 / 27)
