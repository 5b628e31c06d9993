"""Where training stops it is evaluated; what was selected there binds no run that goes on."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import assert_same_run, last_checkpoint, metric_lines, train, write_config

from seqgan.cli import run
from seqgan.experiment import load_run
from seqgan.runs.outcome import open_reported
from seqgan.training.checkpoint import Checkpoints, save_tree
from seqgan.training.trainer import Trainer

Capture = pytest.CaptureFixture[str]

LEARNS: dict[str, Any] = {
    "schedule": [
        {"repeat": 5, "phases": {"mle": 1}},
        {"repeat": 3, "phases": {"critic": 1, "generator": 1}},
    ],
    "players.generator": {"lr": 0.02},
    "evaluation.select": {"metric": "nll_valid"},
    "train.eval_every": 4,
}
"""Eleven steps, each likelihood update better than the last; evaluations are due at 4 and 8."""


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch, number: int = signal.SIGTERM) -> None:
    """Let a signal come while a run takes this step."""
    take = Trainer._step

    def step_and_signal(trainer: Trainer, phase: str) -> None:
        take(trainer, phase)
        if trainer.step == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "_step", step_and_signal)


def stopped_run(
    folder: Path, step: int, monkeypatch: pytest.MonkeyPatch, overrides: dict[str, Any]
) -> Path:
    config = write_config(folder.parent / f"{folder.name}.yaml", overrides)
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        assert run(["train", str(config), f"run.dir={folder}"]) == 143
    return folder


def selected(folder: Path) -> dict[str, Any] | None:
    return Checkpoints(folder / "checkpoints", keep=1).selected()


def evaluations(folder: Path) -> dict[int, bool]:
    """Step → whether only a stop has made it."""
    lines = [line for line in metric_lines(folder) if line["kind"] == "eval"]
    return {line["step"]: line.get("at_stop", False) for line in lines}


def test_a_run_that_is_stopped_before_its_first_evaluation_reports_what_it_has_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped_run(tmp_path / "run", 3, monkeypatch, LEARNS)
    assert evaluations(folder) == {0: False, 3: True}
    best = selected(folder)
    assert best is not None
    assert best["step"] == 3
    state, checkpoint = open_reported(load_run(folder), folder)
    assert state["step"] == checkpoint.step == 3


def test_the_time_limit_evaluates_too(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {**LEARNS, "train.max_minutes": 1e-9})
    assert evaluations(folder) == {0: False, 1: True}
    last = capsys.readouterr().err.splitlines()[-1]
    assert "step 1 of 11, before the adversarial phase, selected by nll_valid" in last
    assert last.endswith("training is not finished")


def test_the_end_is_evaluated_where_no_evaluation_is_due(tmp_path: Path) -> None:
    assert evaluations(train(tmp_path / "run", LEARNS)) == {0: False, 4: False, 8: False, 11: True}


def test_a_stop_by_the_rule_is_evaluated(tmp_path: Path) -> None:
    rule = {"metric": "nll_valid", "mode": "max", "patience": 6}  # the first one is the best
    folder = train(tmp_path / "run", {**LEARNS, "evaluation.select": rule})
    assert evaluations(folder) == {0: False, 4: False, 8: False, 10: True}
    assert '"finished": true' in (folder / "evaluation.json").read_text()


@pytest.mark.parametrize("step", [3, 5, 7, 10])
def test_a_run_that_goes_on_selects_what_an_unbroken_one_selects(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the stop's own selection (step 5, the end of likelihood) is the best of all."""
    overrides = {**LEARNS, "train.keep": 1}
    whole = train(tmp_path / "whole", overrides)
    folder = stopped_run(tmp_path / "broken", step, monkeypatch, overrides)
    assert run(["train", "--resume", str(folder)]) == 0
    assert_same_run(whole, folder)
    assert selected(folder) == selected(whole)
    left, right = (json.loads((f / "evaluation.json").read_text()) for f in (whole, folder))
    assert left["step"] == right["step"]


