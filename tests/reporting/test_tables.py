"""Cells of the comparison, the real-data row, paired differences, and the terminal rendering."""

import io

import pytest
from rich.console import Console
from synthetic_runs import CONFIG, decoding_row, estimator, write_run

from seqgan.core.errors import UserError
from seqgan.reporting.runs import Arm, read_run
from seqgan.reporting.statistics import summarise
from seqgan.reporting.tables import (
    cell,
    comparison_table,
    difference_table,
    format_number,
    metric_names,
    to_rich,
)
from seqgan.reporting.terminal import print_correction, table_console


def make_arm(folder, name, values, null=False, **options):
    """An arm with one run for each jsd; None stands for a run that is not finished."""
    runs = [
        read_run(write_run(folder / name / f"seed-{s}", s, v, finished=v is not None, **options))
        for s, v in enumerate(values)
    ]
    return Arm(name, name, null, runs)


def test_cells_hold_mean_and_range_below_five_seeds(tmp_path):
    table = comparison_table([make_arm(tmp_path, "loo", [0.1, 0.2, 0.6])], ["jsd"])
    row = table.rows[0]
    assert (row.count, row.cells[0].main, row.cells[0].detail) == (
        "3",
        "0.3000",
        "[0.1000, 0.6000]",
    )
    assert "fewer than 5 seeds" in table.note


def test_cells_hold_the_t_interval_from_five_seeds(tmp_path):
    table = comparison_table([make_arm(tmp_path, "loo", [1, 2, 3, 4, 5])], ["jsd"])
    assert table.rows[0].cells[0].detail == "± 1.9632"
    assert "t-interval" in table.note


def test_unfinished_runs_are_counted_and_left_out(tmp_path):
    row = comparison_table([make_arm(tmp_path, "loo", [0.2, None, 0.4])], ["jsd"]).rows[0]
    assert (row.count, row.cells[0].main) == ("2 of 3", "0.3000")


def test_real_data_come_last_and_count_each_seed_once(tmp_path):
    arms = [make_arm(tmp_path, name, [0.1, 0.2]) for name in ("a", "b")]
    table = comparison_table(arms, ["jsd", "nll_test"])
    assert [row.label for row in table.rows] == ["a", "b", "real data"]
    assert (table.rows[-1].count, table.rows[-1].cells[0].main) == ("2", "0.0010")
    assert table.rows[-1].cells[1].main == "–"


def test_arms_on_different_data_have_their_own_real_row(tmp_path):
    other = {"data": {"name": "text", "path": "other.txt"}}
    arms = [make_arm(tmp_path, "a", [0.1]), make_arm(tmp_path, "b", [0.1], config=other)]
    rows = comparison_table(arms, ["jsd"]).rows
    assert [(row.label, row.data) for row in rows] == [
        ("a", "data 1"), ("real data", "data 1"), ("b", "data 2"), ("real data", "data 2"),
    ]  # fmt: skip


def test_arms_on_one_test_set_share_a_real_row_however_they_were_trained(tmp_path):
    fresh = {"data": {**CONFIG["data"], "fresh": True}}
    arms = [make_arm(tmp_path, "a", [0.1]), make_arm(tmp_path, "b", [0.1], config=fresh)]
    rows = comparison_table(arms, ["jsd"]).rows
    assert [(row.label, row.data) for row in rows] == [("a", ""), ("b", ""), ("real data", "")]


def test_there_are_no_differences_between_arms_on_different_data(tmp_path):
    other = {"config": {"data": {"name": "text"}}}
    arms = [
        make_arm(tmp_path, "base", [0.1]),
        make_arm(tmp_path, "same", [0.3]),
        make_arm(tmp_path, "other", [0.3], **other),
    ]
    same, other_row = difference_table(arms, "base", ["jsd"]).rows
    assert (same.cells[0].main, same.data) == ("+0.2000", "data 1")
    assert (other_row.cells[0].main, other_row.cells[0].detail) == ("–", "other data")


def test_budgets_are_those_of_the_whole_run_and_up_to_the_reported_checkpoint(tmp_path):
    """The synthetic log ends at step 500 after 6 seconds and 512,000 tokens."""
    early = {"step": 200, "seconds": 2.5, "tokens": 200_000, "critic_calls": 75_000}
    arms = [make_arm(tmp_path, "early", [0.1], reported=early)]
    table = comparison_table(arms, ["jsd", "seconds", "tokens"])
    assert table.columns == [
        "jsd", "seconds_reported", "seconds_total", "tokens_reported", "tokens_total",
    ]  # fmt: skip
    assert [cell.main for cell in table.rows[0].cells[1:]] == [
        "2.5000", "6.0000", "2e+05", "5.12e+05",
    ]  # fmt: skip
    assert "_reported: up to the reported checkpoint, _total: in the whole run" in table.note


