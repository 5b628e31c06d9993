"""Data, oracles and evaluators: everything of a run that the data decide."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.pictures import to_unit
from seqgan.core.types import ArraySpace, Batch, Space, SpacePair
from seqgan.data.config import (
    ConditionalOracleConfig,
    HuggingFaceDataConfig,
    OracleDataConfig,
    PictureDataConfig,
    PictureSetConfig,
    PointsDataConfig,
    TextDataConfig,
    UnpairedPicturesConfig,
)
from seqgan.data.corpus import load_corpus
from seqgan.data.lexicons import prior_logits
from seqgan.data.noise import Gloss, Noise, build_noise, longest_sentence, lookup
from seqgan.data.noise_config import MixNoiseConfig
from seqgan.data.oracle_samples import OracleSamples, draw_pairs, draw_samples
from seqgan.data.pictures import Pictures, load_pictures, load_unpaired
from seqgan.data.points import training_block
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.prompted_text import load_prompted_text
from seqgan.data.stream import FreshStream, Stream
from seqgan.data.subword_tokenizers import HfTokenizer, SentencePieceTokenizer
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.tokenizers import load_tokenizer
from seqgan.data.unpaired_text import (
    TextSide,
    UnpairedText,
    encode_lines,
    load_unpaired_text,
)
from seqgan.evaluation.base import Evaluator, OracleDensity
from seqgan.evaluation.cycle import CycleEvaluator, MeasuredPictures
from seqgan.evaluation.feature_extractor import ExtractorSpec, FeatureExtractor, cached_extractor
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.pictures import Detect, PictureEvaluator
from seqgan.evaluation.points import PointsEvaluator
from seqgan.evaluation.prompted import PromptedTextEvaluator
from seqgan.evaluation.text import TextEvaluator
from seqgan.evaluation.translation import TranslationEvaluator
from seqgan.evaluation.translation_scores import bleu_signature, build_scorer
from seqgan.experiment import Experiment
from seqgan.games.config import CycleGameConfig, PairedGameConfig
from seqgan.models.oracles import ConditionalOracle, build_oracle
from seqgan.models.seq2seq.config import LexiconConfig
from seqgan.tasks.cipher.baselines import cipher_baselines
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.cipher.windows import load_cipher
from seqgan.tasks.events.config import EventsDataConfig
from seqgan.tasks.events.events import load_events
from seqgan.tasks.faces.config import FacesSourceConfig
from seqgan.tasks.faces.detector import detect
from seqgan.tasks.language_pair.config import LanguagePairConfig
from seqgan.tasks.language_pair.languages import load_language_pair


@dataclass(frozen=True, slots=True)
class Task:
    """What the data decide. A game between two kinds of samples has two streams, others one."""

    space: Space | SpacePair
    streams: tuple[Stream | FreshStream, ...]
    evaluator: Evaluator
    tokenizers: dict[str, Tokenizer] = field(default_factory=dict)
    """By the folder of a run that they are kept in: "." or, for two kinds of text, a and b."""
    report: dict[str, Any] = field(default_factory=dict)
    noises: tuple[Noise | None, ...] = (None, None)
    """Noise on each of two kinds."""
    priors: dict[str, Tensor] = field(default_factory=dict)
    """By way (a2b, b2a) the logits [V_source, V_target] that a lexicon starts from, if it asks."""
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


def build_data(experiment: Experiment, device: torch.device, run: Path | None) -> Task:
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


def _oracle_side(experiment: Experiment, config: OracleDataConfig, device: torch.device) -> Task:
    # Drawn on the CPU: the same data on every device. Densities are computed where it is fast.
    samples = draw_samples(config, build_oracle(config.oracle, torch.device("cpu")))
    oracle = build_oracle(config.oracle, device)
    return _sampled_side(experiment, config.fresh, samples, oracle, device)


def _conditional_oracle_side(
    experiment: Experiment, config: ConditionalOracleConfig, device: torch.device
) -> Task:
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
) -> Task:
    batch_size = experiment.train.batch_size
    train = _on(samples.train, device)
    stream: Stream | FreshStream
    if fresh:
        stream = FreshStream(lambda block: _on(samples.block(block), device), batch_size)
    else:
        stream = Stream(train, batch_size, experiment.seed)
    real = {"valid": _on(samples.valid, device), "test": _on(samples.test, device)}
    evaluator = OracleEvaluator(oracle, samples.space, real, experiment.evaluation.seed)
    return Task(
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
) -> Task:
    corpus = load_corpus(config, load_tokenizer(run) if run is not None else None)
    evaluation = experiment.evaluation
    train = Batch(corpus.train.ids_NT.to(device), corpus.train.mask_NT.to(device))
    return Task(
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
) -> Task:
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
    return Task(
        text.space,
        (Stream(_on(text.train.batch, device), batch_size, seed),),
        evaluator,
        {".": text.tokenizer},
        text.report,
        shown_prompts=text.valid.batch.cond[:SHOWN_PROMPTS].tolist(),
        prompts=prompts,
    )


def _points_side(experiment: Experiment, config: PointsDataConfig, device: torch.device) -> Task:
    def block(index: int) -> Batch:
        return Batch(training_block(config, index).to(device))

    stream = FreshStream(block, experiment.train.batch_size)
    evaluator = PointsEvaluator(config, experiment.evaluation.seed)
    return Task(ArraySpace((2,)), (stream,), evaluator)


def _pictures_side(experiment: Experiment, config: PictureDataConfig, device: torch.device) -> Task:
    pictures = load_pictures(config, least=config.least_samples)
    told = experiment.game.name == "conditional"
    if told and not pictures.label_sizes:
        raise UserError(
            "game.name=conditional: the pictures have no labels; name them in data.source, "
            "or use game adversarial"
        )
    space = ArraySpace(pictures.shape, pictures.label_sizes if told else ())
    seed = experiment.evaluation.seed
    extractor = _extractor(experiment, pictures, device)
    evaluator = PictureEvaluator(pictures, space, extractor, _detect(config), device, seed)
    stream = _picture_stream(experiment, pictures, told, device, experiment.seed)
    return Task(space, (stream,), evaluator, {}, pictures.report)


def _unpaired_side(
    experiment: Experiment, config: UnpairedPicturesConfig, device: torch.device
) -> Task:
    kinds = load_unpaired(config)
    space = ArraySpace(kinds[0].shape)
    measured = [
        MeasuredPictures(name, pictures, _extractor(experiment, pictures, device), _detect(side))
        for name, pictures, side in zip("ab", kinds, (config.a, config.b), strict=True)
    ]
    evaluator = CycleEvaluator(measured[0], measured[1], device, experiment.evaluation.seed)
    streams = tuple(
        # Seeds of their own: equal ones would pair what lies in the same place.
        _picture_stream(experiment, pictures, False, device, 2 * experiment.seed + position)
        for position, pictures in enumerate(kinds)
    )
    report = {name: pictures.report for name, pictures in zip("ab", kinds, strict=True)}
    return Task(SpacePair(space, space), streams, evaluator, {}, report)


def _text_sides(experiment: Experiment, text: UnpairedText, device: torch.device) -> Task:
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
        # The noise on a side is for the way into it.
        noises = (
            _noise(game, text, "b2a", device) if "b2a" in game.directions else None,
            _noise(game, text, "a2b", device) if "a2b" in game.directions else None,
        )
    evaluator = TranslationEvaluator(
        text,
        game.directions,
        isinstance(game, CycleGameConfig) and len(experiment.trained_directions) == 2,
        device,
        experiment.evaluation.ngram_order,
    )
    return Task(
        SpacePair(text.a.space, text.b.space),
        streams,
        evaluator,
        {"a": text.a.tokenizer, "b": text.b.tokenizer},
        text.report,
        noises,
        _priors(experiment, text),
    )


def _priors(experiment: Experiment, text: UnpairedText) -> dict[str, Tensor]:
    """Of the ways that are taught: matching co-occurrences takes a minute for a thousand words."""
    generator = experiment.generator
    if not isinstance(generator, LexiconConfig):
        return {}
    frequency, co_occurrence = generator.frequency_prior, generator.co_occurrence_prior
    if not frequency and not co_occurrence:
        return {}
    return {
        way: torch.from_numpy(prior_logits(text, way, frequency, co_occurrence))
        for way in experiment.trained_directions
    }


def _batch(side: TextSide, device: torch.device) -> Batch:
    return Batch(side.train.ids_NT.to(device), side.train.mask_NT.to(device))


def _noise(game: CycleGameConfig, text: UnpairedText, way: str, device: torch.device) -> Noise:
    """Noise for the generator of `way`, on sentences of the side that it writes."""
    other, side = (text.a, text.b) if way == "a2b" else (text.b, text.a)
    noise = game.noise
    assert noise is not None
    other_NT = other.train.ids_NT.to(device)
    if isinstance(noise, MixNoiseConfig):
        _check_room(noise.copies, side, other)
        return build_noise(noise, side.space, other.space, other_NT, side.tokenizer.unk_id)
    gloss = _gloss(text, way, device) if noise.gloss else None
    damaged = side.tokenizer if gloss is None else other.tokenizer
    if noise.blank and damaged.unk_id < 0:
        raise UserError(
            "game.noise.blank: this tokenizer has no unknown token to blank words with; set it to "
            "0, or use another tokenizer"
        )
    starts_word_V = _word_starts(damaged, device)
    return build_noise(
        noise, side.space, other.space, other_NT, damaged.unk_id, starts_word_V, gloss
    )


def _gloss(text: UnpairedText, way: str, device: torch.device) -> Gloss:
    """What the generator of `way` is to write, word for word in the language that it reads."""
    other, side = (text.a, text.b) if way == "a2b" else (text.b, text.a)
    assert text.word_for_word is not None, "checked by Experiment"
    glosses = text.word_for_word("b2a" if way == "a2b" else "a2b", side.train.lines)
    return lookup(side.train.ids_NT.to(device), encode_lines(glosses, other)[0].to(device))


def _word_starts(tokenizer: Tokenizer, device: torch.device) -> Tensor | None:
    """Which tokens begin a word; None where each is a word."""
    if not isinstance(tokenizer, SentencePieceTokenizer | HfTokenizer):
        return None
    pieces = tokenizer.vocabulary()
    # A piece may happen to begin like another kind's mark: the most frequent one is theirs.
    mark = max(WORD_MARKS, key=lambda mark: sum(piece.startswith(mark) for piece in pieces))
    begins_V = torch.tensor([piece.startswith(mark) for piece in pieces], device=device)
    if not begins_V.any():
        raise UserError(
            "game.noise.name=words: no piece of data.tokenizer has a mark that tells where words "
            "begin; set data.tokenizer.name to word or sentencepiece, or use noise mix"
        )
    return begins_V == WORD_MARKS[mark]


def _check_room(copies: int, side: TextSide, other: TextSide) -> None:
    """Noise would cut off words that are to be found again."""
    words, room = longest_sentence(side.train.ids_NT, side.space), other.space.length - 1
    if copies * words > room:
        raise UserError(
            f"game.noise.copies={copies}: the longest sentence to hide has {words} words, and "
            f"sentences of the other side have room for {room}; lower it, give them more columns, "
            f"or leave the way into the longer sentences out of game.directions"
        )


PROMPT_SEEDS = 2**32
"""What seeds of prompts without responses begin at: no seed of an experiment is as high."""

SHOWN_PROMPTS = 1_000
"""Validation prompts that a run keeps at most."""

WORD_MARKS = {
    "\N{LOWER ONE EIGHTH BLOCK}": True,
    "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}": True,
    "##": False,
}
"""What SentencePiece, byte-level vocabularies and WordPiece put before a piece, and whether that
says that a word begins there (else that one goes on)."""


def _picture_stream(
    experiment: Experiment, pictures: Pictures, told: bool, device: torch.device, seed: int
) -> Stream:
    labels_NA = pictures.train.labels_NA if told else None
    data = Batch(
        pictures.train.x_NCHW.to(device),
        cond=None if labels_NA is None else labels_NA.to(device),
    )
    return Stream(data, experiment.train.batch_size, seed, prepare=to_unit)


def _extractor(
    experiment: Experiment, pictures: Pictures, device: torch.device
) -> FeatureExtractor:
    """The network these pictures are measured with; trained at most once on one machine."""
    config = experiment.evaluation.feature_extractor
    kind = config.kind
    if kind == "auto":
        kind = "labels" if pictures.label_sizes else "rotations"
    spec = ExtractorSpec(
        kind=kind,
        label_sizes=pictures.label_sizes if kind == "labels" else (),
        channels=pictures.shape[0],
        seed=config.seed,
        updates=config.updates,
    )
    return cached_extractor(spec, pictures.extractor.x_NCHW, pictures.extractor.labels_NA, device)


def _detect(config: PictureSetConfig) -> Detect | None:
    """Rules that read cartoon faces; None for every other kind of picture."""
    if not isinstance(config.source, FacesSourceConfig):
        return None
    return partial(detect, palette=config.source.palette)