def test_more_rounds_forget_the_selection_at_the_former_end(tmp_path: Path) -> None:
    """Though it is the best of all: by `max` every step of likelihood is worse than the last."""
    base = {**LEARNS, "evaluation.select": {"metric": "nll_valid", "mode": "max"}}
    folder, whole = (
        train(tmp_path / name, {**base, "schedule": [{"repeat": rounds, "phases": {"mle": 1}}]})
        for name, rounds in (("run", 3), ("whole", 9))
    )
    first, unbroken = selected(folder), selected(whole)
    assert first is not None
    assert unbroken is not None
    assert first["step"] == 3
    assert first["value"] > unbroken["value"], "the test says nothing"
    assert run(["train", "--resume", str(folder), "schedule.0.repeat=9"]) == 0
    assert selected(folder) == unbroken
    assert evaluations(folder) == evaluations(whole) == {0: False, 4: False, 8: False, 9: True}


def test_a_finished_run_keeps_what_it_has_selected_at_its_end(tmp_path: Path) -> None:
    short = [{"repeat": 5, "phases": {"mle": 1}}]
    folder = train(tmp_path / "run", {**LEARNS, "schedule": short})
    before = selected(folder), metric_lines(folder)
    assert run(["train", "--resume", str(folder)]) == 0
    assert (selected(folder), metric_lines(folder)) == before


def test_the_run_is_saved_before_it_is_evaluated_so_that_a_second_signal_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Trainer._evaluate

    def evaluate_and_kill(trainer: Trainer, *arguments: Any, **words: Any) -> None:
        if trainer.step == 3:
            raise KeyboardInterrupt
        evaluate(trainer, *arguments, **words)

    config = write_config(tmp_path / "c.yaml", LEARNS)
    with monkeypatch.context() as patch:
        stop_at(3, patch)
        patch.setattr(Trainer, "_evaluate", evaluate_and_kill)
        assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 130
    assert last_checkpoint(tmp_path / "run")["step"] == 3
    assert run(["train", "--resume", str(tmp_path / "run")]) == 0
    assert_same_run(train(tmp_path / "whole", LEARNS), tmp_path / "run")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_while_it_evaluates_kills_at_once_with_its_own_status(
    number: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signal_again(trainer: Trainer, *_: Any, **__: Any) -> None:
        if trainer.step == 3:
            os.kill(os.getpid(), number)
            raise AssertionError("it has not been killed")

    with monkeypatch.context() as patch:
        stop_at(3, patch, number)
        patch.setattr(Trainer, "_evaluate", signal_again)
        config = write_config(tmp_path / "c.yaml", LEARNS)
        assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == status


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_initial_network_is_never_selected(mode: str, tmp_path: Path) -> None:
    """With `max` its likelihood is the best that the rule sees."""
    rule = {"metric": "nll_valid", "mode": mode}
    folder = train(tmp_path / "run", {**LEARNS, "evaluation.select": rule})
    values = {
        line["step"]: line["metrics"]["nll_valid"]
        for line in metric_lines(folder)
        if line["kind"] == "eval"
    }
    assert max(values, key=values.__getitem__) == 0, "the test says nothing"
    best = selected(folder)
    assert best is not None
    assert best["step"] > 0


def test_a_generator_that_only_its_critic_has_played_is_the_initial_network(tmp_path: Path) -> None:
    """An evaluation after the critic's own steps selects nothing either."""
    stages = [
        {"repeat": 4, "phases": {"critic": 1}},
        {"repeat": 4, "phases": {"generator": 1}},
    ]
    folder = train(tmp_path / "run", {**LEARNS, "schedule": stages, "train.max_minutes": 1e-9})
    assert selected(folder) is None
    assert evaluations(folder) == {0: False, 1: True}


def test_what_an_earlier_version_selected_at_step_0_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints have no second selection, and its first one is of the initial network."""
    save = Trainer.state_dict

    def as_before(trainer: Trainer) -> dict[str, Any]:
        state = save(trainer)
        del state["at_stop"]
        return {**state, "best": {"step": 0, "metric": "nll_valid", "value": -1.0}}

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "state_dict", as_before)
        folder = stopped_run(tmp_path / "run", 3, monkeypatch, LEARNS)
    initial = {**last_checkpoint(folder), "step": 0}
    save_tree(initial, Checkpoints(folder / "checkpoints", keep=1).path(0))
    assert run(["train", "--resume", str(folder)]) == 0
    assert selected(folder) == selected(train(tmp_path / "whole", LEARNS))
