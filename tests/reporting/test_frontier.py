"""Hypervolumes by hand and by counting, and the table of them."""

import random
from math import log

import pytest
from synthetic_runs import decoding_row, write_run
from test_tables import make_arm

from seqgan.reporting.frontier import frontier_table, hypervolume
from seqgan.reporting.html import render_report
from seqgan.reporting.runs import Arm, read_run


def test_hypervolume_by_hand():
    assert hypervolume([(2, 3)], (0, 0)) == 6
    assert hypervolume([(2, 3), (4, 1)], (0, 0)) == 6 + 2
    assert hypervolume([(4, 1), (2, 3), (1, 2), (2, 3)], (0, 0)) == 8, "dominated and equal points"
    assert hypervolume([(2, 3), (4, 1)], (1, -1)) == 1 * 4 + 2 * 2
    assert hypervolume([(-1, 5), (5, -1)], (0, 0)) == 0, "worse than the worst in one of the two"
    assert hypervolume([], (0, 0)) == 0


def test_hypervolume_by_counting():
    rng = random.Random(0)
    points = [(rng.randint(1, 20), rng.randint(1, 20)) for _ in range(12)]
    cells = sum(any(x > i and y > j for x, y in points) for i in range(20) for j in range(20))
    assert hypervolume(points, (0, 0)) == cells


def swept(folder, shift=0.0, **options):
    rows = [
        decoding_row({"bleu_4": 0.6 + shift, "self_bleu_4": 0.8}, 0.5),
        decoding_row({"bleu_4": 0.3 + shift, "self_bleu_4": 0.4}, 1.0, selected=True),
    ]
    for row, (score, reverse) in zip(rows, ((2.0, 3.5), (3.0, 3.0)), strict=True):
        row["metrics"] |= {"lm_score@trigram": score, "reverse_lm_score@trigram": reverse}
    return write_run(folder, rows=rows, files={"space.json": {"vocab_size": 403}}, **options)


def test_the_table_has_a_row_for_each_arm(tmp_path):
    runs = [read_run(swept(tmp_path / str(seed), seed * 0.1, seed=seed)) for seed in (0, 1)]
    arms = [Arm("swept", "swept", False, runs), make_arm(tmp_path, "plain", [0.1])]
    table = frontier_table(arms)
    bleu, scores = table.rows[0].cells
    first = 0.6 * 0.2 + 0.3 * 0.4
    assert float(bleu.main) == pytest.approx(first + 0.1 * 0.6 / 2, abs=1e-4)
    worst = log(403)
    by_hand = (worst - 2) * (worst - 3.5) + (worst - 3) * 0.5
    assert float(scores.main) == pytest.approx(by_hand, abs=1e-3), "from what guessing costs"
    assert [cell.main for cell in table.rows[1].cells] == ["–", "–"]
    assert "Hypervolume: the area" in render_report("title", arms)


def test_one_setting_is_no_frontier(tmp_path):
    rows = [decoding_row({"bleu_4": 0.5, "self_bleu_4": 0.5})]
    assert frontier_table([make_arm(tmp_path, "one", [0.1], rows=rows)]) is None
