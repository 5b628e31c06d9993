"""The task of translating between two kinds of text."""

import torch

from seqgan.core.types import Batch, SpacePair
from seqgan.data.lexicons import prior_logits
from seqgan.data.noise import Noise
from seqgan.data.stream import Stream
from seqgan.data.unpaired_text import TextSide, UnpairedText
from seqgan.evaluation.task import Task, TaskSetup
from seqgan.evaluation.translation import TranslationEvaluator


def text_pair_task(setup: TaskSetup, text: UnpairedText) -> Task:
    """Translate between the sides of `text`, unpaired in a cycle, else from their pairs."""
    game, seed = setup.translation, setup.seed
    # Equal seeds pair rows of equal number, which unpaired text must not be.
    seeds = (seed, seed) if game.paired else (2 * seed, 2 * seed + 1)
    streams = tuple(
        Stream(_training_set(side, setup.device), setup.batch_size, stream_seed)
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
        noises=_noises(setup, text),
        priors=_priors(setup, text),
    )


def _training_set(side: TextSide, device: torch.device) -> Batch:
    return Batch(side.train.ids_NT.to(device), side.train.mask_NT.to(device))


def _noises(setup: TaskSetup, text: UnpairedText) -> tuple[Noise | None, Noise | None]:
    """On a side's sentences: noise for the generator that writes them."""
    game = setup.translation

    def into(direction: str) -> Noise | None:
        if game.noise is None or direction not in game.directions:
            return None
        return game.noise.build(text, direction, setup.device)

    return into("b2a"), into("a2b")


def _priors(setup: TaskSetup, text: UnpairedText) -> dict[str, torch.Tensor]:
    """Of trained directions only: matching co-occurrences takes a minute for a thousand words."""
    game = setup.translation
    if not game.frequency_prior and not game.co_occurrence_prior:
        return {}
    return {
        direction: torch.from_numpy(
            prior_logits(text, direction, game.frequency_prior, game.co_occurrence_prior)
        )
        for direction in game.trained
    }
