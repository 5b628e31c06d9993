"""Objectives on features in the game: who is taught what, by each estimator; what is refused."""

from itertools import product
from typing import Any

import pytest
import torch
from tiny_runs import PICTURES, tiny_experiment
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.modes import frozen
from seqgan.core.types import SampleRequest
from seqgan.games.critics import score
from seqgan.objectives.base import cosine_cost, features, in_blocks
from seqgan.objectives.mmd import squared_mmd

OBJECTIVES: dict[str, dict[str, Any]] = {
    "mmd": {"name": "mmd", "weight": 5.0, "widths": [0.2, 1.0]},
    "transport": {"name": "transport"},
    "rank": {"name": "rank", "references": 4},
}
CRITICS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": 16, "layers": 1},
    "cnn": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [8, 8], "dropout": 0.0},
    "transformer": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    "pairwise": {"name": "pairwise", "embed": 4, "channels": 2, "hidden": 16},
}
ESTIMATORS: dict[str, dict[str, Any]] = {
    "sequence": {"name": "score_function"},
    "rollout": {
        "name": "score_function",
        "credit": {"name": "rollout", "continuations": 3},
    },
    "straight_through": {"name": "straight_through"},
    "soft_gumbel": {"name": "soft_gumbel"},
    "rebar": {"name": "rebar"},
}


