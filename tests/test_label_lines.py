"""Labels by keywords, and the command on files."""

import json
import subprocess
import sys
from pathlib import Path

from load_script import load_script

SCRIPT = Path(__file__).parents[1] / "scripts" / "label_lines.py"


def test_the_first_keyword_of_a_line_counts_whole_words_only() -> None:
    label = load_script("label_lines").label
    assert label("A Cat and a man.", ["man", "cat"]) == "cat"
    assert label("A woman's many cats", ["man", "cat"]) is None
    assert label("A man's hat", ["man", "cat"]) == "man"
    assert label("The 'cat' in a T-shirt", ["t-shirt", "cat in"]) == "t-shirt"


def test_keywords_of_every_script() -> None:
    label = load_script("label_lines").label
    assert label("他在看一本书", ["书", "报"]) == "书"
    assert label("un cafe\u0301 noir", ["caf", "café"]) == "café"
    assert label("मानव", ["मान"]) is None
    assert label("मान है", ["मान"]) == "मान"


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a man runs\nnobody\nthe cat of a man\n", encoding="utf-8")
    command = [sys.executable, SCRIPT, "--input", tmp_path / "in", "--output", tmp_path / "out"]
    subprocess.run([*command, "--words", "man, cat"], check=True)
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert rows == [
        {"label": "man", "response": "a man runs"},
        {"label": "cat", "response": "the cat of a man"},
    ]
    for words, part in (("man,dog", "'dog'"), ("man,man", "two different")):
        failed = subprocess.run(
            [*command, "--words", words], capture_output=True, text=True, check=False
        )
        assert failed.returncode == 2
        (line,) = failed.stderr.splitlines()
        assert line.startswith("error: --words")
        assert part in line
