"""Training, validation and test sets drawn from an oracle, the same on every call."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SequenceSpace


@dataclass(frozen=True, slots=True)
class OracleSamples:
    """The splits; with fresh data, `block(k)` draws the k-th training block."""

    space: SequenceSpace
    train: Batch
    valid: Batch
    test: Batch
    block: Callable[[int], Batch]


def draw_samples(
    draw: Callable[[int], tuple[Tensor, Tensor | None]],
    space: SequenceSpace,
    sizes: dict[str, int],
    seed: int,
) -> OracleSamples:
    """Independent draws of `sizes` for every split; block 0 of fresh data is the training set.

    `draw(rows)` gives sequences without end tokens [rows, T], and their prompts or None.
    """

    def drawn(stream: int, rows: int) -> Batch:
        with isolated(_mix(seed, stream)):
            ids_NT, cond = draw(rows)
        return Batch(ids_NT, torch.ones_like(ids_NT, dtype=torch.bool), cond)

    return OracleSamples(
        space,
        drawn(0, sizes["train"]),
        drawn(1, sizes["valid"]),
        drawn(2, sizes["test"]),
        lambda block: drawn(0 if block == 0 else 2 + block, sizes["train"]),
    )


def _mix(seed: int, stream: int) -> int:
    """One seed from two numbers, by a generator's own scrambling."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)
