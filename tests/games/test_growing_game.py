"""The game that grows: fade-in, optimizers that keep their state, and errors before training."""

from typing import Any

import pytest
import torch
from tiny_runs import GROWING, tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.growing import growing_parts
from seqgan.games.growing import GrowingGame

CPU = torch.device("cpu")


def make_game(**changes: Any) -> GrowingGame:
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    experiment = tiny_experiment({**GROWING, **overrides})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, GrowingGame)
    return game


def visit(game: GrowingGame, *phases: str) -> None:
    for phase in phases:
        for player, loss, _ in game.updates(phase):
            player.update(loss)


def alphas(game: GrowingGame) -> list[float]:
    return [
        float(part.alpha)
        for player in game.players.values()
        for part in growing_parts(player.module)
    ]


def outputs(game: GrowingGame) -> list[Tensor]:
    """Of generator, its average, and critic, for fixed inputs."""
    generator, critic = (game.players[name] for name in ("generator", "critic"))
    z_BL = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), generator.evaluated() as averaged:
        x = generator.module(z_BL)
        return [x, averaged(z_BL), critic.module(x).score]


def test_growth_changes_no_output_of_either_player_nor_of_the_average() -> None:
    """The next update starts from the networks that have been learned."""
    game = make_game()
    visit(game, "critic", "generator", "critic", "generator")
    before = outputs(game)
    visit(game, "grow")
    for found, expected in zip(outputs(game), before, strict=True):
        assert torch.equal(found, expected)


def test_alpha_rises_by_update_of_the_generator_and_starts_anew_with_each_stage() -> None:
    game = make_game(game={"name": "growing", "fade": 2})
    visit(game, "critic")
    assert alphas(game) == [1.0, 1.0], "the first stage is not faded in"
    visit(game, "generator", "grow", "critic", "critic")
    assert alphas(game) == [0.0, 0.0]
    visit(game, "generator")
    assert alphas(game) == [0.0, 0.0], "the first update of the new layers is at 0"
    visit(game, "critic", "generator")
    assert alphas(game) == [0.5, 0.5]
    visit(game, "critic", "generator", "critic", "generator")
    assert alphas(game) == [1.0, 1.0]


def test_layers_that_stay_keep_their_moments_and_the_new_ones_learn() -> None:
    game = make_game()
    visit(game, "critic", "generator", "critic", "generator")
    before = {name: moments(player) for name, player in game.players.items()}
    visit(game, "grow")
    for name, player in game.players.items():
        after = moments(player)
        assert set(after) == set(before[name])
        for parameter, kept in before[name].items():
            for key, value in kept.items():
                assert torch.equal(after[parameter][key], value), (name, parameter, key)
    start = {name: dict(p.module.state_dict()) for name, p in game.players.items()}
    start = {name: {k: v.clone() for k, v in weights.items()} for name, weights in start.items()}
    visit(game, *["critic", "generator"] * 3)
    for name, player in game.players.items():
        still = [k for k, p in player.module.named_parameters() if torch.equal(p, start[name][k])]
        assert not still
        assert len(moments(player)) == len(list(player.module.parameters()))


def moments(player: Any) -> dict[str, dict[str, Tensor]]:
    """Adam's, by the parameter's name."""
    state = player._optimizer.state
    names = {p: name for name, p in player.module.named_parameters()}
    return {names[p]: {key: v.clone() for key, v in found.items()} for p, found in state.items()}


def test_real_pictures_have_the_details_that_the_generator_can_draw() -> None:
    game = make_game()
    stream = game._game.stream
    x = stream.next().x
    assert torch.equal(x, x[..., ::4, ::4].repeat_interleave(4, -1).repeat_interleave(4, -2))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"critic__start": 8}, ["critic.start=8", "generator.start=4"]),
        (
            {"schedule": [{"repeat": 3, "phases": {"grow": 1, "generator": 1}}]},
            ["schedule", "3 times", "from 4 to 16", "2 visits"],
        ),
    ],
    ids=["different starts", "too many visits"],
)
def test_what_cannot_grow_is_an_error_before_training(changes: dict, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        make_game(**changes)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"game": {"name": "adversarial"}}, ["growing", "growth", "use game growing"]),
        (
            {"generator": {"name": "dcgan"}},
            ["game.name=growing", "stages", "use generator growing"],
        ),
        ({"critic": {"name": "dcgan"}}, ["game.name=growing", "stages", "use critic growing"]),
    ],
)
def test_growing_networks_and_the_game_go_together(overrides: dict, words: list[str]) -> None:
    tree = {**GROWING, **overrides}
    if overrides.get("game"):
        tree["schedule"] = [{"repeat": 2, "phases": {"critic": 1, "generator": 1}}]
    with pytest.raises(UserError) as error:
        tiny_experiment(tree)
    for word in words:
        assert word in str(error.value)
