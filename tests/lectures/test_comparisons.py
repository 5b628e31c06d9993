"""Ideas that set GANs beside each other and beside a VAE."""

import pytest

from seqgan.lectures.comparisons import spread
from seqgan.lectures.listing import find_idea
from seqgan.lectures.stage import play


def test_spread_is_a_ratio() -> None:
    assert spread([3.0, 12.0, 6.0]) == 4
    assert spread([5.0]) == 1


@pytest.mark.parametrize("number", [16, 17])
def test_quick_form(number, tmp_path) -> None:
    played = play(find_idea(number), tmp_path / "l", quick=True)
    assert len(played.findings) > 4
    assert played.pictures[0].stat().st_size < 60_000
