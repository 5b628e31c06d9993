"""The lines of metrics.jsonl, as whatever evaluates a run or reports it reads them."""

from dataclasses import dataclass
from pathlib import Path

from seqgan.core.plain import JsonObject
from seqgan.core.renamed import upgrade_budget
from seqgan.core.saved_files import read_json_lines


@dataclass(frozen=True, slots=True)
class RunLines:
    """Whole lines, by what they are of, each in step order."""

    train: list[JsonObject]
    evals: list[JsonObject]
    """Infinite metrics are the strings "inf" and "-inf"."""
    alarms: list[JsonObject]
    damaged: int
    """How many more lines there are."""


def read_run_lines(path: Path) -> RunLines:
    """The lines of a run. A missing file has none: the run was killed before its first one."""
    if not path.exists():
        return RunLines([], [], [], 0)
    lines, damaged = read_json_lines(path)
    whole = [upgrade_budget(line) for line in lines if _is_whole(line)]
    train, evals, alarms = (
        [line for line in whole if line.get("kind") == kind] for kind in ("train", "eval", "alarm")
    )
    return RunLines(train, evals, alarms, damaged + len(lines) - len(whole))


def _is_whole(line: JsonObject) -> bool:
    if not isinstance(line.get("step"), int):
        return False
    if line.get("kind") == "alarm":
        return isinstance(line.get("sentence"), str)
    if line.get("kind") != "eval":
        return True
    metrics = line.get("metrics")
    return isinstance(metrics, dict) and all(map(_is_value, metrics.values()))


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, int | float) or value in ("inf", "-inf")
