"""The phase in which a critic takes over the generator's layers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import last_checkpoint, train, write_config

from seqgan.cli import run

STARTED: dict[str, Any] = {
    "critic": {"name": "rnn", "cell": "gru", "embed": 4, "hidden": 8, "from_generator": True},
    "estimator": {"name": "score_function", "credit": {"name": "per_step"}},
    "schedule": [{"repeat": 3, "phases": {"mle": 1}}, {"repeat": 1, "phases": {"copy_critic": 1}}],
}


def test_the_critic_has_the_generators_layers_of_that_moment(tmp_path: Path) -> None:
    players = last_checkpoint(train(tmp_path / "run", STARTED))["players"]
    generator, critic = players["generator"]["module"], players["critic"]["module"]
    shared = [name for name in critic if name.startswith(("embedding", "layers"))]
    assert shared
    for name in shared:
        assert torch.equal(critic[name], generator[name]), name
    assert (players["generator"]["updates"], players["critic"]["updates"]) == (3, 0)


def test_afterwards_both_go_their_own_way(tmp_path: Path) -> None:
    schedule = [*STARTED["schedule"], {"repeat": 2, "phases": {"critic": 1, "generator": 1}}]
    players = last_checkpoint(train(tmp_path / "run", {**STARTED, "schedule": schedule}))["players"]
    generator, critic = players["generator"]["module"], players["critic"]["module"]
    assert not torch.equal(critic["embedding.weight"], generator["embedding.weight"])


@pytest.mark.parametrize(
    "overrides",
    [
        {"critic.from_generator": False},
        {"schedule": [{"repeat": 3, "phases": {"mle": 1, "critic": 1}}]},
    ],
    ids=["phase alone", "field alone"],
)
def test_field_and_phase_go_together(tmp_path: Path, capsys, overrides) -> None:
    config = write_config(tmp_path / "config.yaml", {**STARTED, **overrides})
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 2
    assert "go together" in capsys.readouterr().err
