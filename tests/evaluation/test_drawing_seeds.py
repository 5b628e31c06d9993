"""Samples beside validation data are others than those beside test data, for every kind of data."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import PICTURES, POINTS, text_data, tiny_experiment

from seqgan.assembly import build_game, build_task
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.correctable import CorrectableEvaluator


@pytest.mark.parametrize("kind", ["oracle", "text", "pictures", "points"])
def test_what_validation_selects_is_reported_by_other_samples(kind: str, tmp_path: Path) -> None:
    overrides: dict[str, Any] = {
        "oracle": {},
        "text": text_data(tmp_path / "text.txt"),
        "pictures": PICTURES,
        "points": POINTS,
    }[kind]
    experiment, cpu = tiny_experiment(overrides), torch.device("cpu")
    task = build_task(experiment, cpu)
    evaluator = task.evaluator
    assert isinstance(evaluator, CorrectableEvaluator)
    with build_game(experiment, task, cpu).players["generator"].evaluated() as generator:
        source = evaluator.plain(generator, DecodingSetting())
        drawn = [evaluator.draw(source, split, 20).fake for split in ("valid", "valid", "test")]
    valid, again, test = (fake.x for fake in drawn if fake is not None)
    assert torch.equal(valid, again)
    assert not torch.equal(valid, test)
