"""Null arms and fair comparisons, through the command line."""

from pathlib import Path

import pytest
import torch
from tiny_runs import last_checkpoint, tiny_experiment, train

from seqgan.assembly import build_game, build_task
from seqgan.core.config_diff import config_diff, flatten
from seqgan.reporting.runs import is_null, read_run

CPU = torch.device("cpu")
ADVERSARIAL_ONLY = {"schedule": [{"repeat": 5, "phases": {"critic": 1, "generator": 1}}]}


def constant(baseline: str) -> dict:
    return {"name": "score_function", "baseline": {"name": baseline}, "reward": "constant"}


def moved(folder: Path, overrides: dict) -> bool:
    """Whether the generator is anywhere else than where its seed put it."""
    experiment = tiny_experiment(overrides)
    start = build_game(experiment, build_task(experiment, CPU, None), CPU)
    state = start.players["generator"].module.state_dict()
    end = last_checkpoint(folder)["players"]["generator"]
    assert end["updates"] == 5
    return any(not torch.equal(end["module"][name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("estimator", "optimizer"),
    [
        (constant("leave_one_out"), "adam"),
        (constant("leave_one_out"), "sgd"),
        (constant("leave_one_out"), "rmsprop"),
        ({"name": "soft_gumbel", "reward": "constant"}, "adam"),
    ],
    ids=["adam", "sgd", "rmsprop", "soft_gumbel"],
)
def test_a_constant_reward_without_noise_leaves_the_generator_bit_identical(
    estimator: dict, optimizer: str, tmp_path: Path
) -> None:
    overrides = {
        **ADVERSARIAL_ONLY,
        "estimator": estimator,
        "players.generator": {"optimizer": optimizer, "lr": 0.1},
    }
    assert not moved(train(tmp_path / "run", overrides), overrides)


@pytest.mark.parametrize(
    "estimator",
    [
        constant("none"),  # every sample is as good as any other, but not at once
        {"name": "score_function", "baseline": {"name": "leave_one_out"}, "reward": "shuffled"},
        {"name": "score_function", "baseline": {"name": "leave_one_out"}},
        {"name": "straight_through"},
        {"name": "straight_through", "reward": "shuffled"},
    ],
    ids=lambda estimator: f"{estimator['name']}-{estimator.get('reward', 'critic')}",
)
def test_every_other_arm_moves_the_generator(estimator: dict, tmp_path: Path) -> None:
    overrides = {**ADVERSARIAL_ONLY, "estimator": estimator}
    folder = train(tmp_path / "run", overrides)
    assert moved(folder, overrides)
    assert is_null(read_run(folder)) == ("reward" in estimator)


def test_changing_the_estimator_changes_nothing_else_in_the_resolved_configuration(
    tmp_path: Path,
) -> None:
    folders = [
        train(tmp_path / name, {"estimator": {"name": name}})
        for name in ("score_function", "straight_through_gumbel")
    ]
    configs = [flatten(read_run(folder).config) for folder in folders]
    differences = config_diff(configs)
    assert differences.pop("run.dir")
    assert "estimator.name" in differences
    assert all(key.startswith("estimator.") for key in differences)


def test_arms_that_differ_in_the_estimator_start_from_the_same_networks_and_data() -> None:
    games = []
    for estimator in ({"name": "score_function"}, {"name": "soft_gumbel"}, constant("learned")):
        experiment = tiny_experiment({"estimator": estimator})
        games.append(build_game(experiment, build_task(experiment, CPU, None), CPU))
    batches = [game.stream.next().x for game in games]
    for game, batch in zip(games[1:], batches[1:], strict=True):
        assert torch.equal(batch, batches[0])
        for name in ("generator", "critic"):
            first = games[0].players[name].module.state_dict()
            state = game.players[name].module.state_dict()
            assert all(torch.equal(state[key], first[key]) for key in first)
