"""The documents of the lectures: they say what the ideas say and what was recorded."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from languages import assert_said_in_both, english_left
from load_script import load_script

from seqgan.core.errors import UserError
from seqgan.lectures import listing
from seqgan.lectures.idea import Finding, Said
from seqgan.lectures.listing import ideas, recorded_results

pages = load_script("lecture_pages")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_documents_are_those_of_the_ideas(language: str) -> None:
    written = pages.PAGES[language].read_text(encoding="utf-8")
    assert written == pages.page(language), "run: python scripts/lecture_pages.py"


@pytest.mark.parametrize("number", recorded_results())
def test_what_is_recorded_is_said_in_both_languages(number: str) -> None:
    for finding in pages._findings(recorded_results()[number]):
        assert_said_in_both(finding.what)


def test_no_english_is_left_on_the_chinese_page() -> None:
    lines = pages.PAGES["zh"].read_text(encoding="utf-8").splitlines()
    prose = [line for line in lines if not line.startswith(("    ", "[English]"))]  # no formulas
    for line in prose:
        said = re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)  # no commands, no targets of links
        assert english_left(said) == [], line


def test_results_are_of_ideas_that_there_are_and_have_pictures() -> None:
    numbers = {str(idea.number) for idea in ideas()}
    recorded = recorded_results()
    assert set(recorded) <= numbers
    folder = listing.RESULTS.parent
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures == {f"{int(number):02}.png" for number in recorded}
    assert all((folder / name).stat().st_size <= pages.LARGEST_PICTURE for name in pictures)


def finished(folder: Path, **changed: object) -> Path:
    folder.mkdir()
    (folder / "losses.png").write_bytes(b"a picture")
    findings = [
        Finding(Said("slope", "斜率"), 1.0, 0.5, 1.5),
        Finding(Said("rise", "上升"), 0.1, at_least=0.3),
        Finding(Said("|D|", "|D|"), 3.0),
    ]
    result = {"number": 8, "quick": False, "finished": True, "seconds": 70.4}
    result |= {"findings": [asdict(finding) for finding in findings]}
    result |= {"pictures": ["losses.png", "more.png"], **changed}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "docs" / "results.json"
    path.parent.mkdir()
    monkeypatch.setattr(listing, "RESULTS", path)
    monkeypatch.setattr(pages, "RESULTS", path)
    return path


def test_a_recorded_result_is_shown_whether_it_holds_or_not(results: Path, tmp_path: Path) -> None:
    assert "No result is recorded yet." in section(pages.page("en"))
    assert "尚無紀錄" in section(pages.page("zh"))
    pages.record(finished(tmp_path / "l"))
    assert (results.parent / "08.png").read_bytes() == b"a picture"
    shown = section(pages.page("en"))
    assert "    seqgan lecture 8      # 1 min 10 s" in shown
    assert "| ✓ | slope | 1 | 0.5 to 1.5 |" in shown
    assert "| ✗ | rise | 0.1 | at least 0.3 |" in shown
    assert "| · | \\|D\\| | 3 |  |" in shown
    assert "1 of 2 are not as expected." in shown
    assert "(lectures/08.png)" in shown
    assert "| 1 min 10 s | 1 / 2 |" in pages.page("en")
    chinese = section(pages.page("zh"))
    assert "1 分 10 秒" in chinese
    assert "| ✗ | 上升 | 0.1 | 至少 0.3 |" in chinese
    assert "2 項預期之中有 1 項不符。" in chinese


def test_a_result_with_labels_in_one_language_is_shown_on_both_pages(
    results: Path, tmp_path: Path
) -> None:
    findings = [{"what": "slope", "value": None, "at_least": 0.5, "at_most": None}]
    pages.record(finished(tmp_path / "l", findings=findings))
    assert "| ✗ | slope | nan | at least 0.5 |" in section(pages.page("en"))
    assert "| ✗ | slope | nan | 至少 0.5 |" in section(pages.page("zh"))


def section(text: str) -> str:
    return text.split("\n## 8. ")[1].split("\n## ")[0]


def test_what_is_not_recorded(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not finished in full"):
        pages.record(finished(tmp_path / "quick", quick=True))
    with pytest.raises(UserError, match="is not finished in full"):
        pages.record(finished(tmp_path / "stopped", finished=False))
    with pytest.raises(UserError, match="play a lecture first"):
        pages.record(tmp_path)
    large = finished(tmp_path / "large")
    (large / "losses.png").write_bytes(bytes(pages.LARGEST_PICTURE + 1))
    with pytest.raises(UserError, match="draw it smaller"):
        pages.record(large)
    assert not results.exists()
