"""Specks: bright pixels with nothing bright around them, which strokes never leave."""

import torch.nn.functional as F
from torch import Tensor

BRIGHT, DARK = 0.0, -0.5


def isolated_pixels(x_NCHW: Tensor) -> Tensor:
    """How many pixels of each picture in [-1, 1] are above `BRIGHT` with all eight neighbours
    below `DARK`, `count_N`; beyond the border it is dark. Channels are counted apart."""
    padded = F.pad(x_NCHW, (1, 1, 1, 1), value=-1.0)
    height, width = x_NCHW.shape[2:]
    alone = x_NCHW > BRIGHT
    for down in range(3):
        for right in range(3):
            if (down, right) != (1, 1):
                alone &= padded[..., down : down + height, right : right + width] < DARK
    return alone.flatten(1).sum(1)
