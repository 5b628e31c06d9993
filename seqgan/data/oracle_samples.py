"""Training, validation and test sets drawn from an oracle, the same on every call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SequenceSpace
from seqgan.data.oracle_config import ConditionalOracleConfig, OracleDataConfig


class Samples(Protocol):
    """What this module needs of an oracle."""

    space: SequenceSpace

    def sample(self, rows: int) -> Tensor: ...


class Answers(Protocol):
    """What it needs of a conditional one."""

    space: SequenceSpace

    def prompts(self, rows: int) -> Tensor: ...

    def answers(self, cond: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class OracleSamples:
    """The splits; with fresh data, `block(k)` draws the k-th training block."""

    space: SequenceSpace
    train: Batch
    valid: Batch
    test: Batch
    block: Callable[[int], Batch]


def draw_samples(config: OracleDataConfig, oracle: Samples) -> OracleSamples:
    """All splits are independent draws; block 0 of fresh data is the training set."""
    return _draw_splits(config, oracle.space, lambda rows: _batch(oracle.sample(rows)))


def draw_pairs(config: ConditionalOracleConfig, oracle: Answers) -> OracleSamples:
    """The same of prompts with an answer to each."""

    def draw(rows: int) -> Batch:
        cond = oracle.prompts(rows)
        return _batch(oracle.answers(cond), cond)

    return _draw_splits(config, oracle.space, draw)


def _draw_splits(
    config: OracleDataConfig | ConditionalOracleConfig,
    space: SequenceSpace,
    draw: Callable[[int], Batch],
) -> OracleSamples:
    def drawn(stream: int, rows: int) -> Batch:
        with isolated(_mix(config.seed, stream)):
            return draw(rows)

    return OracleSamples(
        space,
        drawn(0, config.train),
        drawn(1, config.valid),
        drawn(2, config.test),
        lambda block: drawn(0 if block == 0 else 2 + block, config.train),
    )


def _batch(ids_NT: Tensor, cond: Tensor | None = None) -> Batch:
    """Sequences without an end token."""
    return Batch(ids_NT, torch.ones_like(ids_NT, dtype=torch.bool), cond)


def _mix(seed: int, stream: int) -> int:
    """One seed from two numbers, by a generator's own scrambling."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0] >> 1)
