"""From a validated configuration to the objects of a run.

This is the one place that knows every package: networks are made here and handed to estimators,
oracles to data and evaluation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.device import resolve_device
from seqgan.core.errors import UserError
from seqgan.core.pictures import to_unit
from seqgan.core.rng import seed_everything
from seqgan.core.types import ArraySpace, Batch, Reward, SequenceSpace, Space, SpacePair
from seqgan.data.blanks import BlankingStream
from seqgan.data.cipher import load_cipher
from seqgan.data.config import (
    ConditionalOracleConfig,
    FacesSourceConfig,
    HuggingFaceDataConfig,
    OracleDataConfig,
    PictureDataConfig,
    PictureSetConfig,
    PointsDataConfig,
    TextDataConfig,
    UnpairedPicturesConfig,
)
from seqgan.data.corpus import load_corpus
from seqgan.data.events import load_events
from seqgan.data.language_pair import load_language_pair
from seqgan.data.noise import Noise, build_noise
from seqgan.data.noise_config import WordNoiseConfig
from seqgan.data.oracle_samples import OracleSamples, draw_pairs, draw_samples
from seqgan.data.pictures import Pictures, load_pictures, load_unpaired
from seqgan.data.points import training_block
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.prompted_text import load_prompted_text
from seqgan.data.stream import Batches, FreshStream, Stream
from seqgan.data.text_pair_config import (
    CipherDataConfig,
    EventsDataConfig,
    LanguagePairConfig,
    UnpairedTextConfig,
)
from seqgan.data.tokenizers import Tokenizer, load_tokenizer
from seqgan.data.unpaired_text import TextSide, UnpairedText, load_unpaired_text
from seqgan.estimators.all_action import AllAction
from seqgan.estimators.base import Estimator
from seqgan.estimators.config import (
    AllActionConfig,
    DetachedConfig,
    EstimatorConfig,
    GrpoConfig,
    LeakGanConfig,
    LearnedBaselineConfig,
    MaliganConfig,
    PathwiseConfig,
    PolicyGradientConfig,
    PpoConfig,
    RaoBlackwellConfig,
    RebarConfig,
    RelaxConfig,
    ScoreFunctionConfig,
    UnorderedSetConfig,
)
from seqgan.estimators.detached import Detached
from seqgan.estimators.grpo import Grpo
from seqgan.estimators.leakgan import LeakGan
from seqgan.estimators.maligan import Maligan
from seqgan.estimators.pathwise import Pathwise
from seqgan.estimators.ppo import Ppo
from seqgan.estimators.rao_blackwell import RaoBlackwell
from seqgan.estimators.rebar import Rebar, RebarScales
from seqgan.estimators.relax import Relax
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.score_function import ScoreFunction
from seqgan.estimators.unordered_set import UnorderedSet
from seqgan.evaluation.base import Evaluator, OracleDensity
from seqgan.evaluation.cipher_baselines import cipher_baselines
from seqgan.evaluation.cycle import CycleEvaluator, JudgedKind
from seqgan.evaluation.judge import Judge, JudgeSpec, cached_judge
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.pictures import Detect, PictureEvaluator
from seqgan.evaluation.points import PointsEvaluator
from seqgan.evaluation.prompted import PromptedTextEvaluator
from seqgan.evaluation.text import TextEvaluator
from seqgan.evaluation.translation import TranslationEvaluator
from seqgan.evaluation.translation_scores import bleu_signature, build_scorer
from seqgan.experiment import Experiment, trained_ways
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
from seqgan.games.cycle import CycleGame, Side, mean_absolute_difference, nats_per_symbol
from seqgan.games.demonstrations import Demonstrations
from seqgan.games.dgsan import DgsanGame
from seqgan.games.evolution import EvolutionaryGame
from seqgan.games.jsdgan import JsdganGame
from seqgan.games.mle import MleGame
from seqgan.games.paired import PairedGame
from seqgan.games.pool import Pool
from seqgan.games.reward import RewardGame
from seqgan.metrics.bleu import Corpus
from seqgan.metrics.bleu_reward import BleuReward, BleuScorer
from seqgan.metrics.faces import detect
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
from seqgan.models.oracles import ConditionalOracle, build_oracle
from seqgan.models.seq2seq.config import LexiconConfig
from seqgan.models.value import PrefixValue, RelaxedValue
from seqgan.objectives.base import Objective
from seqgan.objectives.build import build_objective
from seqgan.objectives.config import (
    DivergenceConfig,
    ObjectiveConfig,
    PenaltyConfig,
    SpectralNormConfig,
    WeightClipConfig,
)
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.penalties import apply_spectral_norm, clip_weights
from seqgan.training.player import ModuleT, Player
from seqgan.training.trainer import Game


@dataclass(frozen=True, slots=True)
class DataSide:
    """What the data decide. A game between two kinds of samples has two streams, others one."""

    space: Space | SpacePair
    streams: tuple[Stream | FreshStream, ...]
    evaluator: Evaluator
    tokenizers: dict[str, Tokenizer] = field(default_factory=dict)
    """By the folder of a run that they are kept in: "." or, for two kinds of text, a and b."""
    report: dict[str, Any] = field(default_factory=dict)
    noises: tuple[Noise | None, ...] = (None, None)
    """Noise on each of two kinds."""
    usages: tuple[Tensor, ...] = ()
    """How often each symbol stands in the training text, by kind; where a lexicon asks for it."""
    shown_prompts: list[list[int]] = field(default_factory=list)
    """Validation prompts that a run keeps, for `seqgan sample`."""
    prompts: Stream | None = None
    """Prompts (as `x`) that phase `generator` answers in place of those of `stream`."""
    train: Batch | None = None
    """The training set, of sequences of one kind; where data are drawn afresh, its first block."""
    held_out: Batch | None = None
    """The validation set, of sequences of one kind."""
    log_density: Callable[..., Tensor] | None = None
    """log p(x), or log p(x | cond), in nats, where the truth is known."""

    @property
    def stream(self) -> Stream | FreshStream:
        (only,) = self.streams
        return only

    @property
    def only_space(self) -> Space:
        """The space of data of one kind."""
        assert not isinstance(self.space, SpacePair)
        return self.space


def build_data(experiment: Experiment, device: torch.device, run: Path | None) -> DataSide:
    """Read or draw the data. An existing run brings its own tokenizer."""
    config = experiment.data
    if isinstance(config, OracleDataConfig):
        return _oracle_side(experiment, config, device)
    if isinstance(config, ConditionalOracleConfig):
        return _conditional_oracle_side(experiment, config, device)
    if isinstance(config, PromptedTextConfig):
        return _prompted_side(experiment, config, device, run)
    if isinstance(config, PointsDataConfig):
        return _points_side(experiment, config, device)
    if isinstance(config, PictureDataConfig):
        return _pictures_side(experiment, config, device)
    if isinstance(config, UnpairedPicturesConfig):
        return _unpaired_side(experiment, config, device)
    if isinstance(config, CipherDataConfig):
        text = replace(load_cipher(config), baselines=cipher_baselines(config))
        return _text_sides(experiment, text, device)
    if isinstance(config, EventsDataConfig):
        return _text_sides(experiment, load_events(config), device)
    if isinstance(config, LanguagePairConfig):
        return _text_sides(experiment, load_language_pair(config), device)
    if isinstance(config, UnpairedTextConfig):
        kept = None if run is None else (load_tokenizer(run / "a"), load_tokenizer(run / "b"))
        scorer = None if config.valid is None else build_scorer(config)
        side = _text_sides(experiment, load_unpaired_text(config, kept, scorer), device)
        if scorer is not None and "bleu" in config.score:
            side.evaluator.notes["bleu"] = bleu_signature(config)
        return side
    return _corpus_side(experiment, config, device, run)


def _oracle_side(
    experiment: Experiment, config: OracleDataConfig, device: torch.device
) -> DataSide:
    # Drawn on the CPU: the same data on every device. Densities are computed where it is fast.
    samples = draw_samples(config, build_oracle(config.oracle, torch.device("cpu")))
    oracle = build_oracle(config.oracle, device)
    return _sampled_side(experiment, config.fresh, samples, oracle, device)


def _conditional_oracle_side(
    experiment: Experiment, config: ConditionalOracleConfig, device: torch.device
) -> DataSide:
    samples = draw_pairs(config, ConditionalOracle(config, torch.device("cpu")))
    oracle = ConditionalOracle(config, device)
    side = _sampled_side(experiment, config.fresh, samples, oracle, device)
    assert samples.valid.cond is not None
    return replace(side, shown_prompts=samples.valid.cond[:SHOWN_PROMPTS].tolist())


def _sampled_side(
    experiment: Experiment,
    fresh: bool,
    samples: OracleSamples,
    oracle: OracleDensity,
    device: torch.device,
) -> DataSide:
    batch_size = experiment.train.batch_size
    train = _on(samples.train, device)
    stream: Stream | FreshStream
    if fresh:
        stream = FreshStream(lambda block: _on(samples.block(block), device), batch_size)
    else:
        stream = Stream(train, batch_size, experiment.seed)
    real = {"valid": _on(samples.valid, device), "test": _on(samples.test, device)}
    evaluator = OracleEvaluator(oracle, samples.space, real, experiment.evaluation.seed)
    return DataSide(
        samples.space,
        (stream,),
        evaluator,
        train=train,
        held_out=real["valid"],
        log_density=oracle.log_prob,
    )


def _on(batch: Batch, device: torch.device) -> Batch:
    return Batch(
        batch.x.to(device),
        None if batch.mask is None else batch.mask.to(device),
        None if batch.cond is None else batch.cond.to(device),
    )


def _corpus_side(
    experiment: Experiment,
    config: TextDataConfig | HuggingFaceDataConfig,
    device: torch.device,
    run: Path | None,
) -> DataSide:
    corpus = load_corpus(config, load_tokenizer(run) if run is not None else None)
    evaluation = experiment.evaluation
    train = Batch(corpus.train.ids_NT.to(device), corpus.train.mask_NT.to(device))
    return DataSide(
        corpus.space,
        (Stream(train, experiment.train.batch_size, experiment.seed),),
        TextEvaluator(corpus, device, evaluation.seed, evaluation.references),
        {".": corpus.tokenizer},
        corpus.report,
        train=train,
        held_out=Batch(corpus.valid.ids_NT.to(device), corpus.valid.mask_NT.to(device)),
    )


def _prompted_side(
    experiment: Experiment, config: PromptedTextConfig, device: torch.device, run: Path | None
) -> DataSide:
    text = load_prompted_text(config, load_tokenizer(run) if run is not None else None)
    batch_size, seed = experiment.train.batch_size, experiment.seed
    scorer = build_scorer(config) if config.score else None
    evaluator = PromptedTextEvaluator(text, device, experiment.evaluation.seed, scorer)
    if "bleu" in config.score:
        evaluator.notes["bleu"] = bleu_signature(config)
    prompts = None
    if text.further_MP is not None:
        further = Batch(text.further_MP.to(device))
        prompts = Stream(further, batch_size, seed + PROMPT_SEEDS)
    assert text.valid.batch.cond is not None
    return DataSide(
        text.space,
        (Stream(_on(text.train.batch, device), batch_size, seed),),
        evaluator,
        {".": text.tokenizer},
        text.report,
        shown_prompts=text.valid.batch.cond[:SHOWN_PROMPTS].tolist(),
        prompts=prompts,
    )


def _points_side(
    experiment: Experiment, config: PointsDataConfig, device: torch.device
) -> DataSide:
    def block(index: int) -> Batch:
        return Batch(training_block(config, index).to(device))

    stream = FreshStream(block, experiment.train.batch_size)
    evaluator = PointsEvaluator(config, experiment.evaluation.seed)
    return DataSide(ArraySpace((2,)), (stream,), evaluator)


def _pictures_side(
    experiment: Experiment, config: PictureDataConfig, device: torch.device
) -> DataSide:
    pictures = load_pictures(config)
    told = experiment.game.name == "conditional"
    if told and not pictures.label_sizes:
        raise UserError(
            "game.name=conditional: the pictures have no labels; name them in data.source, "
            "or use game adversarial"
        )
    space = ArraySpace(pictures.shape, pictures.label_sizes if told else ())
    seed = experiment.evaluation.seed
    judge = _judge(experiment, pictures, device)
    evaluator = PictureEvaluator(pictures, space, judge, _detect(config), device, seed)
    stream = _picture_stream(experiment, pictures, told, device, experiment.seed)
    return DataSide(space, (stream,), evaluator, {}, pictures.report)


def _unpaired_side(
    experiment: Experiment, config: UnpairedPicturesConfig, device: torch.device
) -> DataSide:
    kinds = load_unpaired(config)
    space = ArraySpace(kinds[0].shape)
    judged = [
        JudgedKind(name, pictures, _judge(experiment, pictures, device), _detect(side))
        for name, pictures, side in zip("ab", kinds, (config.a, config.b), strict=True)
    ]
    evaluator = CycleEvaluator(judged[0], judged[1], device, experiment.evaluation.seed)
    streams = tuple(
        # Seeds of their own: equal ones would pair what lies in the same place.
        _picture_stream(experiment, pictures, False, device, 2 * experiment.seed + position)
        for position, pictures in enumerate(kinds)
    )
    report = {name: pictures.report for name, pictures in zip("ab", kinds, strict=True)}
    return DataSide(SpacePair(space, space), streams, evaluator, {}, report)


def _text_sides(experiment: Experiment, text: UnpairedText, device: torch.device) -> DataSide:
    game, seed = experiment.game, experiment.seed
    assert isinstance(game, CycleGameConfig | PairedGameConfig), "checked by Experiment"
    cycle = isinstance(game, CycleGameConfig)
    # In a cycle equal seeds would pair what lies in the same place; in a paired game they must.
    seeds = (2 * seed, 2 * seed + 1) if cycle else (seed, seed)
    streams = tuple(
        Stream(_batch(side, device), experiment.train.batch_size, stream_seed)
        for side, stream_seed in zip((text.a, text.b), seeds, strict=True)
    )
    noises: tuple[Noise | None, ...] = (None, None)
    if isinstance(game, CycleGameConfig) and game.noise is not None:
        noises = (
            _noise(game, text.a, text.b, device),
            _noise(game, text.b, text.a, device),
        )
    evaluator = TranslationEvaluator(
        text,
        game.directions,
        isinstance(game, CycleGameConfig) and len(trained_ways(experiment)) == 2,
        device,
        experiment.evaluation.ngram_order,
    )
    return DataSide(
        SpacePair(text.a.space, text.b.space),
        streams,
        evaluator,
        {"a": text.a.tokenizer, "b": text.b.tokenizer},
        text.report,
        noises,
        tuple(_usage(side) for side in (text.a, text.b)) if _frequency_prior(experiment) else (),
    )


def _usage(side: TextSide) -> Tensor:
    ids = side.train.ids_NT[side.train.mask_NT]
    return ids.bincount(minlength=side.space.vocab_size).float()


def _batch(side: TextSide, device: torch.device) -> Batch:
    return Batch(side.train.ids_NT.to(device), side.train.mask_NT.to(device))


def _noise(game: CycleGameConfig, side: TextSide, other: TextSide, device: torch.device) -> Noise:
    """Noise on sentences of `side`, for the generator that otherwise reads `other`."""
    assert game.noise is not None
    blanks = isinstance(game.noise, WordNoiseConfig) and game.noise.blank > 0
    if blanks and side.tokenizer.unk_id < 0:
        raise UserError(
            "game.noise.blank: this tokenizer has no unknown symbol to blank words with; set it to "
            "0, or use another tokenizer"
        )
    pieces = side.tokenizer.vocabulary()
    starts_word_V = None
    if any(piece.startswith(WORD_START) for piece in pieces):
        starts_word_V = torch.tensor([p.startswith(WORD_START) for p in pieces], device=device)
    other_NT = other.train.ids_NT.to(device)
    return build_noise(
        game.noise, side.space, other.space, other_NT, side.tokenizer.unk_id, starts_word_V
    )


PROMPT_SEEDS = 2**32
"""What seeds of prompts without responses begin at: no seed of an experiment is as high."""

SHOWN_PROMPTS = 1_000
"""Validation prompts that a run keeps at most."""

WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece puts before the first piece of a word."""


