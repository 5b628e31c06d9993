"""Steps of the cycle game, for every estimator."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch

from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate
from seqgan.assembly import build_game, build_task
from seqgan.core.types import (
    Rollout,
    SampleRequest,
    SequenceSpace,
    SpacePair,
)
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment, load_experiment
from seqgan.training.game import Game

SUMMARIES = Path(__file__).parents[2] / "configs" / "summarize" / "events.yaml"


REFERENCE = "detached"
"""What the others are compared with: it samples translations and teaches the ways back only."""

CYCLE_ESTIMATORS = {
    "softmax": "{name: softmax}",
    "soft_gumbel": "{name: soft_gumbel}",
    "straight_through_gumbel": "{name: straight_through_gumbel}",
    "straight_through": "{name: straight_through}",
    "score_function_leave_one_out": "{name: score_function, baseline: {name: leave_one_out}}",
    "score_function_self_critical": "{name: score_function, baseline: {name: self_critical}}",
    REFERENCE: "{name: detached}",
}
"""Every path of both rewards to the generator, with its default options."""


def bench_cycle(sizes: Sizes, device: torch.device) -> Json:
    """Steps as the trainer takes them: sampling, losses, one update. All games read one stream."""
    data = build_task(cycle_experiment(sizes, REFERENCE), device, None)
    games = {
        name: build_game(cycle_experiment(sizes, name), data, device) for name in CYCLE_ESTIMATORS
    }
    result: Json = {"batch": data.streams[0].batch_size}
    for phase in ("generator", "critic"):
        works: dict[str, Callable[[], object]] = {
            name: partial(_play, game, phase) for name, game in games.items()
        }
        for work in works.values():
            work()  # warm up: optimizer state; the generator's first step measures gradient norms
        runs = alternate(works, sizes.cycle_repeats, device)
        result[phase] = {name: _step_cost(times, runs[REFERENCE]) for name, times in runs.items()}
    tokens = {
        name: _tokens(cycle_experiment(sizes, name), game, data, device)
        for name, game in games.items()
    }
    return {**result, "checks": {"tokens": tokens}}


def cycle_experiment(sizes: Sizes, estimator: str) -> Experiment:
    """The configuration with another estimator. Updates cost what they cost but hardly move the
    generator: after a few of its first steps some estimators write two words, others eight."""
    changes = {
        "data.train": sizes.articles,
        "generator": "{name: encoder_decoder, width: 64, layers: 2, heads: 4}",
        "estimator": CYCLE_ESTIMATORS[estimator],
        "players.generator.lr": 1e-12,
    }
    if sizes.cycle_batch is not None:
        changes["train.batch_size"] = sizes.cycle_batch
    return load_experiment(SUMMARIES, [f"{key}={value}" for key, value in changes.items()])


def _play(game: Game, phase: str) -> None:
    for player, loss, _ in game.updates(phase):
        player.update(loss)


def _step_cost(runs: list[float], reference: list[float]) -> Json:
    return {
        "median_ms": 1000 * median(runs),
        "runs_ms": [1000 * run for run in runs],
        "ratio": median(runs) / median(reference),
    }


@torch.no_grad()
def _tokens(experiment: Experiment, game: Game, data: Task, device: torch.device) -> float:
    """Mean tokens of a summary: a generator that ends early makes its steps look cheap."""
    assert isinstance(data.space, SpacePair)
    assert isinstance(data.space.b, SequenceSpace)
    assert experiment.estimator is not None
    estimator = experiment.estimator.build(data.space.b, device)
    articles = data.streams[0].next().x
    generator = game.players["generator"].module.get_submodule("a2b")
    rollout: Rollout = estimator.sample(generator, SampleRequest(len(articles), articles))
    return float(rollout.mask_BT.sum(1).float().mean())
