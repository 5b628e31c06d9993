"""Numbers that no computation can use: exit status 2, one line with field, value and remedy."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import tiny_experiment, write_config

from seqgan import cli
from seqgan.cli import run
from seqgan.core.errors import UserError

INF, NAN = float("inf"), float("nan")
SOFT = {"name": "soft_gumbel"}
CONDITIONAL = {"name": "conditional_oracle", "oracle": {"name": "random_gru"}}
FACES = {"name": "pictures"}


def annealed(start: float, end: float) -> dict[str, Any]:
    return {"shape": "exponential", "start": start, "end": end, "steps": 9}


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"evaluation.temperature": 1e-38}, "evaluation.temperature"),
        ({"evaluation.temperature": INF}, "evaluation.temperature"),
        ({"evaluation.sweep_temperatures": [1.0, 1e-38]}, "evaluation.sweep_temperatures"),
        ({"evaluation.sweep_temperatures": [NAN]}, "evaluation.sweep_temperatures"),
        ({"estimator": SOFT | {"temperature": INF}}, "estimator.temperature"),
        ({"estimator": SOFT | {"temperature": 1e-38}}, "estimator.temperature"),
        ({"estimator": SOFT | {"temperature": annealed(1.0, 1e-30)}}, "estimator.temperature.end"),
        ({"estimator": SOFT | {"temperature": annealed(NAN, 1.0)}}, "estimator.temperature.start"),
        ({"estimator": {"name": "rebar", "temperature": INF}}, "estimator.temperature"),
        ({"estimator": {"name": "rebar", "eta": INF}}, "estimator.eta"),
        ({"players.generator": {"lr": NAN}}, "players.generator.lr"),
        ({"players.critic": {"lr": 1e39}}, "players.critic.lr"),
        ({"players.critic": {"lr": 1e-40}}, "players.critic.lr"),
        ({"players.critic": {"betas": [0.5, NAN]}}, "players.critic.betas"),
        ({"penalties": [{"name": "gradient_penalty", "weight": INF}]}, "penalties.0.weight"),
        ({"game.mle_weight": INF}, "game.mle_weight"),
        ({"train.max_minutes": INF}, "train.max_minutes"),
        ({"train.batch_size": 9_999_999_999}, "train.batch_size"),
        ({"train.threads": 1_000_000}, "train.threads"),
        ({"generator.hidden": 10**40}, "generator.hidden"),
        ({"generator.layers": 1_001}, "generator.layers"),
        ({"critic": {"name": "mlp", "layers": 1_000_000}}, "critic.layers"),
        ({"critic": {"name": "cnn", "highways": 1_000_000}}, "critic.highways"),
        ({"critic": {"name": "patch", "layers": 1_000_000}}, "critic.layers"),
        ({"generator": {"name": "translator", "blocks": 1_000_000}}, "generator.blocks"),
        ({"generator": {"name": "encoder_decoder", "layers": 10**9}}, "generator.layers"),
        ({"data.train": 4_000_000_000}, "data.train"),
        ({"data.valid": 4_000_000_000}, "data.valid"),
        ({"data.oracle.length": 4_000_000_000}, "data.oracle.length"),
        ({"data.oracle": {"name": "brackets", "length": 1_002}}, "data.oracle.length"),
        ({"data": {"name": "cipher", "length": 4_000_000_000}}, "data.length"),
        ({"data": {"name": "events", "test": 4_000_000_000}}, "data.test"),
        ({"data": FACES | {"source": {"name": "faces", "test": 4_000_000_000}}}, "data.source.te"),
        ({"objective": {"name": "transport", "iterations": 10**9}}, "objective.iterations"),
        ({"schedule": [{"repeat": 10**12, "phases": {"mle": 1}}]}, "schedule.0.repeat"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(overrides: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError, match=f"^tiny: {field}") as caught:
        tiny_experiment(overrides)
    assert "out of range; " in str(caught.value) or "input should be" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"data.test": 10_000_000, "data.oracle.length": 101},
            "data: test=10000000: with oracle.length=101 these are 1,010,000,000 tokens, of which "
            "1,000,000,000 at most can be drawn; lower one of them",
        ),
        (
            {"data": {"name": "cipher", "train": 1_000_001, "length": 1_000}},
            "data: train=1000001: with length=1000 these are 1,000,001,000 tokens, of which "
            "1,000,000,000 at most can be drawn; lower one of them",
        ),
        (
            {"data": CONDITIONAL | {"train": 10_000_000, "prompt": 97}},
            "data: train=10000000: with oracle.length=4 and prompt=97 these are 1,010,000,000 "
            "tokens, of which 1,000,000,000 at most can be drawn; lower one of them",
        ),
    ],
    ids=["oracle", "cipher", "conditional_oracle"],
)
def test_sets_that_would_be_drawn_for_hours_are_refused(
    overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        tiny_experiment(overrides)
    assert str(caught.value) == f"tiny: {message}"


def test_the_numbers_at_the_ends_are_accepted() -> None:
    for temperature in (1e-6, 1e6):
        tiny_experiment({"evaluation.temperature": temperature})
    tiny_experiment({"players.critic": {"lr": 0.0}})
    tiny_experiment({"players.critic": {"lr": 3e38}})
    tiny_experiment({"seed": 2**32 - 1})
    tiny_experiment({"data.train": 10_000_000, "data.oracle.length": 100})
    tiny_experiment({"critic": {"name": "mlp", "layers": 1_000}})


@pytest.mark.parametrize(
    "option", [["--temperature", "1e-38"], ["--temperature", "1e39"], ["--seed", str(2**64)]]
)
def test_options_of_sample_have_the_same_limits(
    option: list[str], finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sample", str(finished_run), *option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert option[0].removeprefix("--") in line


@pytest.mark.parametrize("hidden", [10_000_000, 4_000_000_000])
def test_networks_without_room_are_one_line(
    hidden: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "c.yaml", {"generator.hidden": hidden})
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: not enough memory; lower train.batch_size, the sizes of the net")
    assert not (tmp_path / "run").exists()


def test_what_libraries_say_about_memory_is_understood() -> None:
    """A pebibyte is more than any process can address."""
    for allocate in (
        lambda: torch.empty(2**50, dtype=torch.uint8),
        lambda: torch.empty(2**40, 2**40),
        lambda: np.empty(2**50, dtype=np.uint8),
    ):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            allocate()
        assert cli._is_about_memory(caught.value)
    assert not cli._is_about_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not cli._is_about_memory(subprocess.SubprocessError("out of memory"))
