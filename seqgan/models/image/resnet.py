"""Residual networks for pictures, after SNGAN (Miyato 2018), small.

    generator  [z; label vectors] → linear to 4×4 or 7×7 → up blocks → norm, ReLU, 3×3, tanh
               up:    x ← ↑(1×1 x) + 3×3 relu norm(3×3 ↑ relu norm x)
    critic     down blocks to 4×4 or 7×7 → ReLU → sum over pixels: the features
               down:  x ← ↓(1×1 x) + ↓ 3×3 relu(3×3 relu x)

↑ are nearest neighbours, ↓ the mean over 2×2 pixels. The critic's first block has no ReLU in
front: it would cut the picture.

Deviations: `width` maps at every size instead of 256 and 128; the critic ends with its last
halving, where the paper has two more blocks; plain normalisation with label vectors beside z
instead of conditional batch norm; torch's initialisation instead of Xavier's. The 1×1 of an up
block stands in front of ↑, with which it commutes.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import ArraySpace
from seqgan.models.image.layers import (
    DownConv,
    Norm,
    PyramidGenerator,
    UpConv,
    needs_bias,
    normalisation,
    pyramid,
)


class ResnetGenerator(PyramidGenerator):
    """A residual generator: noise [B, latent] to pictures of 28, 32 or 64 pixels.

    generator = ResnetGenerator(ArraySpace((1, 28, 28)), width=16)
    generator(generator.draw(8))  # x [8, 1, 28, 28] in [-1, 1]
    """

    def __init__(
        self,
        space: ArraySpace,
        latent: int = 64,
        noise: Literal["normal", "uniform"] = "normal",
        width: int = 32,
        norm: Norm = "batch",
    ) -> None:
        super().__init__(space, latent, noise, maps=width)
        _, doublings = pyramid(space)
        self.layers = nn.Sequential(
            *[_UpBlock(width, norm) for _ in range(doublings)],
            normalisation(norm, width),
            nn.ReLU(),
            nn.Conv2d(width, space.shape[0], 3, padding=1),
        )


class ResnetTrunk(nn.Module):
    """`features_BF` of pictures of 28, 32 or 64 pixels."""

    def __init__(self, space: ArraySpace, width: int = 32) -> None:
        super().__init__()
        _, halvings = pyramid(space)
        self.features = width
        self.layers = nn.Sequential(
            _DownBlock(space.shape[0], width, first=True),
            *[_DownBlock(width, width) for _ in range(halvings - 1)],
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).sum((2, 3))


class _UpBlock(nn.Module):
    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            normalisation(norm, width),
            nn.ReLU(),
            UpConv(width, width, needs_bias(norm)),
            normalisation(norm, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.shortcut(x), scale_factor=2) + self.residual(x)


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, width: int, first: bool = False) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Identity() if first else nn.ReLU(),
            nn.Conv2d(inputs, width, 3, padding=1),
            nn.ReLU(),
            DownConv(width, width),
        )
        self.shortcut = nn.Conv2d(inputs, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(F.avg_pool2d(x, 2)) + self.residual(x)
