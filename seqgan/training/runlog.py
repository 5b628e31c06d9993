"""The run's record: metrics.jsonl is the source of truth, TensorBoard and the bar are views."""

import json
import math
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunLog:
    """Appends lines, after cutting the file back to the step that training goes on from."""

    def __init__(self, folder: Path, tensorboard: bool, restored_step: int | None) -> None:
        self._path = folder / "metrics.jsonl"
        cut_back(self._path, -1 if restored_step is None else restored_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._writer = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            purge = 0 if restored_step is None else restored_step + 1
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)

    def write(self, line: dict[str, Any]) -> None:
        """Append one line and hand its numbers to TensorBoard."""
        self._file.write(json.dumps(to_json(line)) + "\n")
        self._file.flush()
        if self._writer is None:
            return
        values = line.get("metrics", line)
        for name, value in values.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{line['kind']}/{name}", value, line["step"])

    def close(self) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def to_json(node: Any) -> Any:
    """Plain JSON: infinities become the strings "inf" and "-inf", NaN becomes null."""
    if isinstance(node, dict):
        return {key: to_json(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_json(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None if math.isnan(node) else ("inf" if node > 0 else "-inf")
    return node


def cut_back(path: Path, step: int) -> None:
    """Drop the lines behind `step`, and a last line that a killed process left half-written."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except json.JSONDecodeError:
            break
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    partial.replace(path)


def progress_bar() -> Progress:
    """The bar every longer piece of work shows: on stderr, so that stdout stays parseable, and in
    a terminal only, so that a log holds nothing but messages."""
    from rich.console import Console

    console = Console(stderr=True)
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )
