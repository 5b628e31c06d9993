"""From an experiment to the parts of its run: the device, the data, the networks and the game."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from seqgan.core.device import resolve_device
from seqgan.core.errors import UserError
from seqgan.core.generators import CriticSearch
from seqgan.core.parts import DataPart
from seqgan.core.rng import seed_everything
from seqgan.core.types import Space, SpacePair
from seqgan.evaluation.task import Task, TaskSetup, TranslationSetup
from seqgan.experiment import Experiment
from seqgan.games.parts import GameData, GameParts
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player


def build_device(experiment: Experiment) -> torch.device:
    """The device; sets torch's thread count where the configuration names one."""
    if experiment.train.threads is not None:
        torch.set_num_threads(experiment.train.threads)
    device = resolve_device(experiment.device)
    if experiment.train.precision == "bfloat16" and device.type == "mps":
        raise UserError("train.precision='bfloat16': not supported on mps; use float32")
    return device


def build_task(experiment: Experiment, device: torch.device, run: Path | None = None) -> Task:
    """The data, read or drawn, and how they are evaluated; `run` is an existing run's folder."""
    game = experiment.game
    frequency_prior, co_occurrence_prior = experiment.generator.priors
    return experiment.data.build(
        TaskSetup(
            seed=experiment.seed,
            batch_size=experiment.train.batch_size,
            evaluation=experiment.evaluation,
            device=device,
            run=run,
            conditional=game.conditional,
            translation=TranslationSetup(
                paired=game.pairs_rows,
                directions=game.played_directions,
                trained=experiment.trained_directions,
                noise=game.sentence_noise,
                frequency_prior=frequency_prior,
                co_occurrence_prior=co_occurrence_prior,
            ),
        )
    )


def build_generating_module(experiment: Experiment, space: Space | SpacePair) -> Any:
    """What the player `generator` trains, freshly initialised on the CPU: one network, a decoder
    with its encoder, two translators, or a search with its critic."""
    module = experiment.game.build_generator(
        space, experiment.generator, experiment.critic, experiment.encoder
    )
    if isinstance(module, CriticSearch):
        for penalty in experiment.penalties:
            penalty.build().prepare(module.critic)
    return module


def build_game(experiment: Experiment, task: Task, device: torch.device) -> Game:
    """The game with its networks, which are initialised from the experiment's seed."""
    seed_everything(experiment.seed)
    module = build_generating_module(experiment, task.space)
    for direction, logits_UV in task.priors.items():
        module.get_submodule(direction).add_prior_logits(logits_UV)
    data: DataPart = experiment.data
    config = experiment.players.generator
    parts = GameParts(
        data=GameData(
            space=task.space,
            streams=task.streams,
            noises=task.noises,
            prompts=None if task.prompts is None else task.prompts.unanswered,
            train=None if task.sequences is None else task.sequences.train,
            held_out=None if task.sequences is None else task.sequences.held_out,
            tokenizer=task.tokenizers.get("."),
            wrong_conditions=task.wrong_conditions,
        ),
        generator=Player("generator", module.to(device), config, ema=config.ema),
        critic=experiment.critic,
        objective=experiment.objective,
        penalties=[penalty.build() for penalty in experiment.penalties],
        players=experiment.players,
        estimator=experiment.estimator,
        build_oracle=partial(data.build_oracle, device),
        visits=PhaseSchedule(experiment.schedule).visits(),
        seed=experiment.seed,
        batch_size=experiment.train.batch_size,
        device=device,
    )
    return experiment.game.build(parts)
