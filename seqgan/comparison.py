"""`seqgan compare`: plan, run, then one table and one report. No torch in this process."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from seqgan.core.errors import UserError, as_path, refuse_string, warn
from seqgan.core.lock import only_writer
from seqgan.core.metric_names import find
from seqgan.core.saved_files import write_json, write_text
from seqgan.core.yaml_text import format_yaml
from seqgan.reporting.export import write_tables
from seqgan.reporting.html import render_report
from seqgan.reporting.measured import data_warnings
from seqgan.reporting.outcomes import checkpoint_warnings, effect_lines
from seqgan.reporting.runs import SPENT_REPORTED, SPENT_TOTAL, Arm
from seqgan.reporting.statistics import paired_difference, summarise
from seqgan.reporting.tables import (
    comparison_table,
    difference_table,
    metric_names,
    to_rich,
)
from seqgan.reporting.terminal import table_console
from seqgan.study import (
    PlannedRun,
    StudyConfig,
    arms_of,
    is_finished,
    load_study,
    plan,
    run_done,
    run_study,
    select_arms,
    unmeasured,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a study."""

    report: Path
    """report.html; beside it stand comparison.json, and table.csv and table.tex of its results."""
    failures: list[str]
    """One line for each run that failed."""
    arms: list[Arm]
    baseline: str | None
    """The arm that differences are taken to; None where there is none, or it has no run."""
    metrics: list[str]


def compare(
    study: Path | str,
    folder: Path | str | None = None,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Comparison:
    """Run what is missing of the study in a file, `jobs` runs side by side, and write its report.

    `folder` defaults to runs/<name of the study>; `overrides` (`["train.batch_size=8"]`) hold in
    every arm. `arms` leaves out all others, `seeds` stand in for the study's; empty: as it says.
    Raises `UserError` for what cannot be run, before anything is written.
    """
    refuse_string(overrides, "overrides")
    refuse_string(arms, "arms")
    if jobs < 1:
        raise UserError(f"jobs={jobs}: must be at least 1")
    path = as_path(study, "study", "the file of a study, as in seqgan.compare('study.yaml')")
    chosen = select_arms(load_study(path), list(arms), list(seeds), str(path))
    folder = Path("runs") / chosen.name if folder is None else Path(folder)
    runs = plan(chosen, path, folder, list(overrides))
    for run in runs:
        is_finished(run)  # refuses a folder that holds another study, before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        return _run_and_report(chosen, runs, path, folder, jobs)


def _run_and_report(
    study: StudyConfig, runs: list[PlannedRun], path: Path, folder: Path, jobs: int
) -> Comparison:
    text = format_yaml(study.model_dump())
    write_text(folder / "study.yaml", text)
    told = False

    def tell_unmeasured(at_the_end: bool = False) -> None:
        """Once, as soon as every arm has a finished run, long before the study's end."""
        nonlocal told
        done = [run for run in runs if run_done(run)]
        if told or not (at_the_end or {run.arm for run in done} == {run.arm for run in runs}):
            return
        told = True
        for line in unmeasured(study, arms_of(study, done)):
            warn(f"{path}: {line}")

    failures = run_study(runs, folder, jobs, tell_unmeasured)
    tell_unmeasured(at_the_end=True)
    arms = arms_of(study, runs)
    if not arms:
        raise UserError(f"{path}: no run could start; {failures[0]}")
    # A baseline that failed is among the failures.
    baseline = study.baseline if study.baseline in [arm.name for arm in arms] else None
    recorded = metric_names(arms)
    metrics = [find(name, recorded) or name for name in study.metrics or recorded]
    _write_summary(arms, baseline, folder)
    report = folder / "report.html"
    write_text(report, render_report(study.name, arms, baseline, metrics))
    write_tables(comparison_table(arms, metrics), folder / "table")
    return Comparison(report, failures, arms, baseline, metrics)


def print_comparison(done: Comparison) -> None:
    """The table of all arms and that of the differences to the baseline, and what to know."""
    console = table_console()
    console.print(to_rich(comparison_table(done.arms, done.metrics)))
    if done.baseline is not None:
        console.print(to_rich(difference_table(done.arms, done.baseline, done.metrics)))
    for line in effect_lines(done.arms):
        print(line)
    for line in (*data_warnings(done.arms), *checkpoint_warnings(done.arms)):
        warn(line)


def _write_summary(arms: list[Arm], baseline: str | None, folder: Path) -> None:
    """comparison.json: every arm's summary of every metric, and its differences."""
    base = next((arm for arm in arms if arm.name == baseline), None)
    summary = {}
    for arm in arms:
        entry = {}
        for metric in (*metric_names(arms), *SPENT_REPORTED, *SPENT_TOTAL):
            values = arm.values_by_seed(metric)
            entry[metric] = {"values": values, **asdict(summarise(values.values()))}
            if base is not None and arm is not base:
                difference = paired_difference(values, base.values_by_seed(metric))
                entry[metric]["difference"] = asdict(difference)
        reported = {run.seed: run.checkpoint for run in arm.finished if run.checkpoint is not None}
        effects = {run.seed: run.effect for run in arm.finished if run.effect is not None}
        summary[arm.name] = {
            "null": arm.null,
            "metrics": entry,
            "checkpoints": {seed: asdict(checkpoint) for seed, checkpoint in reported.items()},
            "adversarial": {seed: asdict(effect) for seed, effect in effects.items()},
        }
    write_json(folder / "comparison.json", summary)
