"""What is left of a picture, in its own colours' format: the sources of pictures that are pairs.

Bytes [N, C, H, W] in and out, of the same shape.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the lightness of a pixel (ITU-R BT.601, as in Pillow)."""


def edges(x_NCHW: Tensor, threshold: int) -> Tensor:
    """Black lines on white, where a pixel differs from the one to its right or below it by at least
    `threshold` levels in some colour."""
    levels = x_NCHW.short()
    right = F.pad((levels[..., 1:] - levels[..., :-1]).abs(), (0, 1))
    below = F.pad((levels[..., 1:, :] - levels[..., :-1, :]).abs(), (0, 0, 0, 1))
    is_edge = torch.maximum(right, below).amax(1, keepdim=True) >= threshold
    return (255 * ~is_edge).to(torch.uint8).expand_as(x_NCHW).contiguous()


def grey(x_NCHW: Tensor) -> Tensor:
    """The lightness of each pixel in all of its colours; grey pictures stay as they are."""
    if x_NCHW.shape[1] == 1:
        return x_NCHW
    lightness = torch.einsum("nchw,c->nhw", x_NCHW.float(), torch.tensor(LUMA))
    return lightness.round().to(torch.uint8)[:, None].expand_as(x_NCHW).contiguous()
