"""Ideas on scores of samples, and on what a generator leaves out."""

import pytest
import torch
from playing import play_quickly

from seqgan.lectures.scores import three_heaps, whitened
from seqgan.metrics.frechet import frechet_distance


def test_three_heaps_have_the_moments_of_a_gaussian_and_a_skew_of_their_own() -> None:
    heaps = three_heaps(500)
    torch.testing.assert_close(heaps.mean(0), torch.zeros(2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(heaps.T.cov(), torch.eye(2).double(), atol=1e-9, rtol=0)
    gauss = whitened(torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double())
    assert frechet_distance(heaps, gauss) == pytest.approx(0, abs=1e-9)
    assert heaps[:, 0].pow(3).mean() > 0.5 > abs(gauss[:, 0].pow(3).mean())


@pytest.mark.parametrize("number", [27, 28, 29, 30])
def test_quick_form(number, tmp_path) -> None:
    found = play_quickly(number, tmp_path).findings
    assert len(found) > 3
