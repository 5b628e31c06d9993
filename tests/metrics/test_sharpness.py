import pytest
import torch
import torch.nn.functional as F

from seqgan.metrics.sharpness import laplacian_variance


def test_by_hand() -> None:
    """A dot of 6 in a 3 × 4 picture: the two inner pixels have Laplacians −24 and 6."""
    x = torch.zeros(1, 1, 3, 4, dtype=torch.uint8)
    x[0, 0, 1, 1] = 6
    assert laplacian_variance(x) == pytest.approx(15.0**2)


def test_flat_and_even_slopes_have_none() -> None:
    slope = torch.arange(8.0).expand(2, 3, 8, 8)
    assert laplacian_variance(slope) == 0
    assert laplacian_variance(torch.full((1, 1, 5, 5), 200, dtype=torch.uint8)) == 0


def test_blur_lowers_it_and_so_does_averaging() -> None:
    x = (torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    blurred = F.avg_pool2d(x, 3, stride=1, padding=1)
    mean = x.mean(0, keepdim=True)
    assert laplacian_variance(blurred) < 0.2 * laplacian_variance(x)
    assert laplacian_variance(mean) < 0.2 * laplacian_variance(x)


def test_pictures_without_inner_pixels() -> None:
    with pytest.raises(ValueError, match="no Laplacian"):
        laplacian_variance(torch.zeros(1, 1, 2, 8))
