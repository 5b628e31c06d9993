"""Gradient estimators and the critic's signal, measured at the parameters of a game."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from seqgan.core.modes import frozen
from seqgan.core.plain import JsonObject
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SampleRequest, SequenceSpace
from seqgan.estimators.base import hard_samples
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.evaluation.task import SequenceSets, Task
from seqgan.experiment import Experiment
from seqgan.games.critics import CriticReward, score
from seqgan.objectives.config import ObjectiveConfig
from seqgan.probe.config import ProbeConfig
from seqgan.probe.critic_signal import critic_signal
from seqgan.probe.gradients import Probed, can_be_listed, probe_gradients
from seqgan.training.player import Player

SIGNAL_SAMPLES = 1_000
"""Sentences of each kind that the critic's signal is measured on."""


@dataclass
class Probe:
    """Everything at the parameters of the moment; `measure` changes none of it."""

    experiment: Experiment
    players: dict[str, Player[Any]]
    data: Task
    device: torch.device

    def measure(self, done: Callable[[], None] = lambda: None) -> JsonObject:
        """`estimators`, a row each, and `critic`, the statistics of its scores."""
        config, space = self._config, self._space
        objective = self._objective.build()
        generator, critic = self.players["generator"].module, self.players["critic"].module
        with isolated(config.seed), frozen(critic):
            # A batch apart from the stream, which training has to find as it left it.
            real = _drawn(self._sequences.held_out, self.experiment.train.batch_size)
            with torch.no_grad():
                scores = score(critic, real) if objective.needs_real else None
            rows = probe_gradients(
                generator,
                space,
                [self._probed(row.label, row.estimator) for row in config.estimators],
                SampleRequest(len(real.x), real.cond),
                CriticReward(critic, objective, scores, real.cond),
                config,
                done,
            )
            signal = self._signal()
        return {
            "reference": "listed" if can_be_listed(space) else "sampled",
            "batch_size": self.experiment.train.batch_size,
            "samples": config.samples,
            "estimators": rows,
            "critic": signal,
        }

    @property
    def _config(self) -> ProbeConfig:
        assert self.experiment.probe is not None, "the configuration has a probe"
        return self.experiment.probe

    @property
    def _objective(self) -> ObjectiveConfig:
        assert self.experiment.objective is not None, "a probed game has an objective"
        return self.experiment.objective

    @property
    def _space(self) -> SequenceSpace:
        space = self.data.only_space
        assert isinstance(space, SequenceSpace), "a probe is of estimators of tokens"
        return space

    @property
    def _sequences(self) -> SequenceSets:
        assert self.data.sequences is not None, "data of tokens bring whole sets"
        return self.data.sequences

    def _probed(self, label: str, config: EstimatorConfig) -> Probed:
        network = config.build_network(self._space)
        if network is not None:
            network = network.to(self.device)
        estimator = config.build(self._space, self.device, network)
        return Probed(label, estimator, estimator.sums_steps, network)

    def _signal(self) -> dict[str, float | None]:
        """The statistics of the critic's scores: see critic_signal.py."""
        seen, held_out = (
            _drawn(d, SIGNAL_SAMPLES) for d in (self._sequences.train, self._sequences.held_out)
        )
        generator, critic = self.players["generator"].module, self.players["critic"].module
        fake = hard_samples(generator, self._space, SampleRequest(SIGNAL_SAMPLES, held_out.cond))
        return critic_signal(critic, seen, held_out, fake, self._sequences.log_density)


def _drawn(batch: Batch, rows: int) -> Batch:
    """Random rows, the same one perhaps twice."""
    chosen = torch.randint(len(batch.x), (rows,), device=batch.x.device)
    mask = None if batch.mask is None else batch.mask[chosen]
    cond = None if batch.cond is None else batch.cond[chosen]
    return Batch(batch.x[chosen], mask, cond)
