"""What counts as a word, script by script."""

import pytest

from seqgan.core.scripts import is_unspaced, set_apart, words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("U.S.-led, don't stop_now", ["U", "S", "led", "don", "t", "stop", "now"]),
        ("été à Zürich", ["été", "à", "Zürich"]),
        ("e\u0301te\u0301", ["été"]),
        ("他在看书。3月", ["他", "在", "看", "书", "3", "月"]),
        ("カードを", ["カ", "ー", "ド", "を"]),
        ("ครับ", ["ค", "รั", "บ"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("  …!", []),
    ],
)
def test_words(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_only_scripts_without_spaces_are_set_apart() -> None:
    assert set_apart("GPT 很好。ครับ").split() == ["GPT", "很", "好", "。", "ค", "รั", "บ"]
    for line in ("plain text,  as it is", "été à Zürich", "한국어 단어"):
        assert set_apart(line) == line


def test_unspaced_characters() -> None:
    assert all(map(is_unspaced, "书かกー"))
    assert not any(map(is_unspaced, "aé한1。 "))
