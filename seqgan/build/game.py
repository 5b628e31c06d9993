"""Networks, players and the game they play."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from seqgan.core.device import resolve_device
from seqgan.core.errors import UserError
from seqgan.core.rng import seed_everything
from seqgan.core.types import ArraySpace, Batch, Reward, SequenceSpace, Space, SpacePair
from seqgan.data.blanks import BlankingStream
from seqgan.data.config import OracleDataConfig
from seqgan.data.stream import Batches
from seqgan.estimators.base import Estimator
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.autoencode import AutoencodeGame
from seqgan.games.config import (
    AutoencodeGameConfig,
    ConditionalGameConfig,
    CriticFreeGameConfig,
    CycleGameConfig,
    DgsanGameConfig,
    InfillGameConfig,
    JsdganGameConfig,
    MleGameConfig,
    PairedGameConfig,
    RewardGameConfig,
)
from seqgan.games.cycle import CycleGame, Side, mean_absolute_difference, nats_per_token
from seqgan.games.demonstrations import Demonstrations
from seqgan.games.dgsan import DgsanGame
from seqgan.games.evolution import EvolutionaryGame
from seqgan.games.jsdgan import JsdganGame
from seqgan.games.mismatched import Mismatched, wrong_labels, wrong_prompts
from seqgan.games.mle import MleGame
from seqgan.games.paired import PairedGame
from seqgan.games.pool import Pool
from seqgan.games.reward import RewardGame
from seqgan.metrics.bleu_reward import BleuReward, BleuScorer
from seqgan.metrics.corpus import Corpus
from seqgan.models.build import (
    build_autoencoder,
    build_critic,
    build_generator,
    build_leakgan,
    build_translators,
)
from seqgan.models.config import (
    CnnCriticConfig,
    CriticConfig,
    LeakGanGeneratorConfig,
    RnnGeneratorConfig,
)
from seqgan.models.critics.start import start_from_generator
from seqgan.models.generators.leakgan import LeakGanGenerator
from seqgan.models.infilling import InfillingGenerator, with_blanks
from seqgan.models.oracles import build_oracle
from seqgan.objectives.base import Objective
from seqgan.objectives.config import ObjectiveConfig
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.penalties import Penalty
from seqgan.training.player import ModuleT, Player
from seqgan.training.trainer import Game


def build_generating_module(experiment: Experiment, space: Space | SpacePair) -> Any:
    """What the player `generator` trains: one network, a decoder with its encoder, or two ways."""
    config = experiment.generator
    if isinstance(space, SpacePair):
        return build_translators(config, space)
    if isinstance(experiment.game, AutoencodeGameConfig):
        assert experiment.encoder is not None, "checked by Experiment"
        assert isinstance(space, ArraySpace)
        return build_autoencoder(config, experiment.encoder, space)
    if isinstance(config, LeakGanGeneratorConfig):
        assert isinstance(experiment.critic, CnnCriticConfig), "checked by Experiment"
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        return build_leakgan(config, experiment.critic, space)
    if isinstance(experiment.game, InfillGameConfig):
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        return InfillingGenerator(build_generator(config, with_blanks(space)), space)
    return build_generator(config, space)


def build_game(experiment: Experiment, data: Task, device: torch.device) -> Game:
    """The networks, from the experiment's seed, and the game they play."""
    seed_everything(experiment.seed)
    game, players = experiment.game, experiment.players
    module = build_generating_module(experiment, data.space)
    for way, logits_UV in data.priors.items():
        module.get_submodule(way).add_prior_logits(logits_UV)
    module = module.to(device)
    generator = Player("generator", module, players.generator, ema=players.generator.ema)
    if isinstance(game, CriticFreeGameConfig):
        return _critic_free_game(experiment, game, data, generator, device)
    if isinstance(game, AutoencodeGameConfig):
        return AutoencodeGame(generator, data.stream, game)
    if isinstance(game, CycleGameConfig):
        return _cycle_game(experiment, game, data, generator, device)
    if isinstance(game, PairedGameConfig):
        of_a, of_b = data.streams
        return PairedGame(generator, of_a, of_b, game)
    space, stream = _shown(experiment, data)
    critic_module = build_critic(_critic(experiment), space).to(device)
    penalties = [penalty.build() for penalty in experiment.penalties]
    critic = _critic_player(experiment, critic_module, penalties, module)
    estimator, baseline = _estimator_and_baseline(experiment, space, device)
    demonstrations = getattr(game, "demonstrations", None)
    adversarial = AdversarialGame(
        generator,
        critic,
        baseline,
        estimator,
        _objective(experiment),
        penalties,
        stream,
        space,
        game.mle_weight,
        _mismatched(game, space, device),
        None if demonstrations is None else Demonstrations(demonstrations),
        None if data.prompts is None else data.prompts.unanswered,
        partial(start_from_generator, critic_module, module),
    )
    return _with_evolution(experiment, adversarial, estimator, stream)


