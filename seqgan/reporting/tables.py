"""The comparison and the paired differences as tables of cells, and their terminal rendering.

Cells are made once, here; the terminal (`to_rich`) and the HTML report only lay them out.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table as RichTable
from rich.text import Text

from seqgan.core.errors import UserError, did_you_mean
from seqgan.reporting.runs import ABSENT, REAL_DATA, Arm, Run
from seqgan.reporting.statistics import (
    SEEDS_FOR_AN_INTERVAL,
    Summary,
    Value,
    paired_difference,
    summarise,
)

NULL_MARK = "∅ null"


@dataclass(frozen=True)
class Cell:
    """A mean as text, and its interval or the reason why there is none."""

    main: str
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One arm, or the real data."""

    name: str
    """The arm's name; empty for the real data."""
    label: str
    null: bool
    count: str
    """Runs or pairs that went into it: "3", or "2 of 3" where some runs are not finished."""
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """Arms by metrics."""

    title: str
    columns: list[str]
    rows: list[Row]
    note: str
    """How the intervals are to be read."""


def metric_names(arms: Iterable[Arm]) -> list[str]:
    """Every metric of the selected and the real-data rows, in order of appearance."""
    runs = [run for arm in arms for run in arm.finished]
    rows = [row for run in runs for row in (run.selected_row, run.real_row) if row]
    return list(dict.fromkeys(name for row in rows for name in row["metrics"]))


def comparison_table(arms: list[Arm], metrics: list[str]) -> Table:
    """Rows are arms, columns metrics, cells the mean over seeds; the real data come last."""
    summaries = [[summarise(arm.values_by_seed(m).values()) for m in metrics] for arm in arms]
    rows = [
        Row(arm.name, arm.label, arm.null, _finished_count(arm), [cell(s) for s in summary])
        for arm, summary in zip(arms, summaries, strict=True)
    ]
    note = _interval_note([s for summary in summaries for s in summary])
    return Table("Comparison", metrics, rows + _real_rows(arms, metrics), note)


def difference_table(arms: list[Arm], baseline: str, metrics: list[str]) -> Table:
    """Each arm minus the baseline arm, seed by seed. Raises `UserError` for an unknown arm."""
    by_name = {arm.name: arm for arm in arms}
    if baseline not in by_name:
        hint = did_you_mean(baseline, by_name) or ";"
        raise UserError(f"baseline={baseline!r}: no such arm{hint} arms: {', '.join(by_name)}")
    base = by_name[baseline]
    base_values = {metric: base.values_by_seed(metric) for metric in metrics}
    rows, summaries = [], []
    for arm in (arm for arm in arms if arm is not base):
        pairs = {run.seed for run in arm.finished} & {run.seed for run in base.finished}
        row = [paired_difference(arm.values_by_seed(m), base_values[m]) for m in metrics]
        cells = [cell(summary, signed=True) for summary in row]
        rows.append(Row(arm.name, arm.label, arm.null, str(len(pairs)), cells))
        summaries += row
    title = f"Paired difference to {base.label}"
    return Table(title, metrics, rows, _interval_note(summaries))


def cell(summary: Summary, signed: bool = False) -> Cell:
    """A summary as text; counts appear where values are missing or infinite."""
    if summary.mean is None:
        return Cell(ABSENT)
    if summary.kind == "infinite":
        return Cell(f"{summary.mean:g}", f"{summary.infinite} of {summary.total} not finite")
    counted = f"{summary.n} of {summary.total}" if summary.n < summary.total else ""
    parts = [part for part in (_interval(summary, signed), counted) if part]
    return Cell(format_number(summary.mean, signed), " · ".join(parts))


def _interval(summary: Summary, signed: bool) -> str:
    if summary.low is None or summary.high is None or summary.low == summary.high:
        return ""
    if summary.kind == "t95":
        return f"± {format_number((summary.high - summary.low) / 2)}"
    return f"[{format_number(summary.low, signed)}, {format_number(summary.high, signed)}]"


def format_number(value: float, signed: bool = False) -> str:
    """Four decimals for the usual size of a metric; fewer for large, exponents for tiny ones."""
    sign = "+" if signed else ""
    size = abs(value)
    if size >= 10_000:
        return f"{value:{sign}.4g}"
    if size >= 100:
        return f"{value:{sign}.1f}"
    if size >= 10:
        return f"{value:{sign}.3f}"
    if size >= 0.0005 or value == 0:
        return f"{value:{sign}.4f}"
    return f"{value:{sign}.1e}"


def _finished_count(arm: Arm) -> str:
    finished, started = len(arm.finished), len(arm.runs)
    return str(started) if finished == started else f"{finished} of {started}"


def _interval_note(summaries: list[Summary]) -> str:
    interval = f"mean ± half the 95 % t-interval ({SEEDS_FOR_AN_INTERVAL} seeds or more)"
    spread = f"mean and [minimum, maximum] (fewer than {SEEDS_FOR_AN_INTERVAL} seeds)"
    kinds = {summary.kind for summary in summaries}
    notes = [note for kind, note in (("t95", interval), ("range", spread)) if kind in kinds]
    return "; ".join(notes) or "single runs: no interval"


def _real_rows(arms: list[Arm], metrics: list[str]) -> list[Row]:
    """One row for each data configuration among the arms that measured its real data."""
    runs_by_data: dict[str, list[tuple[Arm, Run]]] = {}
    for arm in arms:
        for run in arm.finished:
            if run.real_row is not None:
                data = json.dumps(run.config.get("data"), sort_keys=True)
                runs_by_data.setdefault(data, []).append((arm, run))
    rows = []
    for members in runs_by_data.values():
        # Arms share their data: each seed counts once, or the interval would be too narrow.
        by_seed = {run.seed: run for _, run in reversed(members)}
        several = len(runs_by_data) > 1
        label = f"{REAL_DATA} ({members[0][0].label})" if several else REAL_DATA
        cells = [cell(summarise(_real_values(by_seed.values(), metric))) for metric in metrics]
        rows.append(Row("", label, False, str(len(by_seed)), cells))
    return rows


def _real_values(runs: Iterable[Run], metric: str) -> list[Value]:
    return [run.real_row["metrics"].get(metric) for run in runs if run.real_row is not None]


def to_rich(table: Table) -> RichTable:
    """Lay a table out for the terminal; `Text` keeps brackets in labels from being markup."""
    result = RichTable(title=Text(table.title), caption=Text(table.note))
    result.add_column("arm", overflow="fold")
    result.add_column("n", justify="right")
    for column in table.columns:
        result.add_column(Text(column), justify="right")
    for row in table.rows:
        label = Text(f"{row.label}\n{NULL_MARK}" if row.null else row.label)
        cells = [_rich_cell(c) for c in row.cells]
        result.add_row(label, row.count, *cells, style="dim" if row.null else None)
    return result


def _rich_cell(cell: Cell) -> Text:
    text = Text(cell.main)
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
