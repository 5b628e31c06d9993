"""Resume: 2N steps = N + resume + N, bit for bit, whatever broke the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import (
    DIRECT,
    GROWING,
    PICTURES,
    assert_same_run,
    assert_same_tree,
    last_checkpoint,
    metric_lines,
    same_weights,
    text_data,
    train,
    without_progress,
    write_config,
)

from seqgan.cli import run
from seqgan.training.checkpoint import Checkpoints
from seqgan.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("drawn_once")

SPECTRAL = {"penalties": [{"name": "spectral_norm"}]}
NO_CRITIC = dict.fromkeys(("critic", "objective", "estimator"))
CRITIC_ALONE = {
    "game": {"name": "critic_alone"},
    "estimator": None,
    "schedule": [{"repeat": 6, "phases": {"mine": 1, "critic": 1}}],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "moving average": {
        "estimator": {"name": "score_function", "baseline": {"name": "moving_average"}}
    },
    "learned baseline": {"estimator": {"name": "score_function", "baseline": {"name": "learned"}}},
    "rollout": {
        "estimator": {"name": "score_function", "credit": {"name": "rollout", "continuations": 2}},
        "generator": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    },
    "annealed temperature": {
        "estimator": {
            "name": "soft_gumbel",
            "temperature": {"start": 2.0, "end": 0.2, "steps": 4, "shape": "exponential"},
        },
        **SPECTRAL,
    },
    "ema": {"players.generator": {"ema": 0.8, "optimizer": "rmsprop"}},
    "a critic that leaks": {
        "generator": {"name": "leakgan", "embed": 4, "hidden": 4, "goal": 3, "horizon": 2},
        "critic": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4]},
        "estimator": {
            "name": "leakgan",
            "credit": {"name": "rollout", "continuations": 2},
            "baseline": {"name": "moving_average"},
        },
        "players.generator": {"ema": 0.8},
        **SPECTRAL,
    },
    "dropout": {
        "generator": {"name": "lstm", "embed": 4, "hidden": 4, "dropout": 0.3},
        "critic": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4], "dropout": 0.5},
    },
    "fresh data": {"data.fresh": True, "data.train": 12},
    "penalty": {"penalties": [{"name": "gradient_penalty"}], "game.mle_weight": 0.5},
    "trust region": {
        "game.reference_kl": 0.5,
        "schedule": [
            {"repeat": 2, "phases": {"mle": 1}},
            {"repeat": 5, "phases": {"critic": 1, "generator": 1}},
        ],
        "players.generator": {"ema": 0.8},
    },
    "rates that fall": {
        "players.generator": {"lr_decay": {"start": 1, "end": 0, "after": 1, "steps": 5}}
    },
    "scheduled sampling": {
        **NO_CRITIC,
        "game": {"name": "mle", "scheduled_sampling": {"start": 0, "end": 1.0, "steps": 9}},
        "schedule": [{"repeat": 12, "phases": {"mle": 1}}],
    },
    "another likelihood": {
        **NO_CRITIC,
        "game": {"name": "mle", "loss": {"name": "emo", "after": 5}},
        "schedule": [{"repeat": 12, "phases": {"mle": 1}}],
    },
    "fixed reward": {
        **NO_CRITIC,
        "game": {"name": "reward", "scorer": "bleu", "order": 2},
        "estimator": {"name": "ppo", "baseline": {"name": "moving_average"}},
        "schedule": [{"repeat": 6, "phases": {"mle": 1, "generator": 1}}],
    },
    "ebft": {
        **NO_CRITIC,
        "game": {"name": "ebft", "context": 1, "stride": 1, "continuation": 1},
        "estimator": {"name": "score_function", "samples": 3},
        "generator": {"name": "lstm", "embed": 4, "hidden": 4, "dropout": 0.3},
        "players.generator": {"ema": 0.8},
        "schedule": [{"repeat": 6, "phases": {"mle": 1, "generator": 1}}],
    },
    "jsdgan": {
        **NO_CRITIC,
        "game": {"name": "jsdgan"},
        "schedule": [{"repeat": 6, "phases": {"mle": 1, "generator": 1}}],
    },
    "ddo": {
        **NO_CRITIC,
        "game": {"name": "ddo", "alpha": 2.0, "beta": 0.5},
        "schedule": [{"repeat": 4, "phases": {"generator": 2, "snapshot": 1}}],
    },
    "residual": {
        "game": {"name": "residual"},
        "estimator": None,
        "generator": {"name": "lstm", "embed": 4, "hidden": 4, "dropout": 0.3},
        "schedule": [
            {"repeat": 2, "phases": {"mle": 1, "critic": 1, "rollback": 1}},
            {"repeat": 3, "phases": {"critic": 1, "distill": 1}},
        ],
        "players.generator": {"ema": 0.8},
        **SPECTRAL,
    },
    "policy": {
        "game": {"name": "residual"},
        "estimator": {"name": "ppo", "baseline": {"name": "learned"}},
        "schedule": [
            {"repeat": 1, "phases": {"mle": 1, "critic": 1}},
            {"repeat": 5, "phases": {"critic": 1, "generator": 1}},
        ],
        "players.policy": {"ema": 0.8},
    },
    "folds": {
        "game": {"name": "residual", "cross_fit": True, "shuffle_labels": True},
        "estimator": None,
        "schedule": [{"repeat": 6, "phases": {"mle": 1, "critic": 1}}],
    },
    "evolution": {
        "game": {"name": "adversarial", "evolution": {}},
        "estimator": {"name": "score_function", "baseline": {"name": "moving_average"}},
        "schedule": [{"repeat": 6, "phases": {"critic": 1, "evolve": 1}}],
        "players.generator": {"ema": 0.8},
    },
    "infill": {
        "game": {"name": "infill"},
        "critic": {"name": "rnn", "embed": 4, "hidden": 4},
    },
    "demonstrations": {
        "game": {
            "name": "adversarial",
            "demonstrations": {"share": {"start": 0.9, "end": 0, "steps": 8}},
        },
        "estimator": {"name": "ppo"},
    },
    **{name: tree for name, tree in DIRECT.items() if name != "cycle"},
    "critic alone on pictures": {
        **PICTURES,
        **CRITIC_ALONE,
        "generator": {"name": "langevin", "steps": 2, "buffer": 10},
        "players.generator": {"ema": 0.8},
        **SPECTRAL,
    },
    "critic alone on sentences": {
        **CRITIC_ALONE,
        "game": {"name": "critic_alone", "pool": 10},
        "generator": {"name": "gibbs", "steps": 2, "buffer": 10},
    },
    "batch norm and spectral norm": {
        **PICTURES,
        "generator": {"name": "dcgan", "latent": 3, "width": 4},
        "critic": {"name": "dcgan", "width": 4},
        "penalties": [{"name": "spectral_norm"}],
        "players.generator": {"ema": 0.9},
    },
    "lazy penalties and ramps": {
        **PICTURES,
        "objective": {"name": "rsgan", "paired": True},
        "penalties": [
            {"name": "r1", "weight": {"start": 2.0, "end": 0.5, "steps": 4}, "every": 2},
            {"name": "r2", "every": 3},
        ],
        "players.generator": {"ema": {"start": 0.0, "end": 0.9, "steps": 5}},
        "players.critic": {"betas": [0.0, {"start": 0.9, "end": 0.99, "steps": 4}]},
    },
    "growing": GROWING,
    # The pool of 12 is full after two of the six critic updates, and then exchanges.
    "cycle": {**DIRECT["cycle"], "train.batch_size": 6},
}


@pytest.fixture(autouse=True)
def _drawing_ahead_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few updates of a critic make samples of the next ones part of a checkpoint."""
    monkeypatch.setattr("seqgan.games.drawn_ahead.ONE_BY_ONE", 1)


