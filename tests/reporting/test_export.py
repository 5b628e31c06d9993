"""The table of results as CSV and LaTeX."""

import csv
import io

from synthetic_runs import write_run
from test_tables import make_arm

from seqgan.cli import run
from seqgan.reporting.export import to_csv, to_latex
from seqgan.reporting.tables import Cell, Row, Table, comparison_table


def test_csv_has_what_the_table_has(tmp_path):
    arms = [make_arm(tmp_path, "a", [0.1, 0.2, 0.6]), make_arm(tmp_path, "n, x", [0.3], null=True)]
    header, *rows = csv.reader(io.StringIO(to_csv(comparison_table(arms, ["jsd"]))))
    assert header == ["arm", "n", "jsd", "jsd interval"]
    assert rows[0] == ["a", "3", "0.3000", "[0.1000, 0.6000]"]
    assert rows[1] == ["n, x ∅ null", "1", "0.3000", ""]
    assert rows[2][0] == "real data"


def test_latex_escapes_what_tex_would_read():
    cells = [Cell("0.5000", "± 0.0100"), Cell("–")]
    rows = [Row("x", r"50%_a&b {\x} #1 ~^$", True, "2 of 3", cells)]
    rows.append(Row("", "real data", False, "1", [Cell("0"), Cell("1")], "data 1"))
    text = to_latex(Table("title", ["nll_test", "fed@lm-1"], rows, "mean ± half"))
    assert r"\begin{tabular}{lrrr}" in text
    assert r"arm & n & nll\_test & fed@lm-1 \\" in text
    label = r"50\%\_a\&b \{\textbackslash{}x\} \#1 \textasciitilde{}\textasciicircum{}\$"
    assert rf"{label} $\emptyset$ null & 2 of 3 & 0.5000 $\pm$ 0.0100 & -- \\" in text
    assert "\\midrule\nreal data data 1 & 1 & 0 & 1 \\\\" in text
    assert text.count(r"\midrule") == 2


def test_a_report_writes_them_beside_itself(tmp_path):
    write_run(tmp_path / "run")
    assert run(["report", str(tmp_path / "run"), "-o", str(tmp_path / "page.html")]) == 0
    assert "real data" in (tmp_path / "page.csv").read_text()
    assert r"\end{tabular}" in (tmp_path / "page.tex").read_text()
