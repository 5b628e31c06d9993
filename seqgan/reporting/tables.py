"""The comparison and the paired differences as tables of cells, and their terminal rendering.

Cells are made once, here; the terminal (`to_rich`) and the HTML report only lay them out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table as RichTable
from rich.text import Text

from seqgan.core.config_diff import ABSENT
from seqgan.core.errors import UserError, did_you_mean
from seqgan.reporting.measured import by_data, data_marks
from seqgan.reporting.runs import REAL_DATA, SPENT, SPENT_REPORTED, SPENT_TOTAL, Arm
from seqgan.reporting.statistics import (
    SEEDS_FOR_AN_INTERVAL,
    Summary,
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
    data: str = ""
    """Mark of the data it was measured on; empty where all rows have the same."""


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


def budget_columns(arms: list[Arm], metrics: Iterable[str]) -> list[str]:
    """The metrics with `seconds` and its like spelt out: of the whole run, and up to the reported
    checkpoint where that is another number for some arm."""
    columns = []
    for metric in metrics:
        if metric not in SPENT:
            columns.append(metric)
            continue
        reported, total = SPENT_REPORTED[SPENT.index(metric)], SPENT_TOTAL[SPENT.index(metric)]
        same = all(arm.values_by_seed(reported) == arm.values_by_seed(total) for arm in arms)
        columns += [total] if same else [reported, total]
    return columns


def comparison_table(arms: list[Arm], metrics: list[str]) -> Table:
    """Rows are arms, columns metrics, cells the mean over seeds; behind the arms that share their
    data come these data themselves."""
    columns = budget_columns(arms, metrics)
    marks = data_marks(arms)
    rows: list[Row] = []
    summaries: list[Summary] = []
    for members in by_data(arms):
        for arm in members:
            summary = [summarise(arm.values_by_seed(name).values()) for name in columns]
            cells = [cell(s) for s in summary]
            mark = marks[arm.name]
            rows.append(Row(arm.name, arm.label, arm.null, _finished_count(arm), cells, mark))
            summaries += summary
        rows += _real_row(members, columns, marks[members[0].name])
    return Table("Comparison", columns, rows, _note(summaries, columns))


def difference_table(arms: list[Arm], baseline: str, metrics: list[str]) -> Table:
    """Each arm minus the baseline arm, seed by seed. Raises `UserError` for an unknown arm."""
    by_name = {arm.name: arm for arm in arms}
    if baseline not in by_name:
        hint = did_you_mean(baseline, by_name) or ";"
        raise UserError(f"baseline={baseline!r}: no such arm{hint} arms: {', '.join(by_name)}")
    base = by_name[baseline]
    columns = budget_columns(arms, metrics)
    base_values = {name: base.values_by_seed(name) for name in columns}
    marks = data_marks(arms)
    rows, summaries = [], []
    for arm in (arm for arm in arms if arm is not base):
        pairs = {run.seed for run in arm.finished} & {run.seed for run in base.finished}
        row = [paired_difference(arm.values_by_seed(name), base_values[name]) for name in columns]
        cells = [cell(summary, signed=True) for summary in row]
        mark = marks[arm.name]
        if mark != marks[base.name]:
            cells = [Cell(ABSENT, "other data")] * len(columns)
        rows.append(Row(arm.name, arm.label, arm.null, str(len(pairs)), cells, mark))
        summaries += row
    title = f"Paired difference to {base.label}"
    return Table(title, columns, rows, _note(summaries, columns))


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


def _note(summaries: list[Summary], columns: list[str]) -> str:
    """How to read the intervals, and what the columns of budgets count."""
    notes = [interval_note(summaries)]
    if not {*SPENT_REPORTED}.isdisjoint(columns):
        notes.append("_reported: up to the reported checkpoint, _total: in the whole run")
    elif not {*SPENT_TOTAL}.isdisjoint(columns):
        notes.append("_total: in the whole run, whose last checkpoint is the reported one")
    return "; ".join(notes)


def interval_note(summaries: list[Summary]) -> str:
    """How to read the intervals."""
    interval = f"mean ± half the 95 % t-interval ({SEEDS_FOR_AN_INTERVAL} seeds or more)"
    spread = f"mean and [minimum, maximum] (fewer than {SEEDS_FOR_AN_INTERVAL} seeds)"
    kinds = {summary.kind for summary in summaries}
    notes = [note for kind, note in (("t95", interval), ("range", spread)) if kind in kinds]
    return "; ".join(notes) or "single runs: no interval"


def _real_row(arms: list[Arm], columns: list[str], mark: str) -> list[Row]:
    """The data that these arms share, measured like a generator; none where no run did that."""
    runs = [run for arm in arms for run in arm.finished if run.real_row is not None]
    if not runs:
        return []
    # Arms share their data: each seed counts once, or the interval would be too narrow.
    by_seed = {run.seed: run for run in reversed(runs)}
    found = [run.real_row["metrics"] for run in by_seed.values() if run.real_row is not None]
    cells = [cell(summarise(metrics.get(name) for metrics in found)) for name in columns]
    return [Row("", REAL_DATA, False, str(len(by_seed)), cells, mark)]


def to_rich(table: Table) -> RichTable:
    """Lay a table out for the terminal; `Text` keeps brackets in labels from being markup."""
    result = RichTable(title=Text(table.title), caption=Text(table.note))
    result.add_column("arm", overflow="fold")
    result.add_column("n", justify="right")
    for column in table.columns:
        result.add_column(Text(column), justify="right")
    for row in table.rows:
        marks = [NULL_MARK] * row.null + [row.data] * bool(row.data)
        label = Text("\n".join([row.label, *marks]))
        cells = [_rich_cell(c) for c in row.cells]
        result.add_row(label, row.count, *cells, style="dim" if row.null else None)
    return result


def _rich_cell(cell: Cell) -> Text:
    text = Text(cell.main)
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
