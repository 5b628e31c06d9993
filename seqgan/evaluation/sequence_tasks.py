"""Tasks of sequences: samples of an oracle, text, responses to prompts, two kinds of text."""

import torch

from seqgan.core.batches import spread, take
from seqgan.core.types import Batch, SpacePair
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.lexicons import prior_logits
from seqgan.data.noise import Noise
from seqgan.data.oracle_samples import OracleSamples
from seqgan.data.prompted_text import PromptedText
from seqgan.data.stream import FreshStream, Stream
from seqgan.data.unpaired_text import UnpairedText
from seqgan.evaluation.base import OracleDensity
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.prompted import PromptedTextEvaluator
from seqgan.evaluation.task import Prompts, SequenceSets, Task, TaskSetup
from seqgan.evaluation.text import TextEvaluator
from seqgan.evaluation.text_features import TextFeatures
from seqgan.evaluation.translation import TranslationEvaluator
from seqgan.evaluation.translation_scores import TextScores

PROMPT_SEEDS = 2**32
"""What seeds of prompts without responses begin at: no seed of an experiment is as high."""

SHOWN_PROMPTS = 1_000
"""Validation prompts that a run keeps at most."""


def oracle_task(
    setup: TaskSetup, samples: OracleSamples, oracle: OracleDensity, fresh: bool
) -> Task:
    """Learn the distribution of an oracle; `fresh`: from a new block of samples each epoch."""
    device = setup.device
    train, valid = _on(samples.train, device), _on(samples.valid, device)
    stream: Stream | FreshStream
    if fresh:
        stream = FreshStream(lambda block: _on(samples.block(block), device), setup.batch_size)
    else:
        stream = Stream(train, setup.batch_size, setup.seed)
    real = {"valid": valid, "test": _on(samples.test, device)}
    evaluator = OracleEvaluator(oracle, samples.space, real, setup.evaluation.seed)
    cond = samples.valid.cond
    return Task(
        samples.space,
        (stream,),
        evaluator,
        sequences=SequenceSets(train, valid, oracle.log_prob),
        prompts=None if cond is None else Prompts(cond[:SHOWN_PROMPTS].tolist()),
    )


def text_task(setup: TaskSetup, corpus: Corpus) -> Task:
    """Learn the sentences of a corpus."""
    train, valid = (_encoded(split, setup.device) for split in (corpus.train, corpus.valid))
    evaluation = setup.evaluation
    return Task(
        corpus.space,
        (Stream(train, setup.batch_size, setup.seed),),
        TextEvaluator(
            corpus,
            setup.device,
            evaluation.seed,
            evaluation.references,
            _text_features(setup, corpus),
        ),
        {".": corpus.tokenizer},
        corpus.report,
        SequenceSets(train, valid),
    )


def _text_features(setup: TaskSetup, corpus: Corpus) -> TextFeatures | None:
    """What measures the text at the end, where the configuration asks for it."""
    config = setup.evaluation.text_features
    if config.measure != "always":
        return None
    train, test = (Batch(split.ids_NT, split.mask_NT) for split in (corpus.train, corpus.test))
    space, tokenizer = corpus.space, corpus.tokenizer
    return TextFeatures(
        lambda: config.build(train, space, tokenizer.decode, setup.device),
        train,
        take(test, spread(len(test.x), setup.evaluation.references)),
        space.vocab_size,
        tokenizer.unk_id,
    )


def prompted_task(setup: TaskSetup, text: PromptedText, scores: TextScores) -> Task:
    """Learn the responses to prompts."""
    device, seed = setup.device, setup.seed
    train, valid = (_on(split.batch, device) for split in (text.train, text.valid))
    unanswered = None
    if text.further_MP is not None:
        further = Batch(text.further_MP.to(device))
        unanswered = Stream(further, setup.batch_size, seed + PROMPT_SEEDS)
    evaluator = PromptedTextEvaluator(text, device, setup.evaluation.seed, scores)
    evaluator.notes |= scores.notes
    assert valid.cond is not None  # prompted text has prompts
    return Task(
        text.space,
        (Stream(train, setup.batch_size, seed),),
        evaluator,
        {".": text.tokenizer},
        text.report,
        SequenceSets(train, valid),
        Prompts(valid.cond[:SHOWN_PROMPTS].tolist(), unanswered),
    )


def text_pair_task(setup: TaskSetup, text: UnpairedText) -> Task:
    """Translate between the sides of `text`, unpaired in a cycle, else from their pairs."""
    game, seed = setup.translation, setup.seed
    # Equal seeds pair rows of equal number, which unpaired text must not be.
    seeds = (seed, seed) if game.paired else (2 * seed, 2 * seed + 1)
    streams = tuple(
        Stream(_encoded(side.train, setup.device), setup.batch_size, stream_seed)
        for side, stream_seed in zip((text.a, text.b), seeds, strict=True)
    )
    round_trips = not game.paired and len(game.trained) == 2
    order = setup.evaluation.ngram_order
    return Task(
        SpacePair(text.a.space, text.b.space),
        streams,
        TranslationEvaluator(text, game.directions, round_trips, setup.device, order),
        {"a": text.a.tokenizer, "b": text.b.tokenizer},
        text.report,
        noises=(_noise(setup, text, "b2a"), _noise(setup, text, "a2b")),
        priors=_priors(setup, text),
    )


def _noise(setup: TaskSetup, text: UnpairedText, direction: str) -> Noise | None:
    """Noise on sentences of the direction's target, for the generator that writes them."""
    game = setup.translation
    if game.noise is None or direction not in game.directions:
        return None
    return game.noise.build(text, direction, setup.device)


def _priors(setup: TaskSetup, text: UnpairedText) -> dict[str, torch.Tensor]:
    """Of trained directions only: matching co-occurrences takes a minute for a thousand words."""
    game = setup.translation
    weights = (game.frequency_prior, game.co_occurrence_prior)
    directions = game.trained if any(weights) else ()
    return {d: torch.from_numpy(prior_logits(text, d, *weights)) for d in directions}


def _encoded(split: EncodedSplit, device: torch.device) -> Batch:
    return Batch(split.ids_NT.to(device), split.mask_NT.to(device))


def _on(batch: Batch, device: torch.device) -> Batch:
    return Batch(
        batch.x.to(device),
        None if batch.mask is None else batch.mask.to(device),
        None if batch.cond is None else batch.cond.to(device),
    )
