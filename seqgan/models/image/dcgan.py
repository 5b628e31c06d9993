"""DCGAN: a convolutional generator that doubles, a critic that halves (Radford 2016).

    generator  [z; label vectors] → linear to 4×4 or 7×7 → (double, norm, ReLU) … → double, tanh
    critic     (halve, leaky ReLU) … down to 4×4 or 7×7 → all maps as one vector of features

The number of feature maps doubles wherever the size halves: `width` of them in front of the
generator's output and behind the critic's first layer.

Deviations. Doubling is nearest neighbours and a 3×3 convolution by default, because transposed
convolutions overlap unevenly and draw checkerboards (Odena 2016); `upsample: transposed` is the
published 4×4 form. The critic has no batch norm, since scores of real pictures must not depend on
the fakes beside them (`norm: layer` as in Gulrajani 2017; none is for spectral norm). Torch's
initialisation instead of N(0, 0.02²). Labels: vectors beside z, and projection in the critic.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from seqgan.core.types import ArraySpace
from seqgan.models.image.layers import (
    Norm,
    PyramidGenerator,
    UpConv,
    needs_bias,
    normalisation,
    pyramid,
)
from seqgan.models.layers import with_minibatch_std


class DcganGenerator(PyramidGenerator):
    """DCGAN's generator: noise [B, latent] to pictures of 28, 32 or 64 pixels.

    generator = DcganGenerator(ArraySpace((1, 28, 28)), width=16)
    generator(generator.draw(8))  # x [8, 1, 28, 28] in [-1, 1]
    """

    def __init__(
        self,
        space: ArraySpace,
        latent: int = 64,
        noise: Literal["normal", "uniform"] = "normal",
        width: int = 32,
        upsample: Literal["resize", "transposed"] = "resize",
        norm: Norm = "batch",
    ) -> None:
        _, doublings = pyramid(space)
        widths = [width * 2**power for power in reversed(range(doublings))]
        super().__init__(space, latent, noise, maps=widths[0])
        layers: list[nn.Module] = [normalisation(norm, widths[0]), nn.ReLU()]
        double = _transposed if upsample == "transposed" else UpConv
        for inputs, outputs in pairwise(widths):
            layers.append(double(inputs, outputs, needs_bias(norm)))
            layers += [normalisation(norm, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, double(widths[-1], space.shape[0], True))


class DcganTrunk(nn.Module):
    """`features_BF` of pictures of 28, 32 or 64 pixels.

    With `minibatch_std` the last layer also reads how much the batch varies.
    """

    def __init__(
        self,
        space: ArraySpace,
        width: int = 32,
        norm: Norm = "none",
        minibatch_std: bool = False,
    ) -> None:
        super().__init__()
        start, halvings = pyramid(space)
        self._minibatch_std = minibatch_std
        widths = [space.shape[0]] + [width * 2**power for power in range(halvings)]
        layers: list[nn.Module] = []
        for position, (inputs, outputs) in enumerate(pairwise(widths)):
            more = minibatch_std and position == halvings - 1
            layers.append(nn.Conv2d(inputs + more, outputs, 4, stride=2, padding=1))
            if position:
                layers.append(normalisation(norm, outputs))
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers)
        self._last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
        self.features = widths[-1] * start**2

    def forward(self, x: Tensor) -> Tensor:
        if not self._minibatch_std:
            return self.layers(x).flatten(1)
        maps = self.layers[: self._last](x)
        return self.layers[self._last :](with_minibatch_std(maps)).flatten(1)


def _transposed(inputs: int, outputs: int, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