def _picture_stream(
    experiment: Experiment, pictures: Pictures, told: bool, device: torch.device, seed: int
) -> Stream:
    labels_NA = pictures.train.labels_NA if told else None
    data = Batch(
        pictures.train.x_NCHW.to(device),
        cond=None if labels_NA is None else labels_NA.to(device),
    )
    return Stream(data, experiment.train.batch_size, seed, prepare=to_unit)


def _judge(experiment: Experiment, pictures: Pictures, device: torch.device) -> Judge:
    """The network these pictures are measured with; trained at most once on one machine."""
    config = experiment.evaluation.judge
    kind = config.kind
    if kind == "auto":
        kind = "labels" if pictures.label_sizes else "rotations"
    spec = JudgeSpec(
        kind=kind,
        label_sizes=pictures.label_sizes if kind == "labels" else (),
        channels=pictures.shape[0],
        seed=config.seed,
        updates=config.updates,
    )
    return cached_judge(spec, pictures.judge.x_NCHW, pictures.judge.labels_NA, device)


def _detect(config: PictureSetConfig) -> Detect | None:
    """Rules that read cartoon faces; None for every other kind of picture."""
    if not isinstance(config.source, FacesSourceConfig):
        return None
    return partial(detect, palette=config.source.palette)


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


def build_game(experiment: Experiment, data: DataSide, device: torch.device) -> Game:
    """The networks, from the experiment's seed, and the game they play."""
    seed_everything(experiment.seed)
    game, players = experiment.game, experiment.players
    module = build_generating_module(experiment, data.space)
    if prior := _frequency_prior(experiment):
        _expect_frequencies(module, data.usages, prior)
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
    critic = _critic_player(experiment, critic_module, module)
    estimator, baseline = _estimator_and_baseline(experiment, space, device)
    demonstrations = getattr(game, "demonstrations", None)
    adversarial = AdversarialGame(
        generator,
        critic,
        baseline,
        estimator,
        _objective(experiment),
        experiment.penalties,
        stream,
        space,
        experiment.mle_weight,
        game.mismatched if isinstance(game, ConditionalGameConfig) else 0.0,
        None if demonstrations is None else Demonstrations(demonstrations),
        data.prompts,
        partial(start_from_generator, critic_module, module),
    )
    return _with_evolution(experiment, adversarial, estimator, stream)


