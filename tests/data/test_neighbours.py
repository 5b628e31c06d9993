"""The lexicon of neighbours on a language whose words are another's, disguised; and its parts."""

from collections import Counter

import numpy as np
import pytest

from seqgan.data.neighbours import WordForWord, neighbour_lexicons
from seqgan.data.plain_sentences import write_sentences
from seqgan.data.words import cut_words, join_words

SENTENCES = 6_000


def _disguise(word: str) -> str:
    return f"z{word[::-1]}"


def _sentences(seed: int) -> list[str]:
    return write_sentences(SENTENCES, np.random.RandomState(seed))


@pytest.fixture(scope="module")
def other() -> list[str]:
    """Other sentences than those of seed 0, every word disguised."""
    return [" ".join(map(_disguise, line.split())) for line in _sentences(1)]


def _right(a: list[str], lexicon: dict[str, str]) -> float:
    counts = Counter(word for line in a for word in line.split())
    right = sum(n for word, n in counts.items() if lexicon.get(word) == _disguise(word))
    return right / sum(counts.values())


def test_a_disguised_language_is_read_from_other_sentences(other: list[str]) -> None:
    mine = _sentences(0)
    to_other, back = neighbour_lexicons([s.split() for s in mine], [s.split() for s in other])
    # Words of a class are drawn by frequency alone here: those of like frequency get mixed up.
    assert _right(mine, to_other) > 0.5
    agree = [back.get(there) == word for word, there in to_other.items()]
    assert np.mean(agree) > 0.4


def test_order_is_what_it_reads(other: list[str]) -> None:
    """With the words of each sentence shuffled nothing but frequencies is left."""
    stream = np.random.RandomState(0)
    mine, shuffled = (
        [" ".join(stream.permutation(line.split())) for line in lines]
        for lines in (_sentences(0), other)
    )
    lexicon, _ = neighbour_lexicons([s.split() for s in mine], [s.split() for s in shuffled])
    assert _right(mine, lexicon) < 0.45


def test_rows_that_pair_are_not_looked_at(other: list[str]) -> None:
    mine = [line.split() for line in _sentences(0)]
    theirs = [line.split() for line in other]
    assert neighbour_lexicons(mine, theirs) == neighbour_lexicons(
        mine[::-1], theirs[3:] + theirs[:3]
    )


def test_text_of_rare_words_has_no_lexicon() -> None:
    assert neighbour_lexicons([["one", "two"]], [["un", "deux"]]) == ({}, {})
    assert WordForWord(["One two."], ["un deux"])("a2b", ["One two."]) == ["One two."]


def test_few_words_are_enough_to_run() -> None:
    a, b = [["x", "y"]] * 4, [["u", "v"]] * 4
    assert set(neighbour_lexicons(a, b)[0]) == {"x", "y"}


def test_lines_are_translated_in_both_ways_and_keep_their_capital() -> None:
    words = WordForWord(["the dog runs ."] * 5, ["le chien court ."] * 5)
    assert words("a2b", ["The dog runs fast."]) == ["Le chien court fast."]
    assert words("b2a", ["chien"]) == ["dog"]


def test_words_are_cut_at_marks_and_joined_again() -> None:
    assert cut_words("L'homme, n'est-ce pas ?") == [
        "L'",
        "homme",
        ",",
        "n'",
        "est",
        "-",
        "ce",
        "pas",
        "?",
    ]
    assert join_words(cut_words("l'eau (froide), court.")) == "l'eau ( froide), court."
