"""Likelihood by CPU seconds: the last line is what a run of as many updates finds."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from load_script import load_script
from tiny_runs import text_data, tiny_tree, train, write_config
from typer import Typer
from typer.testing import CliRunner

SIX_UPDATES = {"schedule": [{"repeat": 6, "phases": {"mle": 1}}], "train": {"eval_every": 3}}
LONG = "1000"
"""More seconds than six updates take."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("likelihood_by_seconds")


def printed(script: ModuleType, *arguments: str) -> tuple[int, list[list[str]], str]:
    """Exit status, the words of each line behind the first, and the errors."""
    app = Typer()
    app.command()(script.main)
    result = CliRunner().invoke(app, list(arguments))
    return (
        result.exit_code,
        [line.split() for line in result.stdout.splitlines()[1:]],
        result.stderr,
    )


def test_the_last_line_is_that_of_a_run(script: ModuleType, tmp_path: Path) -> None:
    experiment = {**text_data(tmp_path / "text.txt"), **SIX_UPDATES}
    folder = train(tmp_path / "tiny", {**experiment, "seed": 1})
    row, *_ = json.loads((folder / "evaluation.json").read_text())["rows"]
    config = write_config(tmp_path / "other.yaml", experiment)
    status, lines, _ = printed(
        script, str(config), "--seconds", LONG, "--seconds", "0", "--seeds", "2"
    )
    assert status == 0
    assert [line[:2] + line[3:4] for line in lines] == [
        ["other", seed, updates] for seed in "01" for updates in "06"
    ]
    names = ("nll_test", "nll_known_test")
    assert lines[-1][-2:] == [f"{row['metrics'][name]:.3f}" for name in names]
    assert float(lines[-2][-2]) > float(lines[-1][-2])  # it learned


def test_a_schedule_that_begins_with_a_game_is_refused(script: ModuleType, tmp_path: Path) -> None:
    config = write_config(tmp_path / "game.yaml", text_data(tmp_path / "text.txt"))
    assert "mle" in tiny_tree()["schedule"][0]["phases"]
    status, lines, error = printed(script, str(config), "--seconds", LONG)
    assert (status, lines) == (2, [])
    assert error.startswith("error: schedule.0.phases=")
    assert error.count("\n") == 1