def _shown(experiment: Experiment, data: DataSide) -> tuple[Space, Batches]:
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
    data: DataSide,
    generator: Player[Any],
    device: torch.device,
) -> Game:
    """Games of a generator of sequences alone."""
    if isinstance(game, MleGameConfig):
        return MleGame(generator, data.stream, game.scheduled_sampling)
    assert data.train is not None, "checked by Experiment"
    if isinstance(game, JsdganGameConfig):
        return JsdganGame(generator, data.train, experiment.train.batch_size, experiment.seed)
    space = data.only_space
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    if isinstance(game, DgsanGameConfig):
        return DgsanGame(generator, data.stream, space)
    estimator, baseline = _estimator_and_baseline(experiment, space, device)
    reward = _fixed_reward(experiment, game, data.train, space, device)
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
    network = build_value_network(experiment.estimator, space)
    baseline = None
    if network is not None:
        baseline = Player("baseline", network.to(device), experiment.players.baseline)
    return build_estimator(_estimator(experiment), space, device, network), baseline


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
    mutations = [
        Divergence(DivergenceConfig(name=name, paired=paired)) for name in evolution.mutations
    ]
    objective = _objective(experiment)
    return EvolutionaryGame(game, estimator, stream, objective, mutations, evolution.diversity)


def _frequency_prior(experiment: Experiment) -> float:
    config = experiment.generator
    return config.frequency_prior if isinstance(config, LexiconConfig) else 0.0


