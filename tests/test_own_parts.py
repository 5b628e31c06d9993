"""An estimator, critic, objective, metric and data source, each in a file of its own (own_lab/):
no file of the package has to mention them."""

from pathlib import Path
from typing import Any

import pytest
from tiny_runs import metric_lines, tiny_experiment, train

from seqgan.cli import run
from seqgan.core.errors import UserError

OWN: dict[str, Any] = {
    "data": {"name": "own_lab.data:CoinDataConfig", "heads": 0.9},
    "critic": {"name": "own_lab.critics:CountingCriticConfig"},
    "objective": {"name": "own_lab.objectives:TokenCountConfig"},
    "estimator": {"name": "own_lab.estimators:MedianReinforceConfig"},
    "evaluation": {
        "samples": 16,
        "samples_during_training": 16,
        "select": {"metric": "head_share", "mode": "max"},
    },
}


def test_a_run_of_own_parts_trains_is_selected_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(tmp_path / "own", {**OWN, "schedule.0.repeat": 2})
    assert run(["train", "--resume", str(folder), "schedule.0.repeat=4"]) == 0
    evaluated = [line["metrics"] for line in metric_lines(folder) if "metrics" in line]
    assert evaluated
    assert all(set(metrics) == {"head_share"} for metrics in evaluated)
    assert run(["evaluate", str(folder)]) == 0
    capsys.readouterr()
    assert run(["sample", str(folder), "-n", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"critic": {"name": "cnn", "widths": [1], "filters": [2]}},
            "objective.name=own_lab.objectives:TokenCountConfig needs token counts, which "
            "critic.name=cnn does not give; use another objective",
        ),
        (
            {"objective": {"name": "mmd"}},
            "objective.name=mmd needs features, which critic.name=own_lab.critics:"
            "CountingCriticConfig does not give; use critic mlp, cnn, relgan, transformer, "
            "pairwise, hf",
        ),
        (
            {"generator": {"name": "dcgan"}},
            "generator.name=dcgan does not fit data.name=own_lab.data:CoinDataConfig; choose from: "
            "lstm, gru, pairwise, transformer, relational, leakgan, hf",
        ),
        (
            {"evaluation.select": {"metric": "jsd"}},
            "evaluation.select.metric='jsd': unknown; choose from: head_share",
        ),
        (
            {"game": {"name": "infill"}},
            "estimator.name=own_lab.estimators:MedianReinforceConfig is not for game infill; "
            "choose from: score_function, ppo, grpo",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_own_parts_are_compared_with_shipped_ones(overrides: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        tiny_experiment({**OWN, **overrides})
    assert str(caught.value) == f"tiny: {expected}"
