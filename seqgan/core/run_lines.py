"""The lines of metrics.jsonl, as whatever evaluates a run or reports it reads them."""

from pathlib import Path

from seqgan.core.plain import JsonObject
from seqgan.core.renamed import upgrade_budget
from seqgan.core.saved_files import read_json_lines


def read_run_lines(path: Path) -> tuple[list[JsonObject], list[JsonObject], int]:
    """The train lines, the eval lines, and how many lines are damaged: those are left out.

    A missing file has no lines: the run was killed before its first one. Infinite metrics are the
    strings "inf" and "-inf".
    """
    if not path.exists():
        return [], [], 0
    lines, damaged = read_json_lines(path)
    whole = [upgrade_budget(line) for line in lines if _is_whole(line)]
    train = [line for line in whole if line.get("kind") == "train"]
    evals = [line for line in whole if line.get("kind") == "eval"]
    return train, evals, damaged + len(lines) - len(whole)


def _is_whole(line: JsonObject) -> bool:
    if not isinstance(line.get("step"), int):
        return False
    if line.get("kind") != "eval":
        return True
    metrics = line.get("metrics")
    return isinstance(metrics, dict) and all(map(_is_value, metrics.values()))


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, int | float) or value in ("inf", "-inf")
