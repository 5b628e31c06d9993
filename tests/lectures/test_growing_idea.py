"""Idea 35: what it measures, and what its rows are called."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.experiment import load_experiment
from seqgan.lectures import REPOSITORY
from seqgan.lectures.growing import _stage_at, _straight, change_by_growth, longest_step

CONFIG = REPOSITORY / "configs/lectures/35_growing.yaml"


def test_growth_changes_nothing_at_first() -> None:
    torch.manual_seed(0)
    assert change_by_growth() == 0


def test_a_jump_is_found_and_an_even_walk_is_not() -> None:
    even = torch.linspace(0, 1, 21)[None, :, None].expand(3, 21, 4)
    assert longest_step(even) == pytest.approx(1 / 20, rel=1e-4)
    jump = (torch.arange(21) > 10).float()[None, :, None].expand(3, 21, 4)
    assert longest_step(jump) == pytest.approx(1)


def test_a_straight_walk_goes_from_end_to_end() -> None:
    start, end = torch.randn(2, 3, 5)
    z_STL = _straight(start, end, torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(z_STL[:, 0], start)
    torch.testing.assert_close(z_STL[:, 1], 0.75 * start + 0.25 * end)
    torch.testing.assert_close(z_STL[:, 2], end)


@pytest.mark.parametrize(
    ("updates", "said"),
    [
        (600, "8 × 8"),
        (701, "16 × 16, α = 0.5"),
        (1300, "16 × 16"),
        (1401, "32 × 32, α = 0.5"),
        (2200, "32 × 32"),
    ],
)
def test_a_row_says_the_size_and_how_far_it_is_faded_in(updates: int, said: str) -> None:
    assert _stage_at(load_experiment(CONFIG, []), updates) == said


def test_the_quick_form_draws_every_stage(tmp_path: Path) -> None:
    found = play_quickly(35, tmp_path).findings
    assert found[0].value == 0
