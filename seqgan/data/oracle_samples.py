"""Training, validation and test sets drawn from an oracle, the same on every call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import SequenceSpace
from seqgan.data.config import OracleDataConfig


class Samples(Protocol):
    """What this module needs of an oracle."""

    space: SequenceSpace

    def sample(self, rows: int) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class OracleSamples:
    """`ids_NT` of each split; with fresh data, `block(k)` draws the k-th training block."""

    space: SequenceSpace
    train_NT: Tensor
    valid_NT: Tensor
    test_NT: Tensor
    block: Callable[[int], Tensor]


def draw_samples(config: OracleDataConfig, oracle: Samples) -> OracleSamples:
    """All splits are independent draws; block 0 of fresh data is the training set."""

    def draw(stream: int, rows: int) -> Tensor:
        with isolated(_mix(config.seed, stream)):
            return oracle.sample(rows)

    return OracleSamples(
        oracle.space,
        draw(0, config.train),
        draw(1, config.valid),
        draw(2, config.test),
        lambda block: draw(0 if block == 0 else 2 + block, config.train),
    )


def _mix(seed: int, stream: int) -> int:
    """One seed from two numbers, by a generator's own scrambling."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)
