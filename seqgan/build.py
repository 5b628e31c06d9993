"""From a validated configuration to the objects of a run.

This is the one place that knows every package: networks are made here and handed to estimators,
oracles to data and evaluation.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seqgan.core.device import resolve_device
from seqgan.core.errors import UserError
from seqgan.core.rng import seed_everything
from seqgan.core.types import Space
from seqgan.data.config import OracleDataConfig
from seqgan.data.corpus import load_corpus
from seqgan.data.oracle_samples import draw_samples
from seqgan.data.stream import FreshStream, Stream
from seqgan.data.tokenizers import Tokenizer, load_tokenizer
from seqgan.estimators.base import Estimator
from seqgan.estimators.config import EstimatorConfig, LearnedBaselineConfig, ScoreFunctionConfig
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.score_function import ScoreFunction
from seqgan.evaluation.base import Evaluator
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.text import TextEvaluator
from seqgan.experiment import Experiment
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.mle import MleGame
from seqgan.models.build import build_critic, build_generator
from seqgan.models.oracles import build_oracle
from seqgan.models.value import PrefixValue
from seqgan.objectives.config import PenaltyConfig, SpectralNormConfig, WeightClipConfig
from seqgan.objectives.divergences import Objective
from seqgan.objectives.penalties import apply_spectral_norm, clip_weights
from seqgan.training.player import Player


@dataclass(frozen=True, slots=True)
class DataSide:
    """What the data decide."""

    space: Space
    stream: Stream | FreshStream
    evaluator: Evaluator
    tokenizer: Tokenizer | None
    report: dict[str, Any]


def build_data(experiment: Experiment, device: torch.device, run: Path | None) -> DataSide:
    """Read or draw the data. An existing run brings its own tokenizer."""
    config, batch_size, seed = experiment.data, experiment.train.batch_size, experiment.seed
    evaluation = experiment.evaluation
    if isinstance(config, OracleDataConfig):
        # Drawn on the CPU: the same data on every device. Densities are computed where it is fast.
        samples = draw_samples(config, build_oracle(config.oracle, torch.device("cpu")))
        oracle = build_oracle(config.oracle, device)
        stream: Stream | FreshStream
        if config.fresh:
            stream = FreshStream(lambda block: samples.block(block).to(device), batch_size)
        else:
            ids_NT = samples.train_NT.to(device)
            stream = Stream(ids_NT, torch.ones_like(ids_NT, dtype=torch.bool), batch_size, seed)
        evaluator = OracleEvaluator(oracle, samples, device, evaluation.seed)
        return DataSide(samples.space, stream, evaluator, None, {})
    corpus = load_corpus(config, load_tokenizer(run) if run is not None else None)
    train = corpus.train
    return DataSide(
        corpus.space,
        Stream(train.ids_NT.to(device), train.mask_NT.to(device), batch_size, seed),
        TextEvaluator(corpus, device, evaluation.seed, evaluation.references),
        corpus.tokenizer,
        corpus.report,
    )


def build_game(
    experiment: Experiment, data: DataSide, device: torch.device
) -> MleGame | AdversarialGame:
    """The networks, from the experiment's seed, and the game they play."""
    seed_everything(experiment.seed)
    generator = build_generator(experiment.generator, data.space).to(device)
    players = experiment.players
    generator_player = Player("generator", generator, players.generator, ema=players.generator.ema)
    if experiment.game.name == "mle":
        return MleGame(generator_player, data.stream)
    assert experiment.critic is not None, "checked by Experiment"
    assert experiment.objective is not None
    assert experiment.estimator is not None
    critic = build_critic(experiment.critic, data.space).to(device)
    constrain = _constrain(critic, experiment.penalties)
    critic_player = Player("critic", critic, players.critic, constrain)
    value_network = _value_network(experiment.estimator, data.space)
    baseline_player = None
    if value_network is not None:
        baseline_player = Player("baseline", value_network.to(device), players.baseline)
    return AdversarialGame(
        generator_player,
        critic_player,
        baseline_player,
        build_estimator(experiment.estimator, data.space, device, value_network),
        Objective(experiment.objective),
        experiment.penalties,
        data.stream,
        data.space.vocab_size,
        experiment.game.mle_weight,
    )


def build_estimator(
    config: EstimatorConfig,
    space: Space,
    device: torch.device,
    value_network: nn.Module | None = None,
) -> Estimator:
    if isinstance(config, ScoreFunctionConfig):
        return ScoreFunction(config, space, device, value_network)
    return Relaxed(config, space)


def _value_network(config: EstimatorConfig, space: Space) -> PrefixValue | None:
    if not isinstance(config, ScoreFunctionConfig):
        return None
    baseline = config.baseline
    if not isinstance(baseline, LearnedBaselineConfig):
        return None
    return PrefixValue(space, baseline.embed, baseline.hidden)


def _constrain(critic: nn.Module, penalties: list[PenaltyConfig]) -> partial[None] | None:
    """Normalise the critic's layers now; return what must happen after each of its updates."""
    after_step = None
    for penalty in penalties:
        if isinstance(penalty, SpectralNormConfig):
            apply_spectral_norm(critic, penalty.iterations)
        if isinstance(penalty, WeightClipConfig):
            after_step = partial(clip_weights, critic, penalty.limit)
    return after_step


def build_device(experiment: Experiment) -> torch.device:
    """The device; sets torch's thread count where the configuration names one."""
    if experiment.train.threads is not None:
        torch.set_num_threads(experiment.train.threads)
    device = resolve_device(experiment.device)
    if experiment.train.precision == "bfloat16" and device.type == "mps":
        raise UserError("train.precision='bfloat16': not supported on mps; use float32")
    return device
