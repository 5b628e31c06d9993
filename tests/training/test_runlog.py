"""The run log: strict JSON, cut back to the step that training goes on from."""

import json
from pathlib import Path

import pytest

from seqgan.core.saved_files import to_json
from seqgan.training.runlog import RunLog, cut_back


def write_lines(path: Path, steps: list[int], tail: str = "") -> None:
    lines = [json.dumps({"kind": "train", "step": step}) + "\n" for step in steps]
    path.write_text("".join(lines) + tail, encoding="utf-8")


def steps_of(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_lines_behind_the_step_are_dropped_and_those_at_it_stay(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, [2, 4, 4, 5, 6])
    cut_back(path, 4)
    assert steps_of(path) == [2, 4, 4]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("tail", ['{"kind": "tra', '{"kind": "train", "step": 1', '{"kin\n'])
def test_a_half_written_line_is_dropped(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, [2, 4], tail)
    cut_back(path, 100)
    assert steps_of(path) == [2, 4]
    assert path.read_text().endswith("}\n")  # the next line starts on a line of its own


def test_good_lines_around_half_written_ones_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, [2, 4], '{"kind": "tra\n')
    with path.open("a") as file:
        file.write('{"step": 5}\n[1]\n\xff\n{"step": "6"}\n{"step": 6}\n{"step": 9}\n')
    cut_back(path, 6)
    assert steps_of(path) == [2, 4, 5, 6]
    assert capsys.readouterr().err == f"warning: {path}: 3 damaged lines left out\n"


def test_a_missing_file_is_an_empty_log(tmp_path: Path) -> None:
    cut_back(tmp_path / "metrics.jsonl", 3)
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_run_that_starts_afresh_keeps_no_line(tmp_path: Path) -> None:
    write_lines(tmp_path / "metrics.jsonl", [0, 2])
    RunLog(tmp_path, tensorboard=False, restored_step=None).close()
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_resumed_log_is_appended_to_and_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    write_lines(tmp_path / "metrics.jsonl", [0, 2, 4, 6])
    log = RunLog(tmp_path, tensorboard=False, restored_step=4)
    log.write({"kind": "train", "step": 5, "loss": 0.25})
    assert steps_of(tmp_path / "metrics.jsonl") == [0, 2, 4, 5]
    log.close()


def test_infinite_and_undefined_numbers_are_strict_json(tmp_path: Path) -> None:
    log = RunLog(tmp_path, tensorboard=False, restored_step=None)
    values = {"kl": float("inf"), "x": float("-inf"), "y": float("nan"), "z": None, "n": 1.5}
    log.write({"kind": "eval", "step": 1, "metrics": values})
    log.close()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    text = (tmp_path / "metrics.jsonl").read_text()
    line = json.loads(text, parse_constant=refuse)
    assert line["metrics"] == {"kl": "inf", "x": "-inf", "y": None, "z": None, "n": 1.5}


def test_nested_values_are_converted_everywhere() -> None:
    tree = {"a": [float("inf"), (1, float("nan"))], "b": {"c": "inf", "d": True}}
    assert to_json(tree) == {"a": ["inf", [1, None]], "b": {"c": "inf", "d": True}}


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_tensorboard_gets_the_numbers(tmp_path: Path) -> None:
    log = RunLog(tmp_path, tensorboard=True, restored_step=None)
    log.write({"kind": "train", "step": 3, "critic/loss": 0.5})
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (event,) = events.Scalars("train/critic/loss")
    assert (event.step, event.value) == (3, 0.5)
