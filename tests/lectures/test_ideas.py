"""Every idea: its text, its number, and that its code runs in the quick form."""

import json
from pathlib import Path

import pytest
from PIL import Image

from seqgan.cli import run
from seqgan.lectures.idea import Idea, Said
from seqgan.lectures.listing import ideas

IDEAS = ideas()


def test_they_are_listed_in_the_order_of_the_course(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lecture"]) == 0
    lines = capsys.readouterr().out.splitlines()
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, 38))
    assert all(idea.title.zh in line for idea, line in zip(IDEAS, lines, strict=True))


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: str(idea.number))
def test_an_idea_is_said_in_both_languages(idea: Idea) -> None:
    for text in (idea.title, idea.idea):
        assert text.en.isprintable()
        assert text.zh.isprintable()
        assert has_chinese(text.zh)
        assert not has_chinese(text.en)
    assert two_sentences(idea.idea)
    assert "\n" not in idea.equation


def has_chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)


def two_sentences(text: Said) -> bool:
    return text.en.endswith(".") and text.zh.endswith("。") and text.zh.count("。") == 2


def test_lecture_8_says_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command, in its full form."""
    assert run(["lecture", "8", "--dir", str(tmp_path / "l")]) == 0
    *lines, picture = capsys.readouterr().out.splitlines()
    assert lines[0] == "8. Minimax and non-saturating losses"
    assert "✗" not in "".join(lines)
    assert sum(line.startswith("✓") for line in lines) == 4
    with Image.open(picture) as image:
        assert image.format == "PNG"
    assert Path(picture).stat().st_size < 60_000
    assert json.loads((tmp_path / "l" / "result.json").read_text())["number"] == 8
