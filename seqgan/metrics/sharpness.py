"""How sharp pictures are: the variance of their Laplacian, Var(∇²x), over all pixels of a picture.

The measure that cameras focus by (Pech-Pacheco et al. 2000). Averages of several pictures have
weak edges and a small value; noise has a large one, so compare with real pictures: neither more nor
less.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_KERNEL = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def laplacian_variance(x_NCHW: Tensor) -> float:
    """The mean over pictures, bytes or floats alike, in the square of their units.

    Borders, where a pixel lacks a neighbour, do not count. Raises `ValueError` below 3×3 pixels.
    """
    channels, height, width = x_NCHW.shape[1:]
    if min(height, width) < 3 or not len(x_NCHW):
        raise ValueError(f"pictures of shape {tuple(x_NCHW.shape)} have no Laplacian")
    kernel = torch.tensor(_KERNEL).expand(channels, 1, 3, 3)
    edges_NCHW = F.conv2d(x_NCHW.float().cpu(), kernel, groups=channels)
    return float(edges_NCHW.flatten(1).var(1, correction=0).mean())
