"""Every game runs on whatever device is there, in float32 and under bfloat16 autocast."""

from pathlib import Path

import pytest
import torch
from tiny_runs import CIPHER, DIRECT, EVENTS, LANGUAGES, tiny_experiment

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.device import autocast
from seqgan.evaluation.base import DecodingSetting
from seqgan.experiment import Experiment, load_experiment

pytestmark = pytest.mark.usefixtures("drawn_once")

CONFIG = Path(__file__).parents[1] / "configs/oracle/enumerable.yaml"

GAMES = {
    "mle": ["game={name: mle}", "critic=null", "objective=null", "estimator=null"],
    "reinforce": [],
    "rollout": ["estimator.credit={name: rollout, continuations: 2}"],
    "per_step": ["estimator.credit={name: per_step}", "critic={name: rnn}"],
    "learned": ["estimator.baseline={name: learned}"],
    "gae": [
        "estimator={name: score_function, credit: {name: gae}, baseline: {name: learned}}",
        "critic={name: rnn}",
    ],
    "all_action": ["estimator={name: all_action}", "critic={name: action}"],
    "ppo": ["estimator={name: ppo}"],
    "grpo": ["estimator={name: grpo}"],
    "maligan": ["estimator={name: maligan}", "objective={name: non_saturating, reward: logit}"],
    "rao_blackwell": ["estimator={name: rao_blackwell}"],
    "unordered_set": ["estimator={name: unordered_set}"],
    "rebar": ["estimator={name: rebar}"],
    "relax": ["estimator={name: relax}"],
    "soft_gumbel": ["estimator={name: soft_gumbel}"],
    "gradient_penalty": ["estimator={name: soft_gumbel}", "penalties=[{name: gradient_penalty}]"],
    "transformers": [
        "generator={name: transformer, width: 16, heads: 2}",
        "critic={name: transformer, width: 16, heads: 2}",
    ],
}

TEXT_CYCLES = {
    "lexicon": CIPHER,
    "exchanging lexicon": LANGUAGES,
    "pointer": EVENTS,
    "encoder_decoder": {
        **EVENTS,
        "generator": {"name": "encoder_decoder", "width": 8, "layers": 1, "heads": 2},
        "estimator": {"name": "score_function", "baseline": {"name": "self_critical"}},
    },
}


def run_phases(device: str, precision: str, overrides: list[str]) -> None:
    game_phases = ["mle"] if "game={name: mle}" in overrides else ["mle", "critic", "generator"]
    experiment = load_experiment(
        CONFIG,
        [
            f"device={device}",
            f"train.precision={precision}",
            "train.batch_size=8",
            "data.train=64",
            "data.valid=8",
            "data.test=8",
            "schedule=[{repeat: 1, phases: {mle: 1}}]",
            *overrides,
        ],
    )
    play(experiment, game_phases)


def play(experiment: Experiment, phases: list[str]) -> None:
    where = build_device(experiment)
    data = build_task(experiment, where, None)
    game = build_game(experiment, data, where)
    for phase in phases * 2:
        with autocast(where, experiment.train.precision):
            updates = list(game.updates(phase))
        for player, loss, _ in updates:
            assert loss.dtype == torch.float32
            assert loss.device.type == where.type
            player.update(loss)
            # Autocast must not have cached a weight that it met without a gradient.
            for name, parameter in player.module.named_parameters():
                assert parameter.grad is not None or not parameter.requires_grad, name
    for player in game.players.values():
        player.raise_if_not_finite(step=0)
    with game.players["generator"].evaluated() as generator:
        metrics = data.evaluator.generated(generator, "valid", 8, DecodingSetting())
        assert metrics
        data.evaluator.show(generator, DecodingSetting())
        data.evaluator.sheets(generator)


def own_phases(experiment):
    """The phases of the schedule, each once."""
    return list(dict.fromkeys(phase for stage in experiment.schedule for phase in stage.phases))


def run_direct(device: str, precision: str, name: str) -> None:
    changes = {"device": device, "train.precision": precision}
    experiment = tiny_experiment({**DIRECT[name], **changes})
    play(experiment, own_phases(experiment))


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_game_runs_on_the_cpu(game, precision):
    run_phases("cpu", precision, GAMES[game])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_game_runs_on_cuda(game, precision):
    run_phases("cuda", precision, GAMES[game])


@pytest.mark.parametrize("name", DIRECT)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_game_on_pictures_runs_on_the_cpu(name, precision):
    run_direct("cpu", precision, name)


@pytest.mark.parametrize("name", TEXT_CYCLES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_cycle_of_text_runs_on_the_cpu(name, precision):
    changes = {"device": "cpu", "train.precision": precision}
    experiment = tiny_experiment({**TEXT_CYCLES[name], **changes})
    play(experiment, own_phases(experiment))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", TEXT_CYCLES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_cycle_of_text_runs_on_cuda(name, precision):
    changes = {"device": "cuda", "train.precision": precision}
    experiment = tiny_experiment({**TEXT_CYCLES[name], **changes})
    play(experiment, own_phases(experiment))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", DIRECT)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_game_on_pictures_runs_on_cuda(name, precision):
    run_direct("cuda", precision, name)
