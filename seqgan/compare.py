"""`seqgan compare`: plan, run, then one table and one report. No torch in this process."""

from dataclasses import asdict
from pathlib import Path

from omegaconf import OmegaConf

from seqgan.core.errors import UserError, warn
from seqgan.core.lock import only_writer
from seqgan.core.metric_names import find
from seqgan.core.saved_files import write_json, write_text
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
    run_study,
    select_arms,
)


def compare_arms(
    path: Path,
    folder: Path | None,
    jobs: int,
    overrides: list[str],
    arms_wanted: list[str],
    seeds: list[int],
) -> tuple[Path, list[str]]:
    """Run what is missing of a study. Returns the report's path and a line for each failure.

    `arms_wanted` leaves out all other arms, `seeds` stand in for the study's; empty: as it says.
    """
    study = select_arms(load_study(path), arms_wanted, seeds, str(path))
    folder = folder or Path("runs") / study.name
    runs = plan(study, path, folder, overrides)
    for run in runs:
        is_finished(run)  # refuses a folder that holds another study, before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        return _run_and_report(study, runs, path, folder, jobs)


def _run_and_report(
    study: StudyConfig, runs: list[PlannedRun], path: Path, folder: Path, jobs: int
) -> tuple[Path, list[str]]:
    text = OmegaConf.to_yaml(OmegaConf.create(study.model_dump()))
    write_text(folder / "study.yaml", text)
    failures = run_study(runs, folder, jobs)
    arms = arms_of(study, runs)
    if not arms:
        raise UserError(f"{path}: no run could start; {failures[0]}")
    if study.baseline not in [arm.name for arm in arms]:  # it failed, and is among the failures
        study = study.model_copy(update={"baseline": None})
    recorded = metric_names(arms)
    metrics = [find(name, recorded) or name for name in study.metrics or recorded]
    _print_tables(study, arms, metrics)
    _write_summary(study, arms, folder)
    report = folder / "report.html"
    page = render_report(study.name, arms, study.baseline, metrics)
    write_text(report, page)
    return report, failures


def _print_tables(study: StudyConfig, arms: list[Arm], metrics: list[str]) -> None:
    console = table_console()
    console.print(to_rich(comparison_table(arms, metrics)))
    if study.baseline is not None:
        console.print(to_rich(difference_table(arms, study.baseline, metrics)))
    for line in effect_lines(arms):
        print(line)
    for line in (*data_warnings(arms), *checkpoint_warnings(arms)):
        warn(line)


def _write_summary(study: StudyConfig, arms: list[Arm], folder: Path) -> None:
    """comparison.json: every arm's summary of every metric, and its differences."""
    base = next((arm for arm in arms if arm.name == study.baseline), None)
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
