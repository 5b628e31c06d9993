"""A generator and a critic that grow: progressive GAN (Karras et al. 2018), small.

    generator  z/|z|·√L → linear to 4×4 → double … → 1×1, tanh: a picture of the present size
               double:  ↑ 3×3, 3×3, each with leaky ReLU and pixel norm  h / √(mean_c h_c² + 1e-8)
    critic     1×1, leaky ReLU → halve … → 4×4: all maps as one vector of features
               halve:   3×3, 3×3 ↓, each with leaky ReLU

    while stage s is faded in    x = (1 − α) ↑x_{s−1}(h_{s−1}) + α x_s(h_s)
                                 h = (1 − α) from_{s−1}(↓x)   + α halve_s(from_s(x))

Pictures have full size on the outside: the generator's are enlarged by nearest neighbours, and the
critic shrinks what it reads to the present size, which takes back the former. So data, metrics and
penalties are those of any other pictures; a penalty of the critic's gradient is k² times weaker
while pictures are enlarged k times. ↑ are nearest neighbours, ↓ means over 2×2 pixels.

Deviations: no equalised learning rate and no minibatch statistics; tanh; the linear map and the
first doublings up to `start` are there from the beginning; `width` maps at full size, twice as many
at each smaller one.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.growing import Growing, enlarge, shrink
from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.image.layers import DownConv, UpConv, pyramid

_SLOPE = 0.2


class GrowingGenerator(Growing, DirectGenerator):
    """Noise [B, latent] to pictures of full size, at first with the details of `start` pixels.

    Raises `UserError` where `start` is not on the way from 4 or 7 pixels to the picture's.

        generator = GrowingGenerator(ArraySpace((3, 32, 32)), width=8)
        generator.grow()
        generator(generator.draw(2))  # x [2, 3, 32, 32], with the details of 16 × 16 pixels
    """

    def __init__(
        self,
        space: ArraySpace,
        latent: int = 64,
        noise: Literal["normal", "uniform"] = "normal",
        width: int = 16,
        start: int = 8,
    ) -> None:
        smallest, sizes = _sizes(space, start)
        super().__init__(sizes)
        self.latent, self.noise = latent, noise
        self._channels, self._width = space.shape[0], width
        widest = self._maps(smallest)
        self.project = nn.Linear(latent, widest * smallest**2)
        self.start_shape = (widest, smallest, smallest)
        self.first = nn.Sequential(
            _PixelNorm(), *[self._block(size) for size in _doubled(smallest, start)]
        )
        self.blocks = nn.ModuleList()
        self.pictures = nn.ModuleList([nn.Conv2d(self._maps(start), self._channels, 1)])

    def _maps(self, size: int) -> int:
        return self._width * self.sizes[-1] // size

    def _block(self, size: int) -> nn.Module:
        """To `size` pixels from half as many."""
        inputs, outputs = self._maps(size // 2), self._maps(size)
        return nn.Sequential(
            *(UpConv(inputs, outputs), nn.LeakyReLU(_SLOPE), _PixelNorm()),
            *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.LeakyReLU(_SLOPE), _PixelNorm()),
        )

    def _add_layers(self, stage: int) -> None:
        size = self.sizes[stage]
        self.blocks.append(self._block(size))
        self.pictures.append(nn.Conv2d(self._maps(size), self._channels, 1))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        z_BL = F.normalize(z_BL) * self.latent**0.5
        h = F.leaky_relu(self.project(z_BL), _SLOPE).unflatten(1, self.start_shape)
        h = before = self.first(h)
        for block in self.blocks:
            before, h = h, block(h)
        x = self.pictures[-1](h).tanh()
        if self.grown:
            x = torch.lerp(enlarge(self.pictures[-2](before).tanh(), 2), x, self.alpha)
        return enlarge(x, self.sizes[-1] // self.sizes[self.grown])


class GrowingTrunk(Growing):
    """`features_BF` of pictures of full size, of which it sees the details of the present size."""

    def __init__(self, space: ArraySpace, width: int = 16, start: int = 8) -> None:
        smallest, sizes = _sizes(space, start)
        super().__init__(sizes)
        self._channels, self._width = space.shape[0], width
        halvings = reversed(_doubled(smallest, start))
        self.last = nn.Sequential(*[self._block(size) for size in halvings])
        self.blocks = nn.ModuleList()
        self.readers = nn.ModuleList([self._reader(start)])
        self.features = self._maps(smallest) * smallest**2

    def _maps(self, size: int) -> int:
        return self._width * self.sizes[-1] // size

    def _reader(self, size: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(self._channels, self._maps(size), 1), nn.LeakyReLU(_SLOPE))

    def _block(self, size: int) -> nn.Module:
        """From `size` pixels to half as many."""
        inputs, outputs = self._maps(size), self._maps(size // 2)
        return nn.Sequential(
            *(nn.Conv2d(inputs, inputs, 3, padding=1), nn.LeakyReLU(_SLOPE)),
            *(DownConv(inputs, outputs), nn.LeakyReLU(_SLOPE)),
        )

    def _add_layers(self, stage: int) -> None:
        self.blocks.append(self._block(self.sizes[stage]))
        self.readers.append(self._reader(self.sizes[stage]))

    def forward(self, x: Tensor) -> Tensor:
        factor = self.sizes[-1] // self.sizes[self.grown]
        h: Tensor = self.readers[-1](shrink(x, factor))
        for number, block in enumerate(reversed(self.blocks)):
            h = block(h)
            if number == 0:
                h = torch.lerp(self.readers[-2](shrink(x, 2 * factor)), h, self.alpha)
        return self.last(h).flatten(1)


class _PixelNorm(nn.Module):
    """Each pixel's vector of maps to mean square 1."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * (x_BCHW.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _sizes(space: ArraySpace, start: int) -> tuple[int, tuple[int, ...]]:
    """Pixels at the small end (4 or 7), and at each stage from `start` on."""
    smallest, doublings = pyramid(space)
    sizes = tuple(smallest * 2**power for power in range(doublings + 1))
    if start not in sizes[:-1]:
        choices = ", ".join(map(str, sizes[:-1]))
        raise UserError(
            f"start={start}: pictures of {sizes[-1]} pixels grow from {choices}; choose one of "
            "them for generator.start and critic.start"
        )
    return smallest, sizes[sizes.index(start) :]


def _doubled(smallest: int, start: int) -> list[int]:
    """The sizes behind `smallest` up to `start`."""
    return [size for size in (smallest * 2**k for k in range(1, 20)) if size <= start]
