"""REBAR and RELAX in games: what is asked for fits, and prompts reach everybody."""

from typing import Any

import pytest
import torch
from tiny_runs import CIPHER, PICTURES, tiny_experiment

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError

pytestmark = pytest.mark.usefixtures("drawn_once")

CPU = torch.device("cpu")
REBAR = {"name": "rebar"}
RELAX = {"name": "relax", "embed": 4, "hidden": 4}
EVOLUTION = {
    "game": {"name": "adversarial", "evolution": {"mutations": ["wgan", "hinge"]}},
    "schedule": [{"repeat": 1, "phases": {"critic": 1, "evolve": 1}}],
}
PROMPTED = {
    "data": {
        "name": "conditional_oracle",
        "prompt": 2,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
        "train": 64,
        "valid": 16,
        "test": 16,
    },
    "game": {"name": "conditional"},
    "schedule": [{"repeat": 1, "phases": {"critic": 1, "generator": 1}}],
}


@pytest.mark.parametrize("estimator", [REBAR, RELAX], ids=["rebar", "relax"])
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (PICTURES, "does not fit data.name=pictures; choose from: pathwise"),
        (CIPHER, "is not for game cycle"),
        (EVOLUTION, "use rebar with learn=false"),
    ],
    ids=["pictures", "cycle", "evolution"],
)
def test_games_that_it_is_not_for(
    estimator: dict[str, Any], overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({**overrides, "estimator": estimator})


def test_transport_has_values_whose_slope_is_another() -> None:
    transport = {"objective": {"name": "transport"}}
    with pytest.raises(
        UserError, match=r"rebar needs rewards with exact gradients, .*objective\.name=transport"
    ):
        tiny_experiment({**transport, "estimator": REBAR})
    tiny_experiment({**transport, "estimator": RELAX})


def test_fixed_scales_need_no_player() -> None:
    experiment = tiny_experiment({"estimator": {"name": "rebar", "learn": False}})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert set(game.players) == {"generator", "critic"}
    tiny_experiment({**EVOLUTION, "estimator": {"name": "rebar", "learn": False}})


@pytest.mark.parametrize("estimator", [REBAR, RELAX], ids=["rebar", "relax"])
def test_sequences_with_prompts(estimator: dict[str, Any]) -> None:
    experiment = tiny_experiment({**PROMPTED, "estimator": estimator})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    for phase in ("critic", "generator", "generator"):
        for player, loss, _ in game.updates(phase):
            player.update(loss)
            player.raise_if_not_finite(0)
    assert game.players["baseline"].updates == 2
