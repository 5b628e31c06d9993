"""The lexicon of neighbours on a language whose words are another's, disguised; and its parts."""

from collections import Counter

import numpy as np
import pytest

from seqgan.data.neighbours import WordForWord, _count, _cut, _rounds, _vectors, neighbour_lexicons
from seqgan.data.words import cut_words, replace_words
from seqgan.tasks.cipher.sentences import write_sentences

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
    assert neighbour_lexicons([], []) == ({}, {})
    assert WordForWord(["One two."], ["un deux"])("a2b", ["One two."]) == ["One two."]


def test_few_words_are_enough_to_run() -> None:
    a, b = [["x", "y"]] * 4, [["u", "v"]] * 4
    assert set(neighbour_lexicons(a, b)[0]) == {"x", "y"}


def test_lines_are_translated_in_both_ways_and_keep_their_capital() -> None:
    words = WordForWord(["the dog runs ."] * 5, ["le chien court ."] * 5)
    assert words("a2b", ["The dog runs fast."]) == ["Le chien court fast."]
    assert words("b2a", ["chien"]) == ["dog"]


def test_words_are_cut_at_marks() -> None:
    assert cut_words("L'homme, n'est-ce pas ?") == [
        *("L'", "homme", ",", "n'", "est", "-", "ce", "pas", "?")
    ]
    assert cut_words("हिन्दी भाषा।") == ["हिन्दी", "भाषा", "।"]


@pytest.mark.parametrize(
    "line",
    [
        "the dogs' tails, 'hello' he said",
        "rock 'n' roll (cold), \"yes\": 3.5 of 1,000",
        "a  t-shirt",
    ],
)
def test_a_line_of_unknown_words_stays_as_it_is(line: str) -> None:
    assert replace_words(line, lambda word: word) == line


def test_spaces_go_and_come_with_elided_words() -> None:
    french = {"the": "l'", "water": "eau", "l'": "the", "eau": "water", "cafe\u0301": "no"}
    assert replace_words("the water", lambda word: french.get(word, word)) == "l'eau"
    assert replace_words("l'eau", lambda word: french.get(word, word)) == "the water"
    assert replace_words("cafe\u0301", lambda word: {"café": "yes"}.get(word, word)) == "yes"


def test_every_round_knows_more_words_until_all_are_known() -> None:
    known = _rounds(1_000)
    assert known[:2] == [391, 509]
    assert known[-5:] == [1_000] * 5
    assert known == sorted([min(size, 1_000) for size in known]) or known[-6] > 1_000


def test_counts_are_of_words_at_each_distance_and_stop_at_the_end_of_a_sentence() -> None:
    counts = _count([["x", "y", "z", "rare"]] * 3 + [["z", "z"]])
    assert counts.words == ["z", "rare", "x", "y"]
    assert counts.frequency_V.tolist() == pytest.approx([5 / 14, 3 / 14, 3 / 14, 3 / 14])
    z, rare, x, y = range(4)
    one, two, three = counts.behind_DVV
    assert (one[x, y], one[y, z], one[z, rare], one[z, z], one[rare, z]) == (3, 3, 3, 1, 0)
    assert (two[x, z], two[y, rare], two.sum()) == (3, 3, 6)
    assert (three[x, rare], three.sum()) == (3, 3)
    assert _count([["x"]] * 2 + [["y"]] * 3).words == ["y"], "two occurrences are too few"


def test_vectors_say_how_much_more_often_than_by_chance_words_stand_before_an_anchor() -> None:
    counts = _count([["x", "y"]] * 3 + [["z", "w"]] * 3)
    index = {word: row for row, word in enumerate(counts.words)}
    vectors = _vectors(counts, np.array([index["y"], index["w"]]), 4)
    assert vectors.shape == (4, 2 * 2 * 3)
    more, less = np.log(4) - np.log(2.5), np.log(1) - np.log(2.5)  # 3 and 0 where 1.5 are chance
    length = np.hypot(more, less)
    expected = np.array([more, less]) / length
    np.testing.assert_allclose(vectors[index["x"], :2], expected, rtol=1e-5)
    np.testing.assert_allclose(vectors[index["z"], :2], expected[::-1], rtol=1e-5)
    assert (vectors[[index["y"], index["w"]]] == 0).all(), "anchors stand before none"
    assert (vectors[:, 2:] == 0).all(), "nothing stands behind an anchor, or two places away"


def test_a_larger_side_of_the_same_kind_does_not_shift_frequencies(other: list[str]) -> None:
    small = _count([line.split() for line in other])
    large = _count([line.split() for line in other * 3])
    shared = [large.words.index(word) for word in small.words]
    ratio = large.frequency_V[shared] / small.frequency_V
    assert np.ptp(ratio) < 1e-5
    assert 0.9 < ratio[0] <= 1.0


def test_of_a_long_file_lines_are_counted_from_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqgan.data.neighbours.MOST_LINES", 2)
    assert _cut(["A b", "c", "d", "e"]) == [["a", "b"], ["d"]]