def _expect_frequencies(
    lexicons: nn.ModuleDict, usages: tuple[Tensor, ...], strength: float
) -> None:
    of_a, of_b = usages
    for way, source, target in (("a2b", of_a, of_b), ("b2a", of_b, of_a)):
        lexicon: Any = lexicons[way]
        lexicon.expect_frequencies(source, target, strength)


def _cycle_game(
    experiment: Experiment,
    config: CycleGameConfig,
    data: DataSide,
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
            build_estimator(_estimator(experiment), space, device),
            noise,
        )
        for name, stream, space, noise in zip("ab", data.streams, spaces, data.noises, strict=True)
    ]
    pictures = isinstance(data.space.a, ArraySpace)
    return CycleGame(
        generators,
        _critic_player(experiment, critics),
        sides[0],
        sides[1],
        _objective(experiment),
        experiment.penalties,
        mean_absolute_difference if pictures else nats_per_symbol,
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
    experiment: Experiment, critic: ModuleT, generator: nn.Module | None = None
) -> Player[ModuleT]:
    """A generator to which the critic leaks is told of it now, and after each of its updates."""
    after_step = _constrain(critic, experiment.penalties)
    if isinstance(generator, LeakGanGenerator):
        generator.listen_to(critic)
        after_step = partial(_constrain_and_leak, after_step, critic, generator)
    return Player("critic", critic, experiment.players.critic, after_step)