def test_one_column_of_a_budget_is_enough_where_every_arm_reports_its_last_checkpoint(tmp_path):
    table = comparison_table([make_arm(tmp_path, "last", [0.1])], ["jsd", "seconds"])
    assert table.columns == ["jsd", "seconds_total"]
    assert table.rows[0].cells[1].main == "25.000"
    assert "whose last checkpoint is the reported one" in table.note


def test_the_last_checkpoint_is_written_a_little_after_the_last_line_of_the_log(tmp_path):
    """Its clock has gone on by then: the whole run took no less than its reported part."""
    last = {"step": 500, "seconds": 6.001}
    table = comparison_table([make_arm(tmp_path, "last", [0.1], reported=last)], ["seconds"])
    assert table.columns == ["seconds_total"]
    assert table.rows[0].cells[0].main == "6.0010"


def test_infinite_and_missing_values_show_themselves():
    infinite, missing = cell(summarise([1.0, "inf", 2.0])), cell(summarise([None, None]))
    assert (infinite.main, infinite.detail) == ("inf", "1 of 3 not finite")
    assert (missing.main, missing.detail) == ("–", "")
    assert cell(summarise([1.0, 3.0, None])).detail == "[1.0000, 3.0000] · 2 of 3"


def test_paired_differences_to_the_baseline(tmp_path):
    arms = [make_arm(tmp_path, "base", [0.1, 0.5]), make_arm(tmp_path, "other", [0.2, 0.8, 9.0])]
    (row,) = difference_table(arms, "base", ["jsd"]).rows
    assert (row.label, row.count) == ("other", "2")
    assert (row.cells[0].main, row.cells[0].detail) == ("+0.2000", "[+0.1000, +0.3000]")


def test_an_unknown_baseline_is_refused(tmp_path):
    with pytest.raises(UserError, match="did you mean 'base'"):
        difference_table([make_arm(tmp_path, "base", [0.1])], "bass", ["jsd"])


def test_metric_names_keep_the_order_of_the_evaluation(tmp_path):
    assert metric_names([make_arm(tmp_path, "a", [0.1])]) == ["jsd", "nll_test"]


def test_terminal_table_marks_null_arms_and_takes_labels_literally(tmp_path):
    null = make_arm(
        tmp_path, "[bold]constant", [0.6], null=True, config=estimator(reward="constant")
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(to_rich(comparison_table([null], ["jsd"])))
    text = console.file.getvalue()
    assert "[bold]constant" in text
    assert "∅ null" in text
    assert "single runs" in text
    assert "0.6000" in text


def test_a_table_in_a_pipe_has_room_for_whole_rows(tmp_path, capsys):
    names = [f"a_long_name_of_a_metric_{number}" for number in range(20)]
    rows = [decoding_row(dict.fromkeys(names, 0.12345), selected=True)]
    table = comparison_table([make_arm(tmp_path, "an_arm", [0.1, 0.2], rows=rows)], names)
    table_console().print(to_rich(table))
    out = capsys.readouterr().out
    assert all(name in out for name in names)
    assert "an_arm" in out
    assert "…" not in out


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0000"), (0.0412, "0.0412"), (0.00004, "4.0e-05"), (-5.745, "-5.7450"),
     (51.25, "51.250"), (1234.5, "1234.5"), (1e6, "1e+06")],
)  # fmt: skip
def test_format_number(value, text):
    assert format_number(value) == text


def test_samples_in_a_file_stand_side_by_side_on_lines_of_common_width(capsys):
    line = " ".join(["word"] * 60)
    samples = {"generator": [line], "corrected (1 of 16)": [line]}
    print_correction({"samples": samples, "sentence": "the critic corrects nothing"})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(shown.count("word") for shown in lines) == 120


def test_samples_do_not_command_the_terminal(capsys):
    samples = {"generator": ["a \x1b[31mred word"], "policy gradient": ["b"]}
    print_correction({"samples": samples, "sentence": "the critic corrects nothing"})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[31mred word" in out
