"""From an experiment to the parts of its run."""

from pathlib import Path

import torch

from seqgan.evaluation.task import Task, TaskSetup, TranslationSetup
from seqgan.experiment import Experiment
from seqgan.games.config import CycleGameConfig, PairedGameConfig
from seqgan.models.seq2seq.config import LexiconConfig


def build_task(experiment: Experiment, device: torch.device, run: Path | None = None) -> Task:
    """The data, read or drawn, and how they are evaluated; `run` is an existing run's folder."""
    return experiment.data.build(
        TaskSetup(
            seed=experiment.seed,
            batch_size=experiment.train.batch_size,
            evaluation=experiment.evaluation,
            device=device,
            run=run,
            conditional=experiment.game.name == "conditional",
            translation=_translation(experiment),
        )
    )


def _translation(experiment: Experiment) -> TranslationSetup:
    """What translators ask of their data; the defaults in games that have none."""
    game, generator = experiment.game, experiment.generator
    if not isinstance(game, CycleGameConfig | PairedGameConfig):
        return TranslationSetup()
    lexicon = generator if isinstance(generator, LexiconConfig) else LexiconConfig()
    return TranslationSetup(
        cycle=isinstance(game, CycleGameConfig),
        directions=game.directions,
        trained=experiment.trained_directions,
        noise=game.noise if isinstance(game, CycleGameConfig) else None,
        frequency_prior=lexicon.frequency_prior,
        co_occurrence_prior=lexicon.co_occurrence_prior,
    )
