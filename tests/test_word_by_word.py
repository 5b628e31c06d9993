"""The lexicon of pairs: counts made by hand, and the command on files."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from load_script import load_script

SCRIPT = Path(__file__).parents[1] / "scripts" / "word_by_word.py"
PAIRS = [("A man runs.", "Un homme court."), ("A dog runs!", "Un chien court!"), ("It", "L'eau")]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("word_by_word")


def test_a_word_becomes_the_one_whose_lines_are_its_own(script: ModuleType) -> None:
    lexicon = script.dice_lexicon(PAIRS)
    assert lexicon["man"] == "homme"  # 1, against 2/3 for the words of both lines
    assert lexicon["dog"] == "chien"
    assert lexicon["It"] == "eau"  # as often as "L'": of equals the last in the alphabet
    assert lexicon["A"] == lexicon["runs"] == "court"  # before "Un"


def test_what_no_pair_has_is_copied_and_marks_lean(script: ModuleType) -> None:
    lexicon = {"the": "l'", "water": "eau", "is": "est"}
    assert script.translate("the water is COLD.", lexicon) == "l'eau est COLD."


def test_the_command(tmp_path: Path) -> None:
    for name, side in (("a", 0), ("b", 1)):
        lines = "".join(f"{pair[side]}\n" for pair in PAIRS)
        (tmp_path / name).write_text(lines, encoding="utf-8")
    (tmp_path / "in").write_text("man\n\nbird\n", encoding="utf-8")
    words = ["--pairs", tmp_path / "a", tmp_path / "b", "--input", tmp_path / "in"]
    command = [sys.executable, SCRIPT, *words, "--output", tmp_path / "out"]
    subprocess.run(command, check=True)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "homme\n\nbird\n"
    (tmp_path / "b").write_text("only one\n", encoding="utf-8")
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: --pairs: ")
    assert "3 lines" in failed.stderr
