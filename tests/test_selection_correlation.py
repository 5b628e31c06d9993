"""Label-free scores against the truth: correlations, picks and regrets of metrics made by hand."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from load_script import load_script
from typer import Typer
from typer.testing import CliRunner

from seqgan.core.errors import UserError

SCRIPT = Path(__file__).parents[1] / "scripts" / "selection_correlation.py"

Evals = list[dict[str, float | str | None]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("selection_correlation")


def write_run(path: Path, evals: Evals, **config: Any) -> Path:
    """A run folder whose evaluation i is that of step 100 · i."""
    path.mkdir(parents=True)
    tree = {"name": "toy", "game": {"name": "cycle"}, "data": {"name": "cipher"}, **config}
    (path / "config.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    (path / "run.json").write_text("{}", encoding="utf-8")
    lines: list[dict[str, Any]] = [{"kind": "train", "step": 50, "generator/loss": 0.3}]
    lines += [
        {"kind": "eval", "split": "valid", "step": 100 * i, "metrics": metrics}
        for i, metrics in enumerate(evals)
    ]
    log = "".join(json.dumps(line) + "\n" for line in lines)
    (path / "metrics.jsonl").write_text(log, encoding="utf-8")
    return path


def evals(scores: list[Any], truths: list[Any], way: str = "b2a", truth: str = "accuracy") -> Evals:
    return [
        {f"label_free_{way}": score, f"{truth}_{way}": value}
        for score, value in zip(scores, truths, strict=True)
    ]


def only(result: Any, part: str = "runs") -> Any:
    (row,) = result[part]
    return row


def measure(script: ModuleType, *paths: Path) -> Any:
    return script.evaluate(script.read_runs(paths))


@pytest.mark.parametrize(
    ("truths", "rho"),
    [
        ([0.1, 0.2, 0.5, 0.9], 1.0),
        ([0.9, 0.5, 0.2, 0.1], -1.0),
        ([0.1, 0.5, 0.2, 0.9], 0.8),  # 1 − 6 · 2 / (4 · 15)
        ([0.1, None, 0.2, 0.9], 1.0),
        ([0.3, 0.3, 0.3, 0.3], None),
    ],
)
def test_one_means_that_low_scores_are_good_translations(
    script: ModuleType, tmp_path: Path, truths: list[Any], rho: float | None
) -> None:
    row = only(measure(script, write_run(tmp_path / "run", evals(["inf", 5.0, 4.0, 1.0], truths))))
    assert row["rho"] == (None if rho is None else pytest.approx(rho))
    assert row["checkpoints"] == len([value for value in truths if value is not None])


def test_two_checkpoints_have_no_order(script: ModuleType, tmp_path: Path) -> None:
    row = only(measure(script, write_run(tmp_path / "run", evals([2.0, 1.0], [0.1, 0.9]))))
    assert row["rho"] is None


def test_the_untrained_network_can_be_left_out(script: ModuleType, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", evals([9.0, 3.0, 2.0, 1.0], [0.0, 0.9, 0.6, 0.3]))
    row = only(measure(script, run))
    assert row["trained"] == pytest.approx(-1.0)
    assert row["rho"] == pytest.approx(0.2)  # 1 − 6 · (0 + 4 + 0 + 4) / 60
    assert only(measure(script, run), "pooled")["trained"] == pytest.approx(-1.0)


def test_selected_last_and_best_checkpoints(script: ModuleType, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", evals([9.0, 3.0, 1.0, 1.0, 2.0], [0.0, 0.9, 0.6, 0.8, 0.5]))
    row = only(measure(script, run))
    assert row["rule"] == "label_free_b2a min"
    assert row["selected"] == {"step": 200, "label_free": 1.0, "truth": 0.6}  # the first of equals
    assert row["last"] == {"step": 400, "label_free": 2.0, "truth": 0.5}
    assert row["best"] == {"step": 100, "label_free": 3.0, "truth": 0.9}
    assert row["regret"] == pytest.approx(0.3)


@pytest.mark.parametrize(("mode", "step"), [("min", 100), ("max", 200)])
def test_the_runs_own_rule_selects(
    script: ModuleType, tmp_path: Path, mode: str, step: int
) -> None:
    lines = evals([9.0, 3.0, 1.0], [0.0, 0.9, 0.6])
    for line, total in zip(lines, [20.0, 4.0, 30.0], strict=True):
        line["label_free"] = total
    select = {"metric": "label_free", "mode": mode}
    run = write_run(tmp_path / "run", lines, evaluation={"select": select})
    row = only(measure(script, run))
    assert row["rule"] == f"label_free {mode}"
    assert row["selected"]["step"] == step


def test_directions_and_truths_are_kept_apart(script: ModuleType, tmp_path: Path) -> None:
    good = evals([3.0, 2.0, 1.0], [0.1, 0.2, 0.3], "a2b", "strict_f1")
    bad = evals([3.0, 2.0, 1.0], [0.3, 0.2, 0.1], "b2a", "bleu")
    extra = [{"exact_a2b": value, "label_preservation_b2a": 0.1} for value in (0.0, 0.2, 0.1)]
    lines = [a | b | c for a, b, c in zip(good, bad, extra, strict=True)]
    rows = measure(script, write_run(tmp_path / "run", lines))["runs"]
    found = {(row["way"], row["truth"]): row["rho"] for row in rows}
    assert found == {
        ("a2b", "strict_f1"): pytest.approx(1.0),
        ("a2b", "exact"): pytest.approx(0.5),
        ("b2a", "bleu"): pytest.approx(-1.0),
    }


def test_runs_are_pooled(script: ModuleType, tmp_path: Path) -> None:
    # Within each run the order is perfect, between runs it is reversed.
    paths = [
        write_run(tmp_path / f"run-{i}", evals([10.0 + i, i, 5.0 + i], [i, i + 0.2, i + 0.1]))
        for i in range(5)
    ]
    pooled = only(measure(script, *paths), "pooled")
    assert (pooled["runs"], pooled["checkpoints"]) == (5, 15)
    assert pooled["picks"] == pytest.approx(-1.0)
    assert -1 < pooled["rho"] < 1
    assert pooled["selected"] == pooled["best"] == pytest.approx(2.2)
    assert pooled["last"] == pytest.approx(2.1)
    assert pooled["regret"] == 0
    assert only(measure(script, *paths[:4]), "pooled")["picks"] is None


def test_scores_that_cannot_be_compared_are_noted(script: ModuleType, tmp_path: Path) -> None:
    lines = evals([3.0, 2.0, 1.0], [0.1, 0.2, 0.3])
    with_way_back = [line | {"round_trip_b2a": 0.5} for line in lines]
    one = write_run(tmp_path / "one", lines)
    assert measure(script, one)["notes"] == []
    other = write_run(tmp_path / "other", with_way_back, data={"name": "cipher", "train": 5})
    first, second = measure(script, one, other)["notes"]
    assert "label_free_b2a has a round trip in some runs only" in first
    assert "runs differ in data.train" in second


@pytest.mark.parametrize(
    ("config", "lines", "message"),
    [
        ({"game": {"name": "mle"}}, evals([1.0], [0.1]), "game.name=mle"),
        ({}, [], "no validation evaluation has label_free_a2b or label_free_b2a"),
        ({}, [{"label_free_a2b": 1.0, "copied_a2b": 0.1}], "paired validation text"),
        (
            {"evaluation": {"select": {"metric": "label_free_a2b", "mode": "min"}}},
            evals([1.0], [0.1]),
            "evaluation.select.metric=label_free_a2b, which no validation evaluation has",
        ),
    ],
)
def test_other_runs_are_refused(
    script: ModuleType, tmp_path: Path, config: dict[str, Any], lines: Evals, message: str
) -> None:
    run = write_run(tmp_path / "run", lines, **config)
    with pytest.raises(UserError, match=message) as error:
        measure(script, run)
    assert str(error.value).startswith(str(run))
    assert "\n" not in str(error.value)


def test_the_command_prints_a_table_or_json(script: ModuleType, tmp_path: Path) -> None:
    app = Typer()
    app.command()(script.main)
    run = write_run(tmp_path / "run", evals([9.0, 3.0, 2.0, "inf"], [0.0, 0.9, 0.6, 0.5]))
    done = CliRunner().invoke(app, [str(run)])
    assert done.exit_code == 0
    head, row, total = done.stdout.splitlines()
    assert head.split()[-4:] == ["selected", "last", "best", "regret"]
    assert "0.6000 @200" in row
    assert row.endswith("0.3000")
    assert total.startswith("all 1 runs")
    assert len(head) == len(row) == len(total)  # aligned: the last column ends where the others do
    done = CliRunner().invoke(app, [str(run), "--json"])
    tree = json.loads(done.stdout, parse_constant=pytest.fail)
    assert set(tree) == {"runs", "pooled", "notes"}
    assert only(tree)["last"]["label_free"] == "inf"
    for arguments in ([str(run), str(run / ".." / "run")], [str(tmp_path / "none")]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert done.stdout == ""