def _mismatched(game: object, space: Space, device: torch.device) -> Mismatched | None:
    if not isinstance(game, ConditionalGameConfig) or not game.mismatched:
        return None
    if isinstance(space, SequenceSpace):
        return Mismatched(game.mismatched, wrong_prompts)
    # Made once: a list that becomes a tensor on a GPU makes the step wait.
    sizes_A = torch.tensor(space.label_sizes, dtype=torch.long, device=device)
    return Mismatched(game.mismatched, partial(wrong_labels, sizes_A=sizes_A))


def _shown(experiment: Experiment, data: Task) -> tuple[Space, Batches]:
    """What generator and critic look at: samples, in game infill with their blanked versions."""
    game, space = experiment.game, data.only_space
    if not isinstance(game, InfillGameConfig):
        return space, data.stream
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    low, high = game.shares
    stream = BlankingStream(data.stream, space.vocab_size, (low, high), game.contiguous)
    return with_blanks(space), stream


def _critic_free_game(
    experiment: Experiment,
    game: CriticFreeGameConfig,
    data: Task,
    generator: Player[Any],
    device: torch.device,
) -> Game:
    """Games of a generator of sequences alone."""
    if isinstance(game, MleGameConfig):
        return MleGame(generator, data.stream, game.scheduled_sampling)
    assert data.sequences is not None, "checked by Experiment"
    train = data.sequences.train
    if isinstance(game, JsdganGameConfig):
        return JsdganGame(generator, train, experiment.train.batch_size, experiment.seed)
    space = data.only_space
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    if isinstance(game, DgsanGameConfig):
        return DgsanGame(generator, data.stream, space)
    estimator, baseline = _estimator_and_baseline(experiment, space, device)
    reward = _fixed_reward(experiment, game, train, space, device)
    return RewardGame(generator, baseline, estimator, reward, data.stream)


def _fixed_reward(
    experiment: Experiment,
    game: RewardGameConfig,
    train: Batch,
    space: SequenceSpace,
    device: torch.device,
) -> Reward:
    if game.scorer == "oracle":
        assert isinstance(experiment.data, OracleDataConfig), "checked by Experiment"
        oracle = build_oracle(experiment.data.oracle, device)
        return lambda x, mask, shared=None: oracle.log_prob(x)
    assert train.mask is not None
    shown = slice(game.references)
    ids_NT, mask_NT = train.x[shown].cpu().numpy(), train.mask[shown].cpu().numpy()
    references = Corpus.from_masked(ids_NT, mask_NT, space.end_id)
    return BleuReward(BleuScorer(references, space.vocab_size, game.order), space.end_id)


def _estimator_and_baseline(
    experiment: Experiment, space: Space, device: torch.device
) -> tuple[Estimator, Player[nn.Module] | None]:
    """The estimator, and the player of what it learns where it learns something."""
    config = _estimator(experiment)
    network = config.build_network(space)
    baseline = None
    if network is not None:
        baseline = Player("baseline", network.to(device), experiment.players.baseline)
    return config.build(space, device, network), baseline


