"""Schedules: which phase is visited at which step.

A step is one visit of one phase. `[{repeat: 120, phases: {mle: 1}}, {repeat: 200, phases:
{critic: 5, generator: 1}}]` is 120 likelihood updates, then 200 rounds of five critic updates and
one generator update: 1,320 steps. The phase follows from the step alone.
"""

from collections import Counter
from collections.abc import Collection

from seqgan.core.errors import UserError
from seqgan.training.config import StageConfig


class PhaseSchedule:
    """`schedule.phase(step)` names the phase, or is None at the end."""

    def __init__(self, stages: list[StageConfig]) -> None:
        self._stages = [
            (stage.repeat, [phase for phase, times in stage.phases.items() for _ in range(times)])
            for stage in stages
        ]

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return sum(repeat * len(visits) for repeat, visits in self._stages)

    def phase(self, step: int) -> str | None:
        for repeat, visits in self._stages:
            if step < repeat * len(visits):
                return visits[step % len(visits)]
            step -= repeat * len(visits)
        return None

    def check_past(self, before: "PhaseSchedule", done: int) -> None:
        """Raises `UserError` where the first `done` steps would be others than in the schedule
        `before`, by which they were made."""
        for step in range(done):
            was, now = before.phase(step), self.phase(step)
            if was != now:
                would = f"in phase {now}" if now else "left out"
                raise UserError(
                    f"schedule: {done} steps are done, and step {step + 1} of them, made in phase "
                    f"{was}, would be {would}; change only what comes after them"
                )

    def visits(self) -> Counter[str]:
        """How often each phase is visited."""
        total: Counter[str] = Counter()
        for repeat, visits in self._stages:
            total.update({phase: repeat * times for phase, times in Counter(visits).items()})
        return total

    def first_visit(self, phases: Collection[str]) -> int | None:
        """The step that visits one of these phases first; None where no step does."""
        begun = 0
        for repeat, visits in self._stages:
            for position, phase in enumerate(visits):
                if phase in phases:
                    return begun + position
            begun += repeat * len(visits)
        return None
