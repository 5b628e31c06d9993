"""Samples of a trained generator of sequences."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile

import torch
from torch import Tensor

from seqgan.core.progress import progress_bar
from seqgan.core.types import Generator, SequenceSpace
from seqgan.decoding import Ancestral, sample

AT_ONCE = 1_000
"""Samples of a block."""


@dataclass(frozen=True, slots=True)
class SampledSequence:
    """One sequence, and the prompt that it answers."""

    ids: list[int]
    """Up to and including the end token."""
    prompt_ids: list[int] | None = None


def sample_sequences(
    generator: Generator,
    space: SequenceSpace,
    rows: int,
    draw: Ancestral,
    prompts_NP: Tensor | None = None,
) -> Iterator[SampledSequence]:
    """`rows` sequences, block by block; with prompts (`ids`) the answer to one after the other,
    again from the first behind the last."""
    device = next(generator.parameters()).device
    with progress_bar() as bar:
        task = bar.add_task("sampling", total=rows, note="")
        for first in range(0, rows, AT_ONCE):
            block = torch.arange(first, min(first + AT_ONCE, rows))
            cond = None if prompts_NP is None else prompts_NP[block % len(prompts_NP)].to(device)
            rollout = sample(generator, space, len(block), draw, cond)
            prompts = [None] * len(block) if cond is None else cond.tolist()
            written = zip(rollout.ids_BT.tolist(), rollout.mask_BT.sum(1).tolist(), strict=True)
            for (ids, count), prompt in zip(written, prompts, strict=True):
                yield SampledSequence(ids[:count], prompt and without_fill(prompt, space.end_id))
            bar.update(task, completed=first + len(block))


def without_fill(prompt: list[int], fill: int | None) -> list[int]:
    """A prompt without what it was filled up with in front."""
    return list(dropwhile(lambda index: index == fill, prompt))
