"""Tables for spreadsheets and papers: CSV, and LaTeX with the package booktabs."""

import csv
import io
from pathlib import Path

from seqgan.core.saved_files import write_text
from seqgan.reporting.tables import NULL_MARK, Row, Table

_LATEX = {character: rf"\{character}" for character in "#$%&_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "--",
    "–": "--",
    "∅": r"$\emptyset$",
}


def write_tables(table: Table, stem: Path) -> None:
    """`stem`.csv and `stem`.tex."""
    write_text(stem.with_suffix(".csv"), to_csv(table))
    write_text(stem.with_suffix(".tex"), to_latex(table))


def to_csv(table: Table) -> str:
    """A line for each row; behind each metric stands its interval."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    headers = [header for name in table.columns for header in (name, f"{name} interval")]
    writer.writerow(["arm", "n", *headers])
    for row in table.rows:
        cells = [text for cell in row.cells for text in (cell.main, cell.detail)]
        writer.writerow([_label(row), row.count, *cells])
    return stream.getvalue()


def to_latex(table: Table) -> str:
    """A `tabular`, to be put into a document by \\input."""
    lines = [
        rf"% {_escaped(table.note)}",
        rf"\begin{{tabular}}{{l{'r' * (1 + len(table.columns))}}}",
        r"\toprule",
        _line(["arm", "n", *table.columns]),
        r"\midrule",
    ]
    for row in table.rows:
        if not row.name:  # real data
            lines.append(r"\midrule")
        cells = [" ".join(filter(None, (cell.main, cell.detail))) for cell in row.cells]
        lines.append(_line([_label(row), row.count, *cells]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _label(row: Row) -> str:
    return " ".join([row.label, *[NULL_MARK] * row.null, *[row.data] * bool(row.data)])


def _line(cells: list[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
