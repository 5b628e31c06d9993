"""The corner's video: one step up on the way, one of two exits at its end."""

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.tasks.corner.config import CornerSourceConfig
from seqgan.tasks.corner.drawing import (
    CORNER,
    PLACES,
    draw_former_frames,
    draw_next_frames,
    exits_taken,
    height_of,
    walker_shares,
)


@pytest.mark.parametrize("size", [12, 16, 32])
def test_at_the_corner_he_leaves_by_one_exit_and_before_it_by_none(size: int) -> None:
    places_N, x_N1HW = draw_next_frames(4000, size, 0)
    assert x_N1HW.dtype == torch.uint8
    assert x_N1HW.shape == (4000, 1, size, size)
    assert set(places_N.tolist()) == set(range(PLACES))
    shares_N2 = walker_shares(x_N1HW)
    taken_N = exits_taken(shares_N2)
    assert (taken_N[places_N < CORNER] == -1).all()
    assert shares_N2[places_N < CORNER].abs().max() < 0.15
    left = (taken_N[places_N == CORNER] == 0).float().mean()
    assert (taken_N[places_N == CORNER] >= 0).all()
    assert 0.4 < float(left) < 0.6


def test_the_mean_of_the_possible_frames_has_half_a_walker_in_each_exit() -> None:
    places_N, x_N1HW = draw_next_frames(6000, 16, 1)
    mean = x_N1HW[places_N == CORNER].float().mean(0, keepdim=True)
    shares_N2 = walker_shares(mean)
    torch.testing.assert_close(shares_N2, torch.full((1, 2), 0.5), atol=0.06, rtol=0)
    assert exits_taken(shares_N2).tolist() == [-1]


@pytest.mark.parametrize("levels", [-10, 10])
def test_how_bright_the_ground_is_hardly_counts(levels: int) -> None:
    """A generator's ground is a little off and rough, which makes no walker and hides none."""
    places_N, x_N1HW = draw_next_frames(600, 16, 3)
    at_corner = x_N1HW[places_N == CORNER]
    changed = (at_corner.int() + levels).clamp(0, 255).to(torch.uint8)
    before_N, after_N = (exits_taken(walker_shares(x)) for x in (at_corner, changed))
    assert torch.equal(before_N, after_N)


def test_before_the_corner_the_next_frame_is_a_step_further_up() -> None:
    places_N, x_N1HW = draw_next_frames(300, 16, 2)
    middles = torch.arange(16) + 0.5
    for place in range(CORNER):
        mean_HW = x_N1HW[places_N == place].float().mean(0)[0] - draw_former_frames(
            torch.tensor([CORNER]), 16
        )[0, 0].clamp(max=80)
        heights = (mean_HW.clamp(min=0).sum(1) * middles).sum() / mean_HW.clamp(min=0).sum()
        assert float(heights) == pytest.approx(float(height_of(torch.tensor(place + 1))), abs=0.4)


def test_the_seed_decides() -> None:
    first, again, other = (draw_next_frames(50, 16, seed) for seed in (0, 0, 1))
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_the_source_brings_four_splits_with_the_place_as_label() -> None:
    raw = CornerSourceConfig(train=20, extractor=5, valid=6, test=7).build(None, "data")
    assert {name: part.count for name, part in raw.splits.items()} == {
        "extractor": 5,
        "train": 20,
        "valid": 6,
        "test": 7,
    }
    assert raw.labels == {"place": PLACES}


def test_frames_that_are_too_small_are_refused() -> None:
    with pytest.raises(UserError, match=r"data: size = 8: .* at least 12"):
        CornerSourceConfig().build(8, "data")
