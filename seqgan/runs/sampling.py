"""Samples of a trained run on sequences."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import dropwhile

import torch
from torch import Tensor

from seqgan.core.progress import progress_bar
from seqgan.core.types import Rollout, SequenceSpace

AT_ONCE = 1_000
"""Samples of a block."""


@dataclass(frozen=True, slots=True)
class SampledSequence:
    """One sequence, and the prompt that it answers."""

    ids: list[int]
    """Up to and including the end token."""
    prompt_ids: list[int] | None = None


def sample_sequences(
    write: Callable[[int, Tensor | None], Rollout],
    space: SequenceSpace,
    rows: int,
    prompts_NP: Tensor | None = None,
) -> Iterator[SampledSequence]:
    """`rows` sequences that `write` makes, block by block; with prompts (`ids`, on its device) the
    answer to one after the other, again from the first behind the last."""
    with progress_bar() as bar:
        task = bar.add_task("sampling", total=rows, note="")
        for first in range(0, rows, AT_ONCE):
            block = torch.arange(first, min(first + AT_ONCE, rows))
            cond = None if prompts_NP is None else prompts_NP[block % len(prompts_NP)]
            rollout = write(len(block), cond)
            prompts = [None] * len(block) if cond is None else cond.tolist()
            written = zip(rollout.ids_BT.tolist(), rollout.mask_BT.sum(1).tolist(), strict=True)
            for (ids, count), prompt in zip(written, prompts, strict=True):
                yield SampledSequence(ids[:count], prompt and without_fill(prompt, space.end_id))
            bar.update(task, completed=first + len(block))


def without_fill(prompt: list[int], fill: int | None) -> list[int]:
    """A prompt without what it was filled up with in front."""
    return list(dropwhile(lambda index: index == fill, prompt))
