"""Boxes of settings: which arms are in which box, and what the line below says."""

import pytest
from synthetic_runs import write_run

from seqgan.reporting.html import render_report
from seqgan.reporting.runs import Arm, read_run
from seqgan.reporting.spread import settings_by_group, spread_figures, spread_line


def arm(folder, name, group, *values):
    paths = [
        write_run(folder / name / f"seed-{seed}", seed, jsd=value)
        for seed, value in enumerate(values)
    ]
    return Arm(name, name, False, [read_run(path) for path in paths], group)


@pytest.fixture
def arms(tmp_path):
    """Groups whose settings are .04 and .2 apart; a setting that failed, and an arm of no group."""
    return [
        arm(tmp_path, "a1", "A", 0.1, 0.3),
        arm(tmp_path, "a2", "A", 0.24),
        arm(tmp_path, "b1", "<B>", 0.5),
        arm(tmp_path, "b2", "<B>", 0.7, 0.7),
        arm(tmp_path, "b3", "<B>", None),
        arm(tmp_path, "alone", "", 0.9),
    ]


def test_points_are_means_of_settings(arms):
    found = settings_by_group(arms, "jsd")
    assert found == {"A": [pytest.approx(0.2), 0.24], "<B>": [0.5, pytest.approx(0.7)]}


def test_the_line_compares_settings_with_groups(arms):
    """Within .04 and .2, median .12; medians .22 and .6."""
    line = spread_line(settings_by_group(arms, "jsd"))
    assert "of a group 0.12 " in line
    assert line.endswith("at its median, 0.38.")


def test_a_report_has_boxes_where_two_groups_have_settings(arms):
    page = render_report("toy", arms, primary_metrics=["jsd"])
    assert 'id="spread"' in page
    assert "<B>" not in page
    (figure,) = spread_figures(arms, ["jsd", "absent"])
    assert figure.title == "jsd"
    assert figure.svg.startswith("<svg")
    assert spread_figures(arms, ["jsd"])[0].svg == figure.svg
    for fewer in (arms[:2], [arms[0], arms[2], arms[5]], [arms[5]]):
        assert spread_figures(fewer, ["jsd"]) == []
        assert 'id="spread"' not in render_report("toy", fewer, primary_metrics=["jsd"])
