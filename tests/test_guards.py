"""The guards of a refactoring find what they are for: another number, another word, a part that is
not run. See the package `guards`."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from guards import compare, configurations, messages, renames, runs, trees
from guards.command import seqgan
from guards.inputs import write_inputs

from seqgan.core.errors import UserError

CONFIG = Path(__file__).parents[1] / "configs/oracle/enumerable.yaml"
NOTHING: dict[str, Any] = {"configurations": {}, "combinations": {}, "runs": {}, "messages": {}}


@pytest.fixture(scope="module")
def tiny() -> dict[str, Any]:
    return {name: tree for name, (tree, _) in trees.tiny_trees().items()}


@pytest.fixture(scope="module")
def trained(tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What one tiny run leaves: twice with one seed, then with another."""
    folder = tmp_path_factory.mktemp("guards")
    write_inputs(folder / "files", networks=False)
    return [
        runs.record_run(folder, "tiny", {**tiny["dgsan"], "seed": seed}, ["sample RUN -n 2"])
        for seed in (0, 0, 1)
    ]


def found(part: str, before: Any, after: Any) -> tuple[list[str], list[str]]:
    return compare.differences(NOTHING | {part: before}, NOTHING | {part: after})


def test_a_run_is_recorded_to_the_bit(trained: list[dict[str, Any]]) -> None:
    first, again, other = ({"tiny": run} for run in trained)
    assert first["tiny"]["status"] == 0
    assert len(first["tiny"]["commands"]["sample RUN -n 2"]["printed"]) == 2
    assert found("runs", first, again) == ([], [])
    lines, _ = found("runs", first, other)
    assert any(line.startswith("run tiny: tensors.players.generator.module.") for line in lines)
    assert re.fullmatch(r"run tiny: … and \d+ more differences", lines[-1])


def test_one_tensor_and_one_number_are_a_difference_each(trained: list[dict[str, Any]]) -> None:
    changed = copy.deepcopy(trained[0])
    name = next(iter(changed["tensors"]))
    changed["tensors"][name] = "0" * 16
    changed["log"][-1]["step"] += 1
    (first, second), _ = found("runs", {"tiny": trained[0]}, {"tiny": changed})
    assert first.startswith(f"run tiny: tensors.{name}: ")
    assert re.fullmatch(r"run tiny: log\[\d+\]\.step: \d+ → \d+", second)


def test_tensors_of_other_names_are_compared_as_a_heap(trained: list[dict[str, Any]]) -> None:
    moved = copy.deepcopy(trained[0])
    moved["tensors"] = {f"new.{name}": value for name, value in moved["tensors"].items()}
    lines, (note,) = found("runs", {"tiny": trained[0]}, {"tiny": moved})
    assert lines == []
    assert "equal, but for names" in note
    moved["tensors"].popitem()
    (line,), _ = found("runs", {"tiny": trained[0]}, {"tiny": moved})
    assert "1 of" in line


def test_a_metric_of_another_name_has_to_stand_in_the_table(
    trained: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"tiny": trained[0]}
    with monkeypatch.context() as patch:
        patch.setitem(renames.METRICS, "gradient_norm", "norm")
        after = {"tiny": trained[0] | {"log": renames.rename_metrics(trained[0]["log"])}}
        assert "generator/norm" in after["tiny"]["log"][1]
        assert found("runs", before, after) == ([], [])
    lines, _ = found("runs", before, after)
    assert "generator/gradient_norm: was " in lines[0]


def test_configurations_are_read_under_their_new_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = configurations.record_shipped(tmp_path, CONFIG.parent)
    assert before["midsize.yaml"]["estimator"]["credit"] == {"name": "per_step", "discount": 0.5}
    after = copy.deepcopy(before)
    after["midsize.yaml"]["estimator"]["credit"] = {"name": "per_token", "gamma": 0.5}
    lines, _ = found("configurations", before, after)
    assert len(lines) == 3
    assert lines[0].endswith("estimator.credit.name: 'per_step' → 'per_token'")
    monkeypatch.setitem(renames.KEYS, "credit.discount", "gamma")
    monkeypatch.setitem(renames.VALUES, "credit.name", {"per_step": "per_token"})
    assert found("configurations", before, after) == ([], [])
    assert renames.rename_key("estimator.credit.discount") == "estimator.credit.gamma"
    monkeypatch.setitem(renames.SHAPES, "estimator.credit", lambda credit: None)
    assert found("configurations", before, after)[0]


def test_messages_are_heard_where_they_are_said(tmp_path: Path) -> None:
    heard: set[str] = set()
    with messages.listening(heard):
        UserError("raised")
        status, _, err = seqgan("train", "--resume", str(tmp_path / "nowhere"))
    UserError("too late")
    assert status == 2
    assert heard == {"raised", err.removeprefix("error: ").strip()}
    lines, _ = found("messages", {"a::b": ["x", "y"], "a::c": ["x"]}, {"a::b": ["x", "z"]})
    assert lines == [
        "test a::c: is gone, with 1 messages",
        "test a::b: no longer says 'y'; now says 'z'",
    ]


@pytest.mark.parametrize(
    "part",
    [
        *("data", "game", "generator", "critic", "objective", "estimator"),
        *("data.oracle", "estimator.credit", "estimator.baseline"),
    ],
)
def test_every_part_has_a_tiny_run(part: str, tiny: dict[str, Any]) -> None:
    """What there is, the program says itself where it is asked for something else."""
    _, _, err = seqgan("config", str(CONFIG), f"{part}.name=nothing")
    known = set(err.strip().split("choose from: ")[1].split(", "))
    assert len(known) > 2
    assert known <= {name_at(tree, part.split(".")) for tree in tiny.values()}


def name_at(tree: Any, path: list[str]) -> str | None:
    for key in (*path, "name"):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
