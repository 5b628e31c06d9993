"""Arms after the same CPU seconds: from one start, each by its own phases."""

import json
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from load_script import load_script
from tiny_runs import text_data, tiny_experiment, train, write_config
from typer import Typer
from typer.testing import CliRunner

MLE: dict[str, Any] = {
    "game": {"name": "mle"},
    **dict.fromkeys(("critic", "objective", "estimator")),
    "schedule": [{"repeat": 6, "phases": {"mle": 1}}, {"repeat": 1, "phases": {"mle": 1}}],
}
GAME = [{"repeat": 6, "phases": {"mle": 1}}, {"repeat": 9, "phases": {"critic": 1, "generator": 1}}]
ONE_STEP = "1e-9"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("arms_by_seconds")


def write_study(folder: Path, schedule: list[Any], overrides: dict[str, Any]) -> Path:
    write_config(folder / "base.yaml", overrides)
    arms = [{"name": "mle", "set": MLE}, {"name": "game", "set": {"schedule": schedule}}]
    study = {"name": "s", "base": "base.yaml", "seeds": [3], "arms": arms}
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return folder / "study.yaml"


def printed(script: ModuleType, study: Path, seconds: str) -> tuple[list[list[str]], str]:
    """The words of each line behind the first, and the errors."""
    app = Typer()
    app.command()(script.main)
    result = CliRunner().invoke(app, [str(study), "--seconds", seconds])
    return [line.split() for line in result.stdout.splitlines()[1:]], result.stderr


def test_arms_go_on_from_one_start(script: ModuleType, tmp_path: Path) -> None:
    """Without a second all arms are the start; likelihood goes on as a run of one more update."""
    text = text_data(tmp_path / "text.txt")
    study = write_study(tmp_path, GAME, text)
    start, *arms = printed(script, study, "0")[0]
    assert start[:2] == ["start", "3"]
    assert start[3] == "6"
    assert [arm[:4] for arm in arms] == [["mle", "3", "0", "0"], ["game", "3", "0", "0"]]
    assert arms[0][4:] == arms[1][4:] == start[4:]
    lines, _ = printed(script, study, ONE_STEP)
    assert [line[3] for line in lines] == ["6", "1", "1"]
    folder = train(tmp_path / "run", {**text, **MLE, "seed": 3})
    row, *_ = json.loads((folder / "evaluation.json").read_text())["rows"]
    names = ("nll_test", "nll_known_test", "bleu_4", "self_bleu_4")
    assert lines[1][5:] == [f"{row['metrics'][name]:.4f}" for name in names]
    assert lines[1][4:] != start[4:]
    assert lines[2][4:] == start[4:]  # the critic's update leaves the generator


def test_the_last_stage_has_no_end(script: ModuleType) -> None:
    stages = [
        {"repeat": 6, "phases": {"mle": 1}},
        {"repeat": 2, "phases": {"critic": 1}},
        {"repeat": 1, "phases": {"critic": 1, "generator": 2}},
    ]
    phases = islice(script.later_phases(tiny_experiment({"schedule": stages})), 8)
    rounds = ["critic", "generator", "generator"]
    assert [*phases] == ["critic", "critic", *rounds, *rounds]


def test_a_study_that_begins_with_a_game_is_refused(script: ModuleType, tmp_path: Path) -> None:
    study = write_study(tmp_path, GAME, text_data(tmp_path / "text.txt"))
    tree = yaml.safe_load(study.read_text())
    tree["arms"] = [{"name": "game", "set": {"schedule": GAME[1:]}}]
    study.write_text(yaml.safe_dump(tree))
    lines, error = printed(script, study, "1")
    assert lines == []
    assert error.startswith("error: schedule.0.phases=")
