"""Means and intervals against closed forms, and honesty about missing and infinite values."""

import math

import pytest

from seqgan.reporting.statistics import mean, paired_difference, sample_sd, summarise


def test_mean_and_sample_sd():
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert sample_sd([1.0, 2.0, 6.0]) == pytest.approx(math.sqrt(7))


def test_t_interval_of_one_to_five():
    """1..5: sd = √2.5, standard error = √0.5, t(0.975, 4) = 2.7764451 (printed tables)."""
    summary = summarise([1, 2, 3, 4, 5])
    half = 2.7764451052 * math.sqrt(0.5)
    assert (summary.kind, summary.n, summary.mean) == ("t95", 5, 3)
    assert summary.low == pytest.approx(3 - half, abs=1e-9)
    assert summary.high == pytest.approx(3 + half, abs=1e-9)


def test_fewer_than_five_seeds_show_the_range():
    summary = summarise([0.1, 0.4, 0.2, 0.3])
    assert (summary.kind, summary.low, summary.high) == ("range", 0.1, 0.4)
    assert summary.mean == pytest.approx(0.25)


def test_a_single_value_has_no_interval():
    summary = summarise([0.5])
    assert (summary.kind, summary.mean, summary.low, summary.high) == ("single", 0.5, None, None)


def test_missing_values_are_left_out_and_counted():
    summary = summarise([1.0, None, 3.0, float("nan")])
    assert (summary.mean, summary.n, summary.total, summary.kind) == (2.0, 2, 4, "range")


def test_missing_values_can_cost_the_t_interval():
    assert summarise([1, 2, 3, 4, None]).kind == "range"


def test_one_infinite_value_makes_the_mean_infinite():
    summary = summarise([1.0, "inf", 3.0])
    assert summary.mean == math.inf
    assert (summary.kind, summary.infinite, summary.n, summary.low) == ("infinite", 1, 2, None)


@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_to_summarise(values):
    summary = summarise(values)
    assert (summary.mean, summary.n, summary.kind) == (None, 0, "missing")


def test_paired_difference_uses_common_seeds_only():
    """The shift of seeds 0 and 1 is 0.5 each; unpaired means would say 0.5 - 100/3."""
    arm, baseline = {0: 1.0, 1: 11.0, 7: 0.0}, {0: 0.5, 1: 10.5, 2: 100.0}
    summary = paired_difference(arm, baseline)
    assert (summary.mean, summary.low, summary.high, summary.n) == (0.5, 0.5, 0.5, 2)


def test_paired_difference_has_the_sign_of_arm_minus_baseline():
    assert paired_difference({0: 1.0}, {0: 3.0}).mean == -2.0


def test_difference_of_two_infinities_is_missing():
    summary = paired_difference({0: "inf", 1: 2.0}, {0: "inf", 1: 1.0})
    assert (summary.mean, summary.n, summary.total) == (1.0, 1, 2)