def _with_evolution(
    experiment: Experiment,
    game: AdversarialGame,
    estimator: Estimator,
    stream: Batches,
) -> Game:
    """The game with a phase `evolve`, where one is configured."""
    evolution = getattr(experiment.game, "evolution", None)
    if evolution is None:
        return game
    paired = getattr(_objective_config(experiment), "paired", False)
    mutations = [Divergence(name, paired=paired) for name in evolution.mutations]
    objective = _objective(experiment)
    return EvolutionaryGame(game, estimator, stream, objective, mutations, evolution.diversity)


def _cycle_game(
    experiment: Experiment,
    config: CycleGameConfig,
    data: Task,
    generators: Player[nn.ModuleDict],
    device: torch.device,
) -> CycleGame:
    assert isinstance(data.space, SpacePair)
    spaces = (data.space.a, data.space.b)
    critics = nn.ModuleDict(
        {
            name: build_critic(_critic(experiment), space)
            for name, space in zip("ab", spaces, strict=True)
        }
    ).to(device)
    sides = [
        Side(
            name,
            stream,
            space,
            Pool(config.pool),
            _estimator(experiment).build(space, device),
            noise,
        )
        for name, stream, space, noise in zip("ab", data.streams, spaces, data.noises, strict=True)
    ]
    pictures = isinstance(data.space.a, ArraySpace)
    penalties = [penalty.build() for penalty in experiment.penalties]
    return CycleGame(
        generators,
        _critic_player(experiment, critics, penalties),
        sides[0],
        sides[1],
        _objective(experiment),
        penalties,
        mean_absolute_difference if pictures else nats_per_token,
        config,
        _language_models(experiment, config, spaces, device),
    )


def _language_models(
    experiment: Experiment,
    config: CycleGameConfig,
    spaces: tuple[Space, Space],
    device: torch.device,
) -> Player[nn.ModuleDict] | None:
    """A recurrent network of each side, where fluency is asked for."""
    if not config.fluency_weight:
        return None
    models = nn.ModuleDict()
    for name, space in zip("ab", spaces, strict=True):
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        models[name] = build_generator(LANGUAGE_MODEL, space)
    return Player("language_model", models.to(device), experiment.players.language_model)


LANGUAGE_MODEL = RnnGeneratorConfig(name="gru", embed=64, hidden=128)
"""What says how fluent a translation is: small, since the texts are."""


def _critic_player(
    experiment: Experiment,
    critic: ModuleT,
    penalties: list[Penalty],
    generator: nn.Module | None = None,
) -> Player[ModuleT]:
    """A LeakGAN generator copies the critic now, and after each of its updates."""
    for penalty in penalties:
        penalty.prepare(critic)
    after_step = [partial(penalty.after_step, critic) for penalty in penalties]
    if isinstance(generator, LeakGanGenerator):
        generator.sync_critic_features(critic)
        after_step.append(partial(generator.sync_critic_features, critic))
    return Player("critic", critic, experiment.players.critic, partial(_call_all, after_step))


def _call_all(functions: Sequence[Callable[[], None]]) -> None:
    for function in functions:
        function()


def _critic(experiment: Experiment) -> CriticConfig:
    assert experiment.critic is not None, "checked by Experiment"
    return experiment.critic


def _estimator(experiment: Experiment) -> EstimatorConfig:
    assert experiment.estimator is not None, "checked by Experiment"
    return experiment.estimator


def _objective(experiment: Experiment) -> Objective:
    return _objective_config(experiment).build()


def _objective_config(experiment: Experiment) -> ObjectiveConfig:
    assert experiment.objective is not None, "checked by Experiment"
    return experiment.objective


def build_device(experiment: Experiment) -> torch.device:
    """The device; sets torch's thread count where the configuration names one."""
    if experiment.train.threads is not None:
        torch.set_num_threads(experiment.train.threads)
    device = resolve_device(experiment.device)
    if experiment.train.precision == "bfloat16" and device.type == "mps":
        raise UserError("train.precision='bfloat16': not supported on mps; use float32")
    return device
