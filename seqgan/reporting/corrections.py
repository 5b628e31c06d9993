"""What critics are worth as corrections of their generators, from final evaluations."""

from collections.abc import Iterable

from seqgan.core.plain import JsonObject
from seqgan.core.reported import OTHER_WRITERS
from seqgan.reporting.runs import Arm, Run
from seqgan.reporting.statistics import Summary, Value, summarise
from seqgan.reporting.tables import Row, Table, cell, interval_note


def certificate_lines(arms: Iterable[Arm]) -> list[str]:
    """The sentence of each run whose critic has a certificate."""
    return [
        f"{arm.label}, seed {run.seed}: {sentence}"
        for arm in arms
        for run in arm.finished
        if (sentence := _correction(run).get("sentence"))
    ]


def correction_table(arms: Iterable[Arm], metrics: list[str]) -> Table | None:
    """The generator of each arm, then what else writes there: corrected, distilled, by policy
    gradient. None where nothing else does."""
    rows: list[Row] = []
    summaries: list[Summary] = []
    for arm in arms:
        labels = list(dict.fromkeys(label for run in arm.finished for label in _writers(run)))
        for label in ["", *labels] if labels else []:
            found = [_metrics(run, label) for run in arm.finished]
            summary = [summarise(_values(found, name)) for name in metrics]
            name = f"{arm.label}: {label or 'generator'}"
            count = str(len(arm.finished))
            rows.append(Row(arm.name, name, arm.null, count, [cell(s) for s in summary]))
            summaries += summary
    note = interval_note(summaries)
    return Table("What the critic is worth", metrics, rows, note) if rows else None


def _correction(run: Run) -> JsonObject:
    found = (run.final or {}).get("correction")
    return found if isinstance(found, dict) else {}


def _writers(run: Run) -> list[str]:
    """Labels of the rows beside the generator's."""
    known = {*OTHER_WRITERS.values(), *(_correction(run).get("samples") or {})}
    return [row["label"] for row in run.decoding_rows if row.get("label") in known]


def _metrics(run: Run, label: str) -> JsonObject:
    """The metrics of a row; without a label those of the generator."""
    if not label:
        return (run.selected_row or {}).get("metrics", {})
    rows = (row for row in run.decoding_rows if row.get("label") == label)
    return next((row["metrics"] for row in rows), {})


def _values(found: list[JsonObject], name: str) -> list[Value]:
    return [metrics.get(name) for metrics in found]
