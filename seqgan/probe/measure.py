"""Gradient estimators and the critic's signal, measured at the parameters of a game."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from seqgan.core.modes import frozen
from seqgan.core.plain import JsonObject
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SampleRequest, SequenceSpace
from seqgan.estimators.base import hard_samples
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment
from seqgan.games.critics import CriticReward, score
from seqgan.probe.critic_signal import critic_signal
from seqgan.probe.gradients import Probed, can_be_listed, probe_gradients
from seqgan.training.player import Player

SIGNAL_SAMPLES = 1_000
"""Sentences of each kind that the critic's signal is measured on."""


def measure(
    experiment: Experiment,
    players: Mapping[str, Player[Any]],
    data: Task,
    device: torch.device,
    done: Callable[[], None] = lambda: None,
) -> JsonObject:
    """`estimators`, a row each, and `critic`, the statistics of its scores. Changes nothing."""
    config, sets, space = experiment.probe, data.sequences, data.only_space
    assert config is not None, "the configuration has a probe"
    assert experiment.objective is not None, "a probed game has an objective"
    assert sets is not None, "data of tokens bring whole sets"
    assert isinstance(space, SequenceSpace), "a probe is of estimators of tokens"
    objective = experiment.objective.build()
    generator, critic = players["generator"].module, players["critic"].module
    with isolated(config.seed), frozen(critic):
        # A batch apart from the stream, which training has to find as it left it.
        real = _drawn(sets.held_out, experiment.train.batch_size)
        with torch.no_grad():
            scores = score(critic, real) if objective.needs_real else None
        rows = probe_gradients(
            generator,
            space,
            [_probed(row.label, row.estimator, space, device) for row in config.estimators],
            SampleRequest(len(real.x), real.cond),
            CriticReward(critic, objective, scores, real.cond),
            config.samples,
            config.reference_batches,
            config.fit,
            config.seed,
            done,
        )
        seen, held_out = (_drawn(part, SIGNAL_SAMPLES) for part in (sets.train, sets.held_out))
        fake = hard_samples(generator, space, SampleRequest(SIGNAL_SAMPLES, held_out.cond))
        signal = critic_signal(critic, seen, held_out, fake, sets.log_density)
    return {
        "reference": "listed" if can_be_listed(space) else "sampled",
        "batch_size": experiment.train.batch_size,
        "samples": config.samples,
        "estimators": rows,
        "critic": signal,
    }


def _probed(
    label: str, config: EstimatorConfig, space: SequenceSpace, device: torch.device
) -> Probed:
    network = config.build_network(space)
    if network is not None:
        network = network.to(device)
    estimator = config.build(space, device, network)
    return Probed(label, estimator, estimator.sums_steps, network)


def _drawn(batch: Batch, rows: int) -> Batch:
    """Random rows, the same one perhaps twice."""
    chosen = torch.randint(len(batch.x), (rows,), device=batch.x.device)
    mask = None if batch.mask is None else batch.mask[chosen]
    cond = None if batch.cond is None else batch.cond[chosen]
    return Batch(batch.x[chosen], mask, cond)