class Killed(BaseException):
    """Ends a run in-process as SIGKILL would: nothing of ours runs after it."""


def crash_at(step: int, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let every training run die before it takes `step`."""
    take = Trainer._step

    def step_or_die(trainer: Trainer, phase: str) -> None:
        if trainer.step == step:
            raise Killed
        take(trainer, phase)

    monkeypatch.setattr(Trainer, "_step", step_or_die)
    return monkeypatch


def broken_run(folder: Path, overrides: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Killed at step 8, behind the checkpoint of step 5 and log lines of steps 6 and 8."""
    with monkeypatch.context() as patch, pytest.raises(Killed):
        crash_at(8, patch)
        train(folder, overrides)
    assert Checkpoints(folder / "checkpoints", 1).steps() == [5]
    assert metric_lines(folder)[-1]["step"] == 8
    return folder


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_killed_run_goes_on_bit_for_bit(
    overrides: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole", overrides)
    broken = broken_run(tmp_path / "broken", overrides, monkeypatch)
    assert run(["train", "--resume", str(broken)]) == 0
    assert_same_run(whole, broken)
    assert last_checkpoint(broken)["step"] == 12


def test_text_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = text_data(tmp_path / "corpus.txt")
    whole = train(tmp_path / "whole", data)
    broken = broken_run(tmp_path / "broken", data, monkeypatch)
    assert run(["train", "--resume", str(broken)]) == 0
    assert_same_run(whole, broken)


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        crash_at(3, patch)
        train(tmp_path / "broken")
    assert run(["train", "--resume", str(tmp_path / "broken")]) == 0
    assert_same_run(whole, tmp_path / "broken")


def test_every_single_break_gives_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again, with a checkpoint at every second step."""
    overrides = {"train.checkpoint_every": 2, **VARIANTS["dropout"]}
    whole = train(tmp_path / "whole", overrides)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        crash_at(3, patch)
        train(tmp_path / "broken", overrides)
    for step in (5, 8, 11):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            crash_at(step, patch)
            run(["train", "--resume", str(tmp_path / "broken")])
    assert run(["train", "--resume", str(tmp_path / "broken")]) == 0
    assert_same_run(whole, tmp_path / "broken")


def test_a_raised_number_of_rounds_continues_the_run(tmp_path: Path) -> None:
    """Six steps, then six more. The log of step 6 falls where the unbroken run logs anyway."""
    intervals = {"train.eval_every": 6}
    whole = train(tmp_path / "whole", intervals)
    half = {
        **intervals,
        "schedule": [{"repeat": 2, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
    }
    folder = train(tmp_path / "half", half)
    assert last_checkpoint(folder)["step"] == 6
    assert run(["train", "--resume", str(folder), "schedule.0.repeat=4"]) == 0
    assert_same_run(whole, folder)
    assert "repeat: 4" in (folder / "config.yaml").read_text()
    assert (folder / "evaluation.json").exists()


def test_a_phase_that_is_added_brings_its_player(tmp_path: Path) -> None:
    """As if it had been in the schedule from the beginning."""
    stages = [
        {"repeat": 3, "phases": {"mle": 1, "critic": 1}},
        {"repeat": 3, "phases": {"distill": 1}},
    ]
    residual = {"game": {"name": "residual"}, "estimator": None, "train.eval_every": 6}
    whole = train(tmp_path / "whole", {**residual, "schedule": stages})
    folder = train(tmp_path / "half", {**residual, "schedule": stages[:1]})
    assert "distilled" not in last_checkpoint(folder)["players"]
    longer = (
        "schedule=[{repeat: 3, phases: {mle: 1, critic: 1}}, {repeat: 3, phases: {distill: 1}}]"
    )
    assert run(["train", "--resume", str(folder), longer]) == 0
    first, second = last_checkpoint(whole), last_checkpoint(folder)
    del first["seconds"], second["seconds"]
    assert_same_tree(first, second)


def test_a_finished_run_that_is_resumed_changes_nothing(tmp_path: Path) -> None:
    folder = train(tmp_path / "run")
    before = metric_lines(folder)
    evaluation = (folder / "evaluation.json").read_text()
    assert run(["train", "--resume", str(folder)]) == 0
    assert metric_lines(folder) == before
    assert (folder / "evaluation.json").read_text() == evaluation


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_run_goes_on_bit_for_bit(
    number: signal.Signals,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    overrides = VARIANTS["dropout"]
    whole = train(tmp_path / "whole", overrides)
    config = write_config(tmp_path / "c.yaml", overrides)
    take = Trainer._step

    def step_and_signal(trainer: Trainer, phase: str) -> None:
        take(trainer, phase)
        if trainer.step == 7:
            os.kill(os.getpid(), number)

    folder = tmp_path / "broken"
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", step_and_signal)
        assert run(["train", str(config), f"run.dir={folder}"]) == status
    (line,) = without_progress(capsys.readouterr().err)
    assert number.name in line
    assert "--resume" in line
    assert last_checkpoint(folder)["step"] == 7
    assert not (folder / "evaluation.json").exists()
    assert run(["train", "--resume", str(folder)]) == 0
    assert_same_run(whole, folder)


def test_the_time_limit_stops_cleanly_and_the_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    folder = train(tmp_path / "limited", {"train.max_minutes": 1e-9})
    assert last_checkpoint(folder)["step"] == 1
    assert not (folder / "evaluation.json").exists()
    assert run(["train", "--resume", str(folder), "train.max_minutes=null"]) == 0
    assert_same_run(whole, folder)


def test_selection_survives_a_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"evaluation.select": {"metric": "nll_valid", "mode": "max"}, "train.keep": 1}
    whole = train(tmp_path / "whole", rule)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        crash_at(8, patch)
        train(tmp_path / "broken", rule)
    assert run(["train", "--resume", str(tmp_path / "broken")]) == 0
    assert_same_run(whole, tmp_path / "broken")
    best = [
        Checkpoints(tmp_path / name / "checkpoints", 1).selected() for name in ("whole", "broken")
    ]
    assert best[0] == best[1]
    assert best[0] is not None


# ── Through a real process ────────────────────────────────────────────────────────────────────

LONG = {
    "schedule": [{"repeat": 100, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
    "train.checkpoint_every": 7,
    "train.eval_every": 50,
    "train.log_every": 10,
    "generator.dropout": 0.2,
}


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred steps without a break."""
    return train(tmp_path_factory.mktemp("long") / "whole", LONG)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_stopped_goes_on_bit_for_bit(
    number: signal.Signals, tmp_path: Path, long_run: Path
) -> None:
    folder = tmp_path / "broken"
    config = write_config(tmp_path / "c.yaml", LONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgan", "train", str(config), f"run.dir={folder}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoints = Checkpoints(folder / "checkpoints", 1)
    deadline = time.monotonic() + 60
    while not checkpoints.steps() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert not (folder / "evaluation.json").exists(), "it was not stopped in time"
    assert stdout == ""
    if number == signal.SIGTERM:
        assert process.returncode == 143
        (line,) = without_progress(stderr)
        assert "--resume" in line
    assert run(["train", "--resume", str(folder)]) == 0
    assert_same_run(long_run, folder)


# ── What may change, and what decides a run ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("generator.hidden=16", "generator"),
        ("critic.hidden=16", "critic"),
        ("seed=1", "seed"),
        ("players.generator.lr=0.5", "players"),
        ("data.train=65", "data"),
        ("estimator.whiten=true", "estimator"),
    ],
)
def test_what_decides_the_run_cannot_change_when_it_is_resumed(
    override: str, field: str, finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")}
    assert run(["train", "--resume", str(finished_run), override]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"error: {field}")
    assert "new run" in line
    assert captured.out == ""
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")} == before


AVERAGED: dict[str, Any] = {**VARIANTS["dropout"], "players.generator": {"ema": 0.9}}


@pytest.fixture(scope="module")
def averaged_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("averaged") / "plain", AVERAGED)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    first, second = train(tmp_path / "first"), train(tmp_path / "second")
    assert_same_run(first, second)
    assert not same_weights(first, train(tmp_path / "third", {"seed": 1}))


@pytest.mark.parametrize(
    "change",
    [
        {"train.eval_every": 1},
        {"train.eval_every": 50},
        {"evaluation.samples_during_training": 5, "evaluation.seed": 9},
        {"train.log_every": 5},
        {"train.checkpoint_every": 1},
    ],
    ids=str,
)
def test_looking_at_a_run_does_not_change_it(
    change: dict[str, Any], averaged_run: Path, tmp_path: Path
) -> None:
    plain = last_checkpoint(averaged_run)
    looked = last_checkpoint(train(tmp_path / "looked", AVERAGED | change))
    for name in ("players", "game", "rng"):
        assert_same_tree(plain[name], looked[name])
