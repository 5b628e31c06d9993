"""The run's record: metrics.jsonl is the source of truth, TensorBoard and the bar are views."""

import json
import math
from pathlib import Path

from seqgan.core.errors import warn
from seqgan.core.plain import JsonObject
from seqgan.core.run_lines import read_run_lines
from seqgan.core.saved_files import naming, read_json_lines, to_json, write_text


class RunLog:
    """Appends lines, after cutting the file back to the step that training goes on from.

    Where it does go on, an evaluation that was made only because it stopped there is dropped too:
    an unbroken run has none.
    """

    def __init__(
        self, folder: Path, tensorboard: bool, restored_step: int | None, goes_on: bool = True
    ) -> None:
        self._path = folder / "metrics.jsonl"
        cut_back(self._path, -1 if restored_step is None else restored_step, goes_on)
        self._file = self._path.open("a", encoding="utf-8")
        self._writer = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            purge = 0 if restored_step is None else restored_step + 1
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)

    def write(self, line: JsonObject) -> None:
        """Append one line and hand its numbers to TensorBoard."""
        with naming(self._path):
            self._file.write(json.dumps(to_json(line)) + "\n")
            self._file.flush()
        if self._writer is None:
            return
        values = line.get("metrics", line)
        for name, value in values.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{line['kind']}/{name}", value, line["step"])

    def close(self) -> None:
        with naming(self._path):
            self._file.close()
        if self._writer is not None:
            self._writer.close()


def cut_back(path: Path, step: int, goes_on: bool = True) -> None:
    """Drop the lines behind `step`, and lines that a killed process left half-written; where
    training goes on, also the evaluations that only its stops have made."""
    if not path.exists():
        return
    lines, damaged = read_json_lines(path)
    if damaged:
        warn(f"{path}: {damaged} damaged line{'s' * (damaged > 1)} left out")
    kept = [line for line in lines if _step(line) <= step and not (goes_on and "at_stop" in line)]
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))


def _step(line: JsonObject) -> float:
    """A line without a step belongs nowhere, so it is behind every step."""
    step = line.get("step")
    return step if isinstance(step, int) else math.inf


def read_evaluations(path: Path) -> list[JsonObject]:
    """The evaluations of a log, in order; infinite metrics are numbers again."""
    found = read_run_lines(path).evals
    for line in found:
        values = line["metrics"].items()
        line["metrics"] = {k: None if v is None else float(v) for k, v in values}
    return found
