"""Progress on stderr: a bar in a terminal, elsewhere a line every half minute and at milestones
(evaluations), with the time that is left at the pace of the last minute.
"""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self, TypeAlias, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY = 30.0
"""Seconds between two lines of a log."""
PACE = 60.0
"""Seconds that the pace is measured over."""

T = TypeVar("T")

AnyProgress: TypeAlias = "Progress | ProgressLines"


def progress_bar(transient: bool = False) -> AnyProgress:
    """What every longer piece of work shows; a `transient` bar leaves nothing behind it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return ProgressLines()
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=transient,
    )


def tracked(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The items, with a bar of `total` or lines on how many have been taken."""
    share = max(1, total // 100)  # an update costs more than many an item
    with progress_bar(transient=True) as bar:
        task = bar.add_task(what, total=total, note="")
        for count, item in enumerate(items, start=1):
            yield item
            if count % share == 0:
                bar.update(task, completed=count)


@dataclass
class _Task:
    description: str
    total: float
    completed: float
    started: float
    note: str = ""
    last_line: float = 0.0
    """When it was written."""
    pace: deque[tuple[float, float]] = field(default_factory=deque)
    """(time, completed) of the last minute."""


class ProgressLines:
    """What we use of rich's `Progress`, for where there is no terminal."""

    def __init__(self) -> None:
        self._tasks: list[_Task] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_task(
        self, description: str, total: float, completed: float = 0, note: str = ""
    ) -> TaskID:
        now = time.monotonic()
        task = _Task(description, total, completed, now, note, now, deque([(now, completed)]))
        self._tasks.append(task)
        return TaskID(len(self._tasks) - 1)

    def advance(self, task_id: TaskID, steps: float = 1) -> None:
        self.update(task_id, completed=self._tasks[task_id].completed + steps)

    def update(
        self,
        task_id: TaskID,
        *,
        completed: float | None = None,
        note: str | None = None,
        milestone: bool = False,
    ) -> None:
        """A line at a milestone, or when the last one is half a minute old."""
        task, now = self._tasks[task_id], time.monotonic()
        task.completed = task.completed if completed is None else completed
        task.note = task.note if note is None else note
        task.pace.append((now, task.completed))
        while len(task.pace) > 2 and now - task.pace[0][0] > PACE:
            task.pace.popleft()
        if milestone or now - task.last_line >= EVERY:
            task.last_line = now
            print(_line(task, now), file=sys.stderr, flush=True)


def _line(task: _Task, now: float) -> str:
    parts = [f"{task.description}: {task.completed:.0f} of {task.total:.0f}"]
    parts += [task.note] if task.note else []
    parts.append(f"{duration(now - task.started)} gone")
    (first, had), (last, has) = task.pace[0], task.pace[-1]
    if has > had and task.completed < task.total:
        left = (task.total - task.completed) * (last - first) / (has - had)
        parts.append(f"about {duration(left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
