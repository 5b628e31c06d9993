"""What a run reports is measured on its averaged weights, while it trains and afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import last_checkpoint, metric_lines, tiny_experiment, train

from seqgan.assembly import build_generating_module, build_task
from seqgan.decoding import sequence_log_probs
from seqgan.runs.weights import load_generator

CPU = torch.device("cpu")
AVERAGED = {"players.generator": {"ema": 0.9, "lr": 0.05}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("averaged") / "run", AVERAGED)


def weights(folder: Path, name: str) -> dict[str, Any]:
    return last_checkpoint(folder)["players"]["generator"][name]


def nll(folder: Path, name: str, split: str) -> float:
    """Nats a token of held-out sequences under one of the two sets of weights."""
    experiment = tiny_experiment(AVERAGED)
    data = build_task(experiment, CPU, None)
    generator = build_generating_module(experiment, data.space)
    generator.load_state_dict(weights(folder, name))
    real = data.evaluator._real[split]
    logp_B = sequence_log_probs(generator.eval(), real.x, real.mask)
    return -float(logp_B.mean()) / data.only_space.length


def test_evaluations_of_a_run_are_of_the_averaged_weights(folder: Path) -> None:
    found = json.loads((folder / "evaluation.json").read_text())["rows"][0]["metrics"]
    assert found["nll_test"] == pytest.approx(nll(folder, "averaged", "test"), rel=1e-5)
    assert abs(found["nll_test"] - nll(folder, "module", "test")) > 0.01
    (last,) = [line for line in metric_lines(folder)[-2:] if line["kind"] == "eval"]
    expected = nll(folder, "averaged", "valid")
    assert last["metrics"]["nll_valid"] == pytest.approx(expected, rel=1e-5)


def test_what_is_loaded_to_sample_has_the_averaged_weights(folder: Path) -> None:
    """Where there are any; else those that were trained."""
    experiment = tiny_experiment(AVERAGED)
    space = build_task(experiment, CPU, None).space
    state = last_checkpoint(folder)
    for name in ("averaged", "module"):
        expected = weights(folder, name)
        loaded = load_generator(experiment, space, state, CPU)
        assert not loaded.training
        assert all(torch.equal(x, expected[key]) for key, x in loaded.state_dict().items())
        state["players"]["generator"].pop("averaged", None)


def test_evaluations_on_the_way_and_at_the_end_have_their_numbers_of_samples(
    tmp_path: Path,
) -> None:
    """All samples are equal at so low a temperature, so one of n is distinct."""
    cold = {"temperature": 0.001, "samples": 30, "samples_during_training": 7}
    folder = train(tmp_path / "cold", {"evaluation": cold})
    unique = [line["metrics"]["unique"] for line in metric_lines(folder) if line["kind"] == "eval"]
    assert unique == pytest.approx([1 / 7] * len(unique))
    final = json.loads((folder / "evaluation.json").read_text())
    assert final["rows"][0]["metrics"]["unique"] == pytest.approx(1 / 30)
    assert final["rows"][0]["temperature"] == 0.001
