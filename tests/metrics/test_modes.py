"""Counting modes: hand-made sets of points, and the real mixture."""

from math import exp, inf, log

import pytest
import torch

from seqgan.metrics.modes import class_coverage, mode_coverage

CENTRES = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])


def at(*counts):
    """So many points exactly at each centre."""
    return CENTRES.repeat_interleave(torch.tensor(counts), 0)


def test_modes_need_enough_points():
    assert mode_coverage(at(20, 19, 30, 0), CENTRES, 1)["modes"] == 2
    assert mode_coverage(at(20, 19, 30, 0), CENTRES, 1, least=19)["modes"] == 3


def test_three_standard_deviations_and_not_more():
    x = torch.tensor([[2.9, 0], [3.1, 0], [2.5, 2.5], [10, 12.9]])
    assert mode_coverage(x, CENTRES, 1, least=1) == {
        "modes": 2,
        "high_quality": 0.5,
        "mode_kl": pytest.approx(log(4 / 2)),
    }
    assert mode_coverage(x, CENTRES, 2, least=1)["high_quality"] == 1


def test_points_belong_to_the_nearest_centre():
    """Within 3 σ of two centres, a point counts once."""
    found = mode_coverage(torch.tensor([[4.0, 0]]).repeat(30, 1), CENTRES, 3)
    assert found == {"modes": 1, "high_quality": 1, "mode_kl": pytest.approx(log(4))}


def test_kl_by_hand_and_only_of_good_points():
    """Shares ½, ¼, ¼, 0: log 4 − (½ log 2 + ½ log 4). Smears do not count."""
    points = torch.cat([at(20, 10, 10, 0), torch.full((60, 2), 5.0)])
    found = mode_coverage(points, CENTRES, 1, least=1)
    assert found["mode_kl"] == pytest.approx(log(4) - 0.5 * log(2) - 0.5 * log(4))
    assert found["high_quality"] == pytest.approx(0.4)
    assert mode_coverage(at(7, 7, 7, 7), CENTRES, 1)["mode_kl"] == pytest.approx(0, abs=1e-12)


def test_nothing_good():
    found = mode_coverage(torch.full((60, 2), 5.0), CENTRES, 1)
    assert found == {"modes": 0, "high_quality": 0, "mode_kl": inf}


def test_the_real_mixture():
    """e^−4.5 of a Gaussian in the plane lies outside 3 σ."""
    stream = torch.Generator().manual_seed(0)
    noise = torch.randn(40_000, 2, generator=stream)
    found = mode_coverage(CENTRES.repeat(10_000, 1) + 0.5 * noise, CENTRES, 0.5)
    assert found["modes"] == 4
    assert found["high_quality"] == pytest.approx(1 - exp(-4.5), abs=0.002)
    assert found["mode_kl"] < 1e-4


def test_classes_by_hand():
    """Shares ½, ¼, ¼, 0 of four classes."""
    found = class_coverage(torch.tensor([0, 0, 1, 2]), 4)
    assert found == {"modes": 3, "mode_kl": pytest.approx(log(4) - 1.5 * log(2))}
    assert class_coverage(torch.arange(4), 4) == {"modes": 4, "mode_kl": 0}
    assert class_coverage(torch.full((9,), 2), 4) == {"modes": 1, "mode_kl": pytest.approx(log(4))}
    with pytest.raises(ValueError, match="empty"):
        class_coverage(torch.tensor([], dtype=torch.long), 4)


def test_the_floor_of_real_classes():
    """26,000 samples of 1,000 classes: about 999/52,000."""
    ids = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0))
    found = class_coverage(ids, 1000)
    assert found["modes"] == 1000
    assert found["mode_kl"] == pytest.approx(999 / 52_000, rel=0.1)


def test_controls_that_leave_classes_out():
    """A constant generator, and one of seven of ten classes."""
    constant = class_coverage(torch.full((700,), 3), 10)
    assert constant == {"modes": 1, "mode_kl": pytest.approx(log(10))}
    seven = class_coverage(torch.arange(700) % 7, 10)
    assert seven == {"modes": 7, "mode_kl": pytest.approx(log(10 / 7))}