def make_game(base: dict[str, Any] | None = None, **overrides: Any) -> Any:
    """A game of the tiny experiment; `__` in a name stands for a dot."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**(base or {}), **changes})
    cpu = torch.device("cpu")
    return build_game(experiment, build_task(experiment, cpu, None), cpu)


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    state = module.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, state[name])}


def play(game: Any, phase: str) -> None:
    for player, loss, _ in game.updates(phase):
        player.update(loss)
        player.raise_if_not_finite(1)


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(
    ("objective", "estimator"),
    [pair for pair in product(OBJECTIVES, ESTIMATORS) if pair != ("transport", "rebar")],
)
def test_both_players_learn_by_every_estimator(objective: str, estimator: str, critic: str) -> None:
    game = make_game(
        objective=OBJECTIVES[objective], estimator=ESTIMATORS[estimator], critic=CRITICS[critic]
    )
    for phase, other in (("critic", "generator"), ("generator", "critic")):
        players = {name: game.players[name].module for name in (phase, other)}
        before = {name: snapshot(module) for name, module in players.items()}
        play(game, phase)
        assert changed(before[phase], players[phase])
        assert not changed(before[other], players[other])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_parameter_in_front_of_the_features_learns(objective: str) -> None:
    game = make_game(objective=OBJECTIVES[objective])
    critic = game.players["critic"].module
    before = snapshot(critic)
    play(game, "critic")
    trained = {name for name, _ in critic.named_parameters()}
    if objective != "mmd":  # the others do not look at the score
        trained -= {"readout.weight", "readout.bias"}
    assert trained == changed(before, critic)


@pytest.mark.parametrize("estimator", ["sequence", "straight_through"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_generator_step_raises_the_mean_value(objective: str, estimator: str) -> None:
    game = make_game(
        objective=OBJECTIVES[objective],
        estimator=ESTIMATORS[estimator],
        train__batch_size=128,
        players__generator={"optimizer": "sgd", "lr": 0.2, "clip_norm": None},
        players__critic={"lr": 1e-2},
    )
    for _ in range(10):  # a critic that tells samples apart
        play(game, "critic")
    generator, critic = (game.players[name].module for name in ("generator", "critic"))

    @torch.no_grad()
    def mean_value() -> float:
        """Of many batches beside the same real ones."""
        torch.manual_seed(0)
        game.stream.load_state_dict({"epoch": 0, "position": 0})
        total = 0.0
        with frozen(generator), frozen(critic):
            for _ in range(8):
                real = game.stream.next()
                fake = game.generator.estimator.sample(generator, SampleRequest(len(real.x)))
                of_real, of_fake = score(critic, real), score(critic, fake)
                total += float(game.criterion.objective.reward(of_fake, of_real).mean()) / 8
        return total

    before = mean_value()
    for _ in range(4):
        play(game, "generator")
    assert mean_value() > before + 1e-4


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_critic_steps_raise_what_tells_the_kinds_apart(objective: str) -> None:
    """MMD², the distance, or how much more real samples are like the references."""
    game = make_game(
        objective=OBJECTIVES[objective], train__batch_size=128, players__critic={"lr": 1e-2}
    )
    generator, critic = (game.players[name].module for name in ("generator", "critic"))
    real = game.stream.next()
    fake = game.generator.estimator.sample(generator, SampleRequest(len(real.x)))

    @torch.no_grad()
    def apart() -> float:
        with frozen(critic):
            of_real, of_fake = score(critic, real), score(critic, fake)
        if objective == "mmd":
            fake_NBF = in_blocks(features(of_fake), len(real.x))
            return float(squared_mmd(fake_NBF, features(of_real), [0.2, 1.0]))
        if objective == "rank":
            references, others = features(of_real)[:4], features(of_real)[4:]
            costs = [cosine_cost(x, references).mean() for x in (features(of_fake), others)]
            return float(costs[0] - costs[1])
        return -float(game.criterion.objective.reward(of_fake, of_real).mean())

    before = apart()
    for _ in range(10):
        play(game, "critic")
    assert apart() > before + 1e-3


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_features_of_pictures_are_compared_too(objective: str) -> None:
    game = make_game(PICTURES, objective=OBJECTIVES[objective])
    for phase in ("critic", "generator"):
        before = snapshot(game.players[phase].module)
        play(game, phase)
        assert changed(before, game.players[phase].module)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_bfloat16_compares_in_float32(objective: str) -> None:
    game = make_game(objective=OBJECTIVES[objective])
    real = game.stream.next()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        scores = score(game.players["critic"].module, real)
        under = game.criterion.objective.reward(scores, scores)
    torch.testing.assert_close(under, game.criterion.objective.reward(scores, scores))
    assert under.dtype == torch.float32


# ── What is refused ───────────────────────────────────────────────────────────────────────────

SELF_CRITICAL = {"name": "score_function", "baseline": {"name": "self_critical"}}


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"critic": {"name": "rnn"}}, ["objective.name=transport", "critic.name=rnn", "cnn"]),
        (
            {"critic": {"name": "transformer", "causal": True}},
            ["critic.name=transformer", "set critic.causal=false"],
        ),
        ({"estimator": {"name": "maligan"}}, ["objective.name=transport", "maligan", "logit"]),
        ({"estimator": {"name": "rebar"}}, ["objective.name=transport", "rebar", "use relax"]),
        ({"estimator": SELF_CRITICAL}, ["self_critical", "use leave_one_out"]),
        ({"penalties": [{"name": "r1"}]}, ["penalties[0].name=r1", "score", "spectral_norm"]),
        (
            {"objective": {"name": "rank"}, "train.batch_size": 16},
            ["train.batch_size=16", "at least 17"],
        ),
        (
            {
                "objective": {"name": "mmd"},
                "train.batch_size": 1,
                "estimator": {"name": "straight_through"},
            },
            ["train.batch_size=1", "at least 2"],
        ),
        ({"objective": {"name": "mmd", "reward": "prob"}}, ["objective.reward='prob'", "weight"]),
        ({"objective": {"name": "mmd", "widths": []}}, ["objective.widths", "1 item"]),
        ({"objective": {"name": "mdm"}}, ["objective.name='mdm'", "did you mean 'mmd'"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_refused_with_a_remedy(
    overrides: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(UserError) as refusal:
        tiny_experiment({"objective": {"name": "transport"}, **overrides})
    for part in parts:
        assert part in str(refusal.value)


def test_a_greedy_sentence_can_be_ranked() -> None:
    """A rank needs no other samples: the self-critical baseline is allowed."""
    game = make_game(objective=OBJECTIVES["rank"], estimator=SELF_CRITICAL)
    play(game, "generator")
