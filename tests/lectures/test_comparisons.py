"""Ideas that set GANs beside each other and beside a VAE."""

import pytest
from playing import play_quickly

from seqgan.lectures.comparisons import spread


def test_spread_is_a_ratio() -> None:
    assert spread([3.0, 12.0, 6.0]) == 4
    assert spread([5.0]) == 1


@pytest.mark.parametrize("number", [16, 17])
def test_quick_form(number, tmp_path) -> None:
    found = play_quickly(number, tmp_path).findings
    assert len(found) > 4
