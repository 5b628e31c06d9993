"""A sweep chooses on validation data, by the configured rule, and reports on test data."""

from typing import Any

import pytest

from seqgan.core import progress
from seqgan.evaluation.base import (
    DecodingSetting,
    Evaluator,
    Metrics,
    ShownLines,
    temperatures_and_nuclei,
)
from seqgan.evaluation.config import EvaluationConfig
from seqgan.evaluation.select import evaluate, rounds

VALUES: dict[str, dict[float, float | None]] = {
    "valid": {0.5: 3.0, 1.0: 2.0, 2.0: 4.0},
    "test": {0.5: 1.0, 1.0: 5.0, 2.0: 0.5},
}
"""By split and temperature; no setting is the best of both splits, or both of min and max."""


class Recorded(Evaluator[Any]):
    """Gives the numbers it was made with, and remembers what it was asked."""

    notes: dict[str, object] = {}

    def __init__(self, values: dict[str, dict[float, float | None]]) -> None:
        self._values = values
        self.asked: list[tuple[str, int, DecodingSetting]] = []

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Any, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        self.asked.append((split, samples, setting))
        return {f"score_{split}": 0.0, "score": self._values[split][setting.temperature]}

    def real(self, split: str, samples: int) -> Metrics:
        return {"score": {"valid": -1.0, "test": -2.0}[split], "samples": float(samples)}

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        return {"rule": {"score": {"valid": -3.0, "test": -4.0}[split]}}

    def show(self, generator: Any, setting: DecodingSetting) -> ShownLines:
        return ShownLines([f"T = {setting.temperature:g}"])


def swept(
    rule: dict[str, Any], values: dict[str, dict[float, float | None]] = VALUES
) -> tuple[Recorded, list[dict[str, Any]], list[str], int]:
    """(the evaluator, its rows, the samples shown, how often the bar moved)."""
    config = EvaluationConfig.model_validate(
        {
            "samples": 7,
            "samples_during_training": 3,
            "temperature": 0.5,
            "sweep_temperatures": [0.5, 1.0, 2.0],
            "sweep_top_p": [],
            "sweep_select": rule,
        }
    )
    evaluator, moves = Recorded(values), []
    settings = evaluator.settings(config, True)
    rows, shown = evaluate(evaluator, None, config, settings, lambda: moves.append(1))
    return evaluator, rows, shown.lines, len(moves)


@pytest.mark.parametrize(("mode", "chosen"), [("min", 1.0), ("max", 2.0)])
def test_a_sweep_chooses_on_validation_data_and_reports_test_data(mode: str, chosen: float) -> None:
    evaluator, rows, shown, moves = swept({"metric": "score", "mode": mode})
    assert [row["temperature"] for row in rows if row["selected"]] == [chosen]
    assert shown == [f"T = {chosen:g}"]
    assert [row["metrics"]["score"] for row in rows] == [1.0, 5.0, 0.5, -4.0, -2.0]
    assert [row["label"] for row in rows[3:]] == ["rule", "real data"]
    assert rows[-1]["metrics"]["samples"] == 7
    assert {samples for _, samples, _ in evaluator.asked} == {7}
    assert moves == 7, "each setting on validation data, then on test data; then all that is none"


def test_controls_are_measured_once_and_selected_by_nothing() -> None:
    class Controlled(Recorded):
        def control_settings(self) -> list[DecodingSetting]:
            return [DecodingSetting(0.5), DecodingSetting(2.0)]

    config = EvaluationConfig(samples=7, temperature=0.5)
    evaluator, moves = Controlled(VALUES), []
    settings = evaluator.settings(config, False)
    rows, _ = evaluate(evaluator, None, config, settings, lambda: moves.append(1))
    assert [(row["temperature"], row["selected"]) for row in rows] == [
        (0.5, True), (2.0, False), (None, False), (None, False),
    ]  # fmt: skip
    assert [split for split, *_ in evaluator.asked] == ["test", "test"]
    assert len(moves) == rounds(evaluator, config, settings) == 3


@pytest.mark.parametrize("values", [[None, 2.0, 1.0], [2.0, 1.0, None]], ids=str)
def test_a_setting_without_the_metric_is_not_chosen(values: list[float | None]) -> None:
    valid = dict(zip((0.5, 1.0, 2.0), values, strict=True))
    _, rows, _, _ = swept({"metric": "score", "mode": "min"}, {**VALUES, "valid": valid})
    chosen = [row["temperature"] for row in rows if row["selected"]]
    assert chosen == [temperature for temperature, value in valid.items() if value == 1.0]


@pytest.mark.parametrize("metric", [None, "nowhere"])
def test_without_a_value_to_choose_by_the_configured_setting_stays(metric: str | None) -> None:
    evaluator, rows, shown, _ = swept({"metric": metric, "mode": "min"})
    assert [row["selected"] for row in rows] == [True, False, False, False, False]
    assert shown == ["T = 0.5"]
    assert ("valid" in {split for split, *_ in evaluator.asked}) == (metric is not None)


@pytest.mark.parametrize("metric", [None, "score"])
def test_a_sweep_says_from_its_start_how_long_it_takes(
    metric: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    class Slow(Recorded):
        def generated(self, *asked: Any) -> Metrics:
            now[0] += 40
            return super().generated(*asked)

    config = EvaluationConfig.model_validate(
        {
            "sweep_temperatures": [0.5, 1.0, 2.0],
            "sweep_top_p": [],
            "sweep_select": {"metric": metric},
        }
    )
    settings = temperatures_and_nuclei(config, True)
    with progress.progress_bar() as bar:
        evaluator = Slow(VALUES)
        total = rounds(evaluator, config, settings)
        task = bar.add_task("evaluating", total=total, note="")
        evaluate(evaluator, None, config, settings, lambda: bar.advance(task))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (6 if metric else 3)
    assert lines[0].endswith(
        "1 of 7, 40 s gone, about 4 min left" if metric else "1 of 4, 40 s gone, about 2 min left"
    )
    assert lines[-1].endswith(", about 40 s left"), "simple rules and real data are a round too"
