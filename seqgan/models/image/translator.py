"""A picture to a picture, and a critic of patches: the networks of CycleGAN (Zhu 2017), small.

    translator  3×3 → `halvings` 3×3 of stride 2 → residual blocks → as many doublings → 3×3, tanh,
                with instance norm and ReLU behind every convolution but the last
    critic      4×4 of stride 2 … → 3×3 → mean over places: the features;  score = wᵀ features + b

A read-out w of each place's vector scores one patch, and the mean of the patches' scores is the
score of the mean vector: so the critic is a PatchGAN with one score per picture.

Convolutions do the same everywhere, so they can recolour and redraw but hardly move or scale. With
`coordinates` the first one also reads the place of each pixel (Liu et al. 2018, CoordConv). With
`residual` the network makes the change, y = tanh(atanh(x) + change). With `warp` one learned affine
map of the plane stands in front, the same for all pictures (a spatial transformer, Jaderberg et al.
2015, whose map does not depend on the picture).

Deviations. Translator: 3×3 instead of 7×7 kernels at both ends, zeros instead of reflections at the
border, nearest neighbours and a 3×3 convolution instead of transposed convolutions, instance norm
with gain and offset. Critic: the objective acts on the mean score, not on each patch; no instance
norm; the last two layers are 3×3 and 1×1 instead of 4×4. Both: torch's initialisation instead of
N(0, 0.02²).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.image.layers import Norm, UpConv, check_halvings, needs_bias, normalisation


class Translator(DirectGenerator):
    """CycleGAN's generator: `cond` is the picture to translate, [B, C, H, W], as is the result.

    Height and width are multiples of 2**halvings, or `UserError` is raised. See the module's
    docstring for `residual`, `coordinates` and `warp`.

        translator = Translator(ArraySpace((3, 32, 32)), width=8)
        translator(translator.draw(len(x_BCHW)), x_BCHW)
    """

    def __init__(
        self,
        space: ArraySpace,
        width: int = 16,
        blocks: int = 3,
        halvings: int = 2,
        norm: Norm = "instance",
        residual: bool = False,
        coordinates: bool = False,
        warp: bool = False,
    ) -> None:
        super().__init__()
        check_halvings(space, halvings)
        self.latent, channels = 0, space.shape[0]
        self.coordinates, self.residual = coordinates, residual
        self.warp = Warp() if warp else nn.Identity()
        widths = [width * 2**power for power in range(halvings + 1)]
        layers = _hidden(_conv(channels + 2 * coordinates, widths[0], norm), norm)
        for inputs, outputs in pairwise(widths):
            layers += _hidden(_conv(inputs, outputs, norm, stride=2), norm)
        layers += [_Residual(widths[-1], norm) for _ in range(blocks)]
        for inputs, outputs in pairwise(reversed(widths)):
            layers += _hidden(UpConv(inputs, outputs, needs_bias(norm)), norm)
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None, "a translator needs a picture"
        warped = self.warp(cond)
        x = torch.cat([warped, place_of_each_pixel(cond)], 1) if self.coordinates else warped
        change = self.layers(x)
        # Where the change is 0 the picture stays as it is, up to the edges that tanh never reaches.
        return (change + warped.clamp(-0.99, 0.99).atanh() if self.residual else change).tanh()


class Warp(nn.Module):
    """x(A·place): A is [2, 3], affine, and starts as the identity. Beyond the border is border."""

    def __init__(self) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        # Ten times the parameter: Adam moves every weight alike, and this one has to cross 1.
        affine_23 = torch.eye(2, 3, device=x.device, dtype=x.dtype) + 10 * self.change
        grid = F.affine_grid(affine_23.expand(len(x), -1, -1), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def place_of_each_pixel(x_BCHW: Tensor) -> Tensor:
    """Row and column from −1 to 1 as two maps beside each picture: [B, 2, H, W]."""
    rows, height, width = len(x_BCHW), *x_BCHW.shape[2:]
    down = torch.linspace(-1, 1, height, device=x_BCHW.device, dtype=x_BCHW.dtype)
    right = torch.linspace(-1, 1, width, device=x_BCHW.device, dtype=x_BCHW.dtype)
    return torch.stack(torch.meshgrid(down, right, indexing="ij")).expand(rows, -1, -1, -1)


class PatchTrunk(nn.Module):
    """`features_BF`: the mean over patches, which are 18 pixels wide with 2 `layers`, 38 with 3."""

    def __init__(self, space: ArraySpace, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        channels, height, columns = space.shape
        if min(height, columns) < 2**layers:
            raise UserError(
                f"critic.layers={layers} halves pictures of {height}×{columns} pixels to "
                "nothing; use fewer"
            )
        widths = [width * min(2**power, 8) for power in range(layers)]
        strided: list[nn.Module] = []
        for inputs, outputs in pairwise([channels, *widths]):
            strided += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.features = width * min(2**layers, 8)
        last = nn.Conv2d(widths[-1], self.features, 3, padding=1)
        self.layers = nn.Sequential(*strided, last, nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean((2, 3))


class _Residual(nn.Module):
    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_hidden(_conv(width, width, norm), norm),
            _conv(width, width, norm),
            normalisation(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _conv(inputs: int, outputs: int, norm: Norm, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=needs_bias(norm))


def _hidden(conv: nn.Conv2d, norm: Norm) -> list[nn.Module]:
    return [conv, normalisation(norm, conv.out_channels), nn.ReLU()]