def _constrain_and_leak(
    constrain: Callable[[], None] | None, critic: nn.Module, generator: LeakGanGenerator
) -> None:
    if constrain is not None:
        constrain()
    generator.listen_to(critic)


def _critic(experiment: Experiment) -> CriticConfig:
    assert experiment.critic is not None, "checked by Experiment"
    return experiment.critic


def _estimator(experiment: Experiment) -> EstimatorConfig:
    assert experiment.estimator is not None, "checked by Experiment"
    return experiment.estimator


def _objective(experiment: Experiment) -> Objective:
    return build_objective(_objective_config(experiment))


def _objective_config(experiment: Experiment) -> ObjectiveConfig:
    assert experiment.objective is not None, "checked by Experiment"
    return experiment.objective


def build_estimator(
    config: EstimatorConfig,
    space: Space,
    device: torch.device,
    value_network: nn.Module | None = None,
) -> Estimator:
    if isinstance(config, PathwiseConfig):
        return Pathwise()
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    if isinstance(config, ScoreFunctionConfig):
        return ScoreFunction(config, space, device, value_network)
    if isinstance(config, PpoConfig):
        return Ppo(config, space, device, value_network)
    if isinstance(config, GrpoConfig):
        return Grpo(config, space)
    if isinstance(config, MaliganConfig):
        return Maligan(config, space)
    if isinstance(config, LeakGanConfig):
        return LeakGan(config, space, device)
    if isinstance(config, AllActionConfig):
        return AllAction(config, space)
    if isinstance(config, RebarConfig):
        assert value_network is None or isinstance(value_network, RebarScales)
        return Rebar(config, space, value_network)
    if isinstance(config, RelaxConfig):
        assert value_network is not None, "RELAX is its network"
        return Relax(space, value_network)
    if isinstance(config, RaoBlackwellConfig):
        return RaoBlackwell(config, space)
    if isinstance(config, UnorderedSetConfig):
        return UnorderedSet(config, space)
    if isinstance(config, DetachedConfig):
        return Detached(config, space)
    return Relaxed(config, space)


def build_value_network(config: EstimatorConfig | None, space: Space) -> nn.Module | None:
    """What the player `baseline` trains for the estimator; None where there is nothing to learn."""
    if isinstance(config, RebarConfig):
        return RebarScales(config) if config.learn else None
    if isinstance(config, RelaxConfig):
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        return RelaxedValue(space, config.embed, config.hidden)
    if not isinstance(config, PolicyGradientConfig):
        return None
    assert isinstance(space, SequenceSpace), "checked by Experiment"
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
