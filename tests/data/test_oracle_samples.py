"""Splits and training blocks of an oracle are draws of their own."""

from itertools import combinations
from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment

from seqgan.assembly import build_task
from seqgan.core.types import Batch
from seqgan.data.oracle_config import ConditionalOracleConfig, OracleDataConfig
from seqgan.data.oracle_samples import OracleSamples

CPU = torch.device("cpu")
SIZES = {"train": 20, "valid": 20, "test": 20}
ORACLE = {"name": "random_gru", "vocab_size": 9, "length": 6, "embed": 4, "hidden": 8}


def plain(seed: int) -> OracleSamples:
    tree: dict[str, Any] = {"name": "oracle", "oracle": ORACLE, "seed": seed, **SIZES}
    config = OracleDataConfig.model_validate(tree)
    return config.build_samples()


def prompted(seed: int) -> OracleSamples:
    tree = {"name": "conditional_oracle", "oracle": ORACLE, "prompt": 3, "seed": seed, **SIZES}
    config = ConditionalOracleConfig.model_validate(tree)
    return config.build_samples()


def parts_of(samples: OracleSamples) -> list[Batch]:
    return [samples.train, samples.valid, samples.test, samples.block(1), samples.block(2)]


@pytest.mark.parametrize("draw", [plain, prompted])
def test_no_two_splits_or_blocks_are_one_draw(draw: Any) -> None:
    """All have as many rows, so that equal seeds would give equal rows."""
    samples = draw(0)
    parts = [*parts_of(samples), draw(1).train]
    assert all(len(part.x) == 20 for part in parts)
    assert all(not torch.equal(one.x, other.x) for one, other in combinations(parts, 2))
    assert torch.equal(samples.block(0).x, samples.train.x)
    for one, other in zip(parts_of(samples), parts_of(draw(0)), strict=True):
        assert torch.equal(one.x, other.x)
        assert one.cond is None or torch.equal(one.cond, other.cond)


@pytest.mark.parametrize("fresh", [False, True])
def test_the_first_epoch_is_the_training_set_fresh_or_not(fresh: bool) -> None:
    side = build_task(tiny_experiment({"data.fresh": fresh}), CPU, None)
    first = torch.cat([side.stream.next().x for _ in range(8)])  # of 8 sequences each
    assert sorted(first.tolist()) == sorted(side.sequences.train.x.tolist())
