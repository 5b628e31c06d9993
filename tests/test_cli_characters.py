"""Text without spaces between words, through the command line: train, sample, transform, score."""

import json
import re
from pathlib import Path

import pytest
from tiny_runs import train, write_config

from seqgan.cli import run

LINES = [f"{who}{verb}{what}。" for who in "我你他" for verb in "买卖吃看" for what in "书鱼花茶米"]
CHARACTERS = set("".join(LINES))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_the_warning_says_what_to_type(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"name": "word", "min_count": 1}
    data = {"name": "text", "path": str(text), "length": 6, "tokenizer": words}
    config = write_config(tmp_path / "c.yaml", {"data": data})
    assert run(["train", str(config), f"run.dir={tmp_path / 'words'}"]) == 0
    (override,) = set(re.findall(r"set '(.*?)'", capsys.readouterr().err))
    folder = tmp_path / "characters"
    assert run(["train", str(config), override, f"run.dir={folder}"]) == 0
    assert "warning" not in capsys.readouterr().err

    assert run(["sample", str(folder), "-n", "30"]) == 0
    samples = capsys.readouterr().out.splitlines()
    assert len(samples) == 30
    assert set("".join(samples).replace("<unk>", "")) <= CHARACTERS
    assert run(["evaluate", str(folder), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"][-1]["metrics"]["length"] == 4
    (tmp_path / "samples.txt").write_text("\n".join(samples) + "\n", encoding="utf-8")
    files = ["--hyp", str(tmp_path / "samples.txt"), "--ref", str(text)]
    assert run(["score", *files]) == 0


def test_prompts_in_characters_are_answered(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"prompts": str(text), "responses": str(text)}
    data = {
        "name": "prompted_text",
        "source": {"name": "lines", "train": files},
        "tokenizer": {"name": "char"},
        "prompt_length": 4,
        "length": 5,
    }
    schedule = [{"repeat": 4, "phases": {"mle": 1}}]
    game = {"game": {"name": "mle"}, "critic": None, "objective": None, "estimator": None}
    folder = train(tmp_path / "run", {"data": data, "schedule": schedule, **game})
    capsys.readouterr()
    assert run(["transform", str(folder), "--input", str(text)]) == 0
    answers = capsys.readouterr().out.splitlines()
    assert len(answers) == len(LINES)
    assert set("".join(answers).replace("<unk>", "")) <= CHARACTERS
