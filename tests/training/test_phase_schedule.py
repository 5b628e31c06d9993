"""Schedules: the phase of every step, from the step alone."""

import pytest
from pydantic import ValidationError

from seqgan.core.errors import UserError
from seqgan.training.config import StageConfig
from seqgan.training.phase_schedule import PhaseSchedule

STAGES = [
    StageConfig(repeat=2, phases={"mle": 1}),
    StageConfig(repeat=2, phases={"critic": 2, "generator": 1}),
    StageConfig(repeat=1, phases={"generator": 1, "critic": 1}),
]
VISITS = ["mle"] * 2 + ["critic", "critic", "generator"] * 2 + ["generator", "critic"]


def test_every_step_has_its_phase_and_the_end_has_none() -> None:
    schedule = PhaseSchedule(STAGES)
    assert schedule.steps == len(VISITS)
    assert [schedule.phase(step) for step in range(len(VISITS))] == VISITS
    assert schedule.phase(len(VISITS)) is None
    assert schedule.phase(10 * len(VISITS)) is None


def test_the_phase_needs_no_history() -> None:
    assert [PhaseSchedule(STAGES).phase(step) for step in (9, 2, 5)] == [
        VISITS[9],
        "critic",
        "critic",
    ]


def test_raising_the_last_repeat_changes_no_earlier_step() -> None:
    longer = PhaseSchedule([*STAGES[:2], StageConfig(repeat=5, phases=STAGES[2].phases)])
    assert [longer.phase(step) for step in range(len(VISITS))] == VISITS
    assert longer.steps == len(VISITS) + 8


def test_what_is_done_stays_as_it_was_made() -> None:
    before = PhaseSchedule(STAGES)
    longer = PhaseSchedule([*STAGES[:2], StageConfig(repeat=5, phases=STAGES[2].phases)])
    longer.check_past(before, len(VISITS))
    shorter = PhaseSchedule(STAGES[:2])
    shorter.check_past(before, 8)
    with pytest.raises(UserError, match=r"9 steps are done, and step 9 .* generator, would be"):
        shorter.check_past(before, 9)
    other = PhaseSchedule([StageConfig(repeat=3, phases={"mle": 1}), *STAGES[1:]])
    with pytest.raises(UserError, match=r"step 3 .* in phase critic, would be in phase mle"):
        other.check_past(before, 4)


@pytest.mark.parametrize("fields", [{"repeat": 0}, {"phases": {"mle": 0}}, {"phases": {}}])
def test_a_stage_without_steps_is_refused(fields: dict) -> None:
    with pytest.raises(ValidationError):
        StageConfig.model_validate({"repeat": 1, "phases": {"mle": 1}, **fields})


def test_the_first_visit_of_a_phase_is_the_step_that_visits_it() -> None:
    stages = [
        StageConfig(repeat=3, phases={"mle": 2}),
        StageConfig(repeat=2, phases={"critic": 5, "generator": 1}),
    ]
    schedule = PhaseSchedule(stages)
    assert schedule.first_visit({"generator", "evolve"}) == 11
    assert schedule.phase(11) == "generator"
    assert schedule.first_visit({"critic"}) == 6
    assert schedule.first_visit({"mle"}) == 0
    assert schedule.first_visit({"evolve"}) is None
    assert schedule.first_visit(()) is None
