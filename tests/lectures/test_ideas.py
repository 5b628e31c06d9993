"""Every idea: its text, its number, and that its code runs in the quick form."""

import json
import math
import re
from pathlib import Path

import pytest
from languages import assert_said_in_both
from PIL import Image

from seqgan.cli import run
from seqgan.lectures import command
from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.listing import ideas
from seqgan.lectures.stage import Stage
from seqgan.reporting.panels import panels, save_png

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
    assert_said_in_both(idea.title)
    assert_said_in_both(idea.idea)
    assert two_sentences(idea.idea)
    assert "\n" not in idea.equation.en + idea.equation.zh
    assert not re.search(r"\b(against|or|and|fixed|then|both|for)\b", idea.equation.zh)


def two_sentences(text: Said) -> bool:
    return text.en.endswith(".") and text.zh.endswith("。") and text.zh.count("。") == 2


def test_a_lecture_says_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(stage: Stage) -> list[Finding]:
        figure, (panel,) = panels(1, titles=("a curve",))
        panel.plot([1, 2, 3])
        save_png(figure, stage.picture("curve"))
        slope, rise, end = Said("slope", "斜率"), Said("rise", "上升"), Said("end", "結束")
        never = Finding(end, math.inf, at_most=9)
        assert_said_in_both(never.measured)
        return [Finding(slope, 1.0, 0.5, 1.5), Finding(rise, 2.0, at_most=1), never]

    text = Said("A title", "題目")
    idea = Idea(90, text, Said("One. Two.", "一。二。"), Said.both("y = x"), measure)
    monkeypatch.setattr(command, "find_idea", lambda number: idea)
    assert run(["lecture", "90", "--dir", str(tmp_path / "l")]) == 0
    *lines, picture = capsys.readouterr().out.splitlines()
    assert lines == [
        "90. A title",
        "One. Two.",
        "    y = x",
        "✓ slope  1  (0.5 to 1.5)",
        "✗ rise   2  (at most 1)",
        "✗ end    never  (at most 9)",
        "2 of 3 are not as expected",
    ]
    with Image.open(picture) as image:
        assert image.format == "PNG"
    assert json.loads((tmp_path / "l" / "result.json").read_text())["number"] == 90
