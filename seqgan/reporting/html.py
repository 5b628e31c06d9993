"""The HTML report: one self-contained file, made from run folders only.

Autoescape is on, and only our own SVG is inserted as it is; pictures become data URIs.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seqgan.core.config_diff import ABSENT, config_diff
from seqgan.core.errors import UserError
from seqgan.core.progress import duration
from seqgan.core.saved_files import check_output, write_text
from seqgan.reporting.corrections import certificate_lines, correction_table
from seqgan.reporting.export import write_tables
from seqgan.reporting.frontier import frontier_table
from seqgan.reporting.measured import data_marks, data_warnings
from seqgan.reporting.outcomes import alarm_warnings, checkpoint_warnings, effect_lines
from seqgan.reporting.plots import arm_styles, curve_metrics, learning_curve, sweep_figures
from seqgan.reporting.runs import Arm, Run, arm_config, group_runs, read_run
from seqgan.reporting.spread import spread_figures
from seqgan.reporting.statistics import SEEDS_FOR_AN_INTERVAL
from seqgan.reporting.tables import (
    NULL_MARK,
    budget_columns,
    comparison_table,
    difference_table,
    metric_names,
)

SAMPLES_SHOWN = 8
STEPS_SHOWN = 16
PICTURE_BYTES = 6_000_000
"""What the pictures of a page may take, encoded; beyond it the progress is left out."""

SHEETS = {
    "samples": ("Samples", "Sampled at the end, unselected."),
    "interpolation": (
        "Interpolation",
        "Each row leads from one noise vector to another: a sudden change is a seam in what was "
        "learned, equal pictures are a collapse.",
    ),
    "latent": ("Plane of the latent space", "Noise varied evenly along two directions."),
    "sliders": (
        "Sliders",
        "One number of the noise a row, from -3 to 3; the others stay as they are.",
    ),
    "neighbours": (
        "Nearest training pictures",
        "Generated pictures above the training picture nearest to each: twins would be copies.",
    ),
    "translation": ("Translation", "Pictures of one kind, translated to the other and back."),
}
"""Sheets made at the end of a run, in the order of the page → title and note."""


@dataclass(frozen=True)
class _Picture:
    """A picture file and what to write around it."""

    path: Path
    title: str
    note: str = ""

    @property
    def uri(self) -> str:
        kind = self.path.suffix.removeprefix(".")
        return f"data:image/{kind};base64,{b64encode(self.path.read_bytes()).decode('ascii')}"


@dataclass(frozen=True)
class _Gallery:
    """The pictures of an arm, all of one run."""

    arm: Arm
    seed: int
    sheets: list[_Picture]
    animation: list[_Picture]
    """One, or none."""
    steps: list[_Picture]


def render_report(
    title: str,
    arms: list[Arm],
    baseline: str | None = None,
    primary_metrics: list[str] | None = None,
) -> str:
    """The report as HTML. `baseline` names an arm; without `primary_metrics` all are headline."""
    recorded = metric_names(arms)
    primary = primary_metrics or recorded
    others = [metric for metric in recorded if metric not in primary]
    curves = curve_metrics(arms)
    ordered = [m for m in primary if m in curves] + [m for m in curves if m not in primary]
    differences = difference_table(arms, baseline, primary) if baseline else None
    runs = [run for arm in arms for run in arm.runs]
    galleries, pictures_note = _within_budget(_galleries(arms))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=title,
        arms=arms,
        styles=arm_styles(arms),
        data_marks=data_marks(arms),
        null_mark=NULL_MARK,
        summary_line=_summary_line(arms),
        warnings=_warnings(arms, recorded, primary),
        headline=comparison_table(arms, primary),
        differences=differences,
        other_metrics=comparison_table(arms, others) if others else None,
        measured=_distinct(runs, _measured),
        selection_rules=_distinct(runs, _selection_rule),
        effects=effect_lines(arms),
        corrections=correction_table(arms, primary),
        certificates=certificate_lines(arms),
        spreads=spread_figures(arms, primary),
        curves=[learning_curve(arms, metric) for metric in ordered],
        sweeps=sweep_figures(arms),
        frontier=frontier_table(arms),
        samples=[(a, texts) for a in arms if (texts := _samples(a)) or not _picture_run(a)],
        galleries=galleries,
        pictures_note=pictures_note,
        diff=config_diff([arm_config(arm.runs[0]) for arm in arms]),
        environment=_environment(runs),
        run_counts=_run_counts,
    )


def write_report(runs: list[Path], output: Path) -> None:
    """Report on any run folders: runs that differ in their seed only become one arm. The table of
    results is written beside the page too, as CSV and LaTeX."""
    if not runs:
        raise UserError("no run to report on; name at least one run folder")
    check_output(output)
    arms = group_runs([read_run(path) for path in runs])
    title = arms[0].label if len(arms) == 1 else f"Comparison of {len(arms)} arms"
    write_text(output, render_report(title, arms))
    write_tables(comparison_table(arms, metric_names(arms)), output)


def _summary_line(arms: list[Arm]) -> str:
    runs = list({run.path: run for arm in arms for run in arm.runs}.values())
    seeds = {run.seed for run in runs}
    seconds = sum(run.last_line.get("seconds", 0) for run in runs)
    parts = [
        _plural(len(arms), "arm"),
        _plural(len(runs), "run"),
        _plural(len(seeds), "seed"),
        f"{duration(seconds)} of training in all",
    ]
    started = min((str(run.info["started"]) for run in runs if run.info.get("started")), default="")
    return " · ".join(parts + ([f"started {started}"] if started else []))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _warnings(arms: list[Arm], recorded: list[str], primary: list[str]) -> list[str]:
    """What a reader must know before believing a number, worst first."""
    runs = [run for arm in arms for run in arm.runs]
    return [
        *_unfinished(arms),
        *_seed_warnings(arms),
        *data_warnings(arms),
        *checkpoint_warnings(arms),
        *alarm_warnings(arms),
        *_mixed_arms(arms),
        *_differing(runs, "selection rule", _selection_rule),
        *_differing(runs, "hardware", partial(_info, key="hardware")),
        *_differing(runs, "torch version", partial(_info, key="torch")),
        *_differing(runs, "git revision", _revision),
        *(
            f"{metric}: recorded by no finished run. Recorded: {', '.join(recorded) or 'nothing'}."
            for metric in budget_columns(arms, primary)
            if metric not in recorded
            and all(v is None for arm in arms for v in arm.values_by_seed(metric).values())
        ),
    ]


def _unfinished(arms: list[Arm]) -> list[str]:
    return [
        f"{arm.label}, seed {run.seed}: not finished (last line at step "
        f"{run.last_line.get('step', 0)}); it is left out of the results."
        for arm in arms
        for run in arm.runs
        if not run.finished
    ]


def _seed_warnings(arms: list[Arm]) -> list[str]:
    warnings = []
    fewest = min(len(arm.finished) for arm in arms)
    if fewest < SEEDS_FOR_AN_INTERVAL:
        warnings.append(
            f"Fewer than {SEEDS_FOR_AN_INTERVAL} finished seeds in an arm (fewest: {fewest}): "
            "such arms show ranges, not confidence intervals."
        )
    if len({frozenset(run.seed for run in arm.runs) for arm in arms}) > 1:
        warnings.append("Arms differ in their seeds: pairs exist for the common seeds only.")
    return warnings


def _mixed_arms(arms: list[Arm]) -> list[str]:
    diffs = {arm.label: config_diff([arm_config(run) for run in arm.runs]) for arm in arms}
    return [
        f"{label}: its runs differ in more than the seed: {', '.join(diff)}."
        for label, diff in diffs.items()
        if diff
    ]


def _differing(runs: list[Run], what: str, describe: Callable[[Run], str]) -> list[str]:
    values = _distinct(runs, describe)
    return [f"Runs differ in {what}: {'; '.join(values)}."] if len(values) > 1 else []


def _distinct(runs: Iterable[Run], describe: Callable[[Run], str]) -> list[str]:
    return list(dict.fromkeys(text for run in runs if (text := describe(run))))


def _info(run: Run, key: str) -> str:
    value = run.info.get(key)
    return "" if value is None else str(value)


def _revision(run: Run) -> str:
    revision = _info(run, "git_revision")[:12]
    return f"{revision} with uncommitted changes" if run.info.get("git_dirty") else revision


def _selection_rule(run: Run) -> str:
    """In words, from the final evaluation; empty for a run that is not finished."""
    if run.final is None:
        return ""
    rule = run.final.get("selection") or {}
    metric = rule.get("metric")
    if metric is None:
        return "the last checkpoint"
    extreme = "largest" if rule.get("mode") == "max" else "smallest"
    return f"the {extreme} {metric} on validation data"


def _measured(run: Run) -> str:
    """Split, decoding and notes of the final evaluation."""
    if run.final is None:
        return ""
    row = run.selected_row or {}
    settings = {"temperature": row.get("temperature"), "top-p": row.get("top_p")}
    facts = settings | (run.final.get("notes") or {})
    parts = [f"{name} {value}" for name, value in facts.items() if value is not None]
    return ", ".join([f"{run.final.get('split', 'unknown')} split", *parts])


def _samples(arm: Arm) -> list[str]:
    found = (run.samples[:SAMPLES_SHOWN] for run in (*arm.finished, *arm.runs) if run.samples)
    return next(found, [])


def _picture_run(arm: Arm) -> Run | None:
    """The first run that has pictures, finished ones first; none in an arm of text."""
    return next((run for run in (*arm.finished, *arm.runs) if run.pictures), None)


def _galleries(arms: list[Arm]) -> list[_Gallery]:
    sources = ((arm, _picture_run(arm)) for arm in arms)
    return [_gallery(arm, run) for arm, run in sources if run is not None]


def _gallery(arm: Arm, run: Run) -> _Gallery:
    found = run.pictures
    sheets = [_Picture(found.sheets[n], *about) for n, about in SHEETS.items() if n in found.sheets]
    steps = [_Picture(path, f"Update {updates:,}") for updates, path in found.steps.items()]
    if steps and "samples" not in found.sheets:
        newest = replace(steps.pop(), note="The newest sheet of this run, unselected.")
        sheets.insert(0, newest)
    animation = [_Picture(found.animation, "Progress")] if found.animation else []
    return _Gallery(arm, run.seed, sheets, animation, _spread(steps, STEPS_SHOWN))


def _spread(pictures: list[_Picture], most: int) -> list[_Picture]:
    """At most so many of them, evenly, with the first and the last."""
    if len(pictures) <= most:
        return pictures
    return [pictures[i * (len(pictures) - 1) // (most - 1)] for i in range(most)]


def _within_budget(galleries: list[_Gallery]) -> tuple[list[_Gallery], str]:
    """What fits on the page, and a note on what does not: sheets always do, steps come last."""
    size = _encoded_size(picture for gallery in galleries for picture in gallery.sheets)
    left_out = []
    animations = _encoded_size(picture for gallery in galleries for picture in gallery.animation)
    if animations and size + animations > PICTURE_BYTES:
        galleries = [replace(gallery, animation=[]) for gallery in galleries]
        left_out.append("animations (samples/progress.gif)")
    else:
        size += animations
    steps = _encoded_size(picture for gallery in galleries for picture in gallery.steps)
    if steps and size + steps > PICTURE_BYTES:
        galleries = [replace(gallery, steps=[]) for gallery in galleries]
        left_out.append("sheets of single moments (samples/updates-*.png)")
    limit = f"{PICTURE_BYTES / 1e6:g} MB"
    reason = f"Left out to keep the pictures of this page under {limit}, see the run folders"
    return galleries, f"{reason}: {', '.join(left_out)}." if left_out else ""


def _encoded_size(pictures: Iterable[_Picture]) -> int:
    return sum(picture.path.stat().st_size * 4 // 3 for picture in pictures)


def _environment(runs: list[Run]) -> dict[str, list[str]]:
    """What the runs ran on → its distinct values."""
    keys = ("hardware", "device", "threads", "torch", "numpy", "python", "seqgan")
    values = {key: _distinct(runs, partial(_info, key=key)) for key in keys}
    values["git revision"] = _distinct(runs, _revision)
    return {name: distinct for name, distinct in values.items() if distinct}


def _run_counts(run: Run) -> list[str]:
    """The numbers of a line of "how it was run"."""
    line = run.last_line
    names = ("step", "generator_updates", "critic_updates", "tokens", "critic_calls")
    counts = [(run.final or {}).get("step"), *(line.get(name) for name in names)]
    seconds = f"{line['seconds']:.1f}" if "seconds" in line else ABSENT
    return [*(ABSENT if count is None else f"{count:,}" for count in counts), seconds]
