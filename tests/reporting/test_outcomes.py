"""Reports and tables say which checkpoints are early ones, and what the adversarial phase did."""

from pathlib import Path
from typing import Any

import pytest
from synthetic_runs import write_run

from seqgan.core.errors import UserError
from seqgan.reporting.html import render_report
from seqgan.reporting.outcomes import checkpoint_warnings, effect_lines
from seqgan.reporting.runs import Arm, group_runs, read_run

EARLY: dict[str, Any] = {
    "step": 1500,
    "steps": 2200,
    "finished": True,
    "selected_by": "nll_valid",
    "before": "adversarial phase",
    "trained": True,
}
END = {**EARLY, "step": 2200, "before": None}


def effect(before: float | str, after: float) -> dict[str, Any]:
    return {
        "phase": "adversarial phase",
        "metric": "nll_valid",
        "mode": "min",
        "before": before,
        "before_step": 1500,
        "after": after,
        "after_step": 2200,
    }


def arms_of(folder: Path, *evaluations: dict[str, Any]) -> list[Arm]:
    """One arm, with a run for each of these additions to evaluation.json."""
    paths = [
        write_run(folder / f"seed-{seed}", seed=seed, reported=added)
        for seed, added in enumerate(evaluations)
    ]
    return group_runs([read_run(path) for path in paths])


def test_early_checkpoints_are_named_with_their_seeds(tmp_path: Path) -> None:
    arms = arms_of(tmp_path, {"checkpoint": EARLY}, {"checkpoint": END}, {"checkpoint": EARLY})
    (line,) = checkpoint_warnings(arms)
    assert line == (
        "toy: the reported checkpoint is step 1500 of 2200, before the adversarial phase, selected "
        "by nll_valid (seeds 0, 2)."
    )
    page = render_report("toy", arms)
    warnings = page[page.index("Before you believe") : page.index("Results</h2>")]
    assert "step 1500 of 2200, before the adversarial phase" in warnings


def test_what_an_evaluation_warns_of_stands_in_reports(tmp_path: Path) -> None:
    arms = arms_of(tmp_path, {"checkpoint": END, "warnings": ["fid never moved"]})
    assert checkpoint_warnings(arms) == ["toy: fid never moved (seed 0)."]


def test_an_evaluation_with_other_settings_is_told(tmp_path: Path) -> None:
    asked = {"checkpoint": END, "notes": {"samples": 100, "overrides": "evaluation.samples=100"}}
    arms = arms_of(tmp_path, {"checkpoint": END, "notes": {"samples": 5000}}, asked)
    (line,) = checkpoint_warnings(arms)
    assert line == (
        "toy: last evaluated with evaluation.samples=100, not as configured; 'seqgan evaluate' "
        "without overrides measures it as configured (seed 1)."
    )
    assert "last evaluated with evaluation.samples=100" in render_report("toy", arms)


def test_effects_are_means_and_counts(tmp_path: Path) -> None:
    arms = arms_of(
        tmp_path,
        {"adversarial": effect(4.0, 6.0)},
        {"adversarial": effect(5.0, 6.5)},
        {"adversarial": effect(6.0, 5.5)},
    )
    (line,) = effect_lines(arms)
    assert line == (
        "toy, adversarial phase: nll_valid 5 → 6 (means; worse in 2 of 3, better in 1 of 3)"
    )
    assert line in render_report("toy", arms)


def test_one_run_needs_no_mean(tmp_path: Path) -> None:
    arms = arms_of(tmp_path, {"adversarial": effect("inf", 6.0)})
    assert effect_lines(arms) == ["toy, adversarial phase: nll_valid inf → 6 (better)"]


def test_nothing_is_said_of_runs_that_an_earlier_version_evaluated(tmp_path: Path) -> None:
    arms = arms_of(tmp_path, {})
    assert checkpoint_warnings(arms) == effect_lines(arms) == []


@pytest.mark.parametrize("damage", [{"checkpoint": {"step": 3}}, {"adversarial": {"before": "x"}}])
def test_a_damaged_outcome_is_one_line(damage: dict[str, Any], tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", reported=damage)
    with pytest.raises(UserError, match=r"evaluation.json: damaged .*seqgan evaluate"):
        read_run(path)
