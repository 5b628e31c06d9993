"""Specks in pictures drawn by hand."""

import torch

from seqgan.metrics.isolated import isolated_pixels


def picture(*bright: tuple[int, int], level: float = 1.0) -> torch.Tensor:
    x_1HW = torch.full((1, 6, 6), -1.0)
    for row, column in bright:
        x_1HW[0, row, column] = level
    return x_1HW


def test_a_pixel_counts_where_all_eight_around_it_are_dark() -> None:
    alone = picture((2, 2))
    corner = picture((0, 0), (3, 5))
    touching = picture((2, 2), (3, 3))
    faint = picture((2, 2), level=-0.2)
    grey_beside = picture((2, 2))
    grey_beside[0, 2, 3] = -0.3
    x_NCHW = torch.stack([alone, corner, touching, faint, grey_beside])
    assert isolated_pixels(x_NCHW).tolist() == [1, 2, 0, 0, 0]
