"""The U-Net of pix2pix (Ronneberger et al. 2015; Isola et al. 2017): what is fine passes by.

    down   3×3 at full size, then `halvings` 4×4 of stride 2
    up     as many doublings; the maps of the way down of the same size are put beside the result
    out    3×3 of the full-size maps of both ways, tanh

Edges in the source need not pass through the small middle, where their place is lost: each size has
a skip connection. Instance norm and leaky ReLU on the way down, ReLU on the way up.

Deviations: a layer at full size at both ends (the paper's first layer halves, so that its finest
skip has half the size); nearest neighbours and a 3×3 convolution instead of transposed
convolutions; no dropout, which is the paper's noise; instance norm with gain and offset; torch's
initialisation instead of N(0, 0.02²).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.image.layers import Norm, UpConv, check_halvings, needs_bias, normalisation

WIDEST = 8
"""Maps are at most so many times as many as at full size."""


class UNet(DirectGenerator):
    """`cond` is the picture to translate, [B, C, H, W], as is the result.

    Height and width are multiples of 2**halvings, or `UserError` is raised.

        unet = UNet(ArraySpace((3, 32, 32)), width=8)
        unet(unet.draw(len(x_BCHW)), x_BCHW)
    """

    def __init__(
        self, space: ArraySpace, width: int = 16, halvings: int = 3, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        check_halvings(space, halvings)
        self.latent, channels = 0, space.shape[0]
        widths = [width * min(2**power, WIDEST) for power in range(halvings + 1)]
        self.enter = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2))
        self.down = nn.ModuleList(_down(a, b, norm) for a, b in pairwise(widths))
        # Every size but the smallest comes up with the maps of the way down beside it.
        joined = [*(2 * w for w in widths[:-1]), widths[-1]]
        self.up = nn.ModuleList(
            _up(joined[power + 1], widths[power], norm) for power in reversed(range(halvings))
        )
        self.out = nn.Conv2d(joined[0], channels, 3, padding=1)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None, "a translator needs a picture"
        maps = [self.enter(cond)]
        for down in self.down:
            maps.append(down(maps[-1]))
        x = maps.pop()
        for up in self.up:
            x = torch.cat([up(x), maps.pop()], 1)
        return torch.tanh(self.out(x))


def _down(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=needs_bias(norm))
    return nn.Sequential(conv, normalisation(norm, outputs), nn.LeakyReLU(0.2))


def _up(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    conv = UpConv(inputs, outputs, needs_bias(norm))
    return nn.Sequential(conv, normalisation(norm, outputs), nn.ReLU())
