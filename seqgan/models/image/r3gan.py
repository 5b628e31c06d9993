"""The networks of R3GAN (Huang et al. 2024), small: residual blocks without any normalisation.

    generator  basis ⊙ W [z; label vectors] → (blocks, 1×1, ↑) … → blocks → 1×1, tanh
    critic     1×1 → (blocks, ↓, 1×1) … → blocks → a 4×4 or 7×7 filter for each map: the features
    block      x ← x + 1×1 lrelu 3×3 lrelu 1×1 x,  twice as many maps inside, 3×3 in groups of 16

Without normalisation the initialisation keeps the scale (fix-up, Zhang et al. 2019): the last layer
of a block starts at 0, the others with a gain that falls with the number L of blocks, L^(−1/4). The
objective is `rsgan` with `paired`, the penalties `r1` and `r2`.

Deviations: `blocks` is 1 by default instead of 2; `width` maps at full size and twice as many at
each smaller one, where the paper has as many at most sizes; ↓ is the mean over 2×2 pixels; tanh.
"""

from itertools import pairwise
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.image.layers import pyramid
from seqgan.models.layers import LabelEmbeddings

_SLOPE = 0.2
_GAIN = (2 / (1 + _SLOPE**2)) ** 0.5
_GROUP = 16

LayerT = TypeVar("LayerT", nn.Linear, nn.Conv2d)


class R3ganGenerator(DirectGenerator):
    """R3GAN's generator: noise [B, latent] to pictures of 28, 32 or 64 pixels.

    `width` is a multiple of 8.

        generator = R3ganGenerator(ArraySpace((1, 28, 28)), width=8)
        generator(generator.draw(8))  # x [8, 1, 28, 28] in [-1, 1]
    """

    def __init__(
        self,
        space: ArraySpace,
        latent: int = 64,
        noise: Literal["normal", "uniform"] = "normal",
        width: int = 16,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.latent, self.noise = latent, noise
        start, doublings = pyramid(space)
        widths = [width * 2**power for power in reversed(range(doublings + 1))]
        self.labels = LabelEmbeddings(space.label_sizes)
        self.project = _scaled(nn.Linear(latent + self.labels.width, widths[0], bias=False))
        self.basis = nn.Parameter(torch.randn(widths[0], start, start))
        self.first = _blocks(widths[0], blocks, len(widths))
        self.stages = nn.ModuleList(
            nn.Sequential(
                _scaled(nn.Conv2d(inputs, outputs, 1, bias=False)),
                nn.Upsample(scale_factor=2, mode="bilinear"),
                _blocks(outputs, blocks, len(widths)),
            )
            for inputs, outputs in pairwise(widths)
        )
        self.output = _scaled(nn.Conv2d(widths[-1], space.shape[0], 1))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        weights_BC = self.project(self.labels(z_BL, cond))
        h = self.first(weights_BC[:, :, None, None] * self.basis)
        for stage in self.stages:
            h = stage(h)
        x: Tensor = self.output(h)
        return x.tanh()


class R3ganTrunk(nn.Module):
    """`features_BF` of pictures of 28, 32 or 64 pixels; `width` is a multiple of 8."""

    def __init__(self, space: ArraySpace, width: int = 16, blocks: int = 1) -> None:
        super().__init__()
        end, halvings = pyramid(space)
        widths = [width * 2**power for power in range(halvings + 1)]
        self.features = widths[-1]
        layers: list[nn.Module] = [_scaled(nn.Conv2d(space.shape[0], width, 1))]
        for inputs, outputs in pairwise(widths):
            layers += [_blocks(inputs, blocks, len(widths)), nn.AvgPool2d(2)]
            layers.append(_scaled(nn.Conv2d(inputs, outputs, 1, bias=False)))
        layers.append(_blocks(self.features, blocks, len(widths)))
        self.layers = nn.Sequential(*layers)
        self.filters = _scaled(
            nn.Conv2d(self.features, self.features, end, groups=self.features, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.filters(self.layers(x)).flatten(1)


class _Block(nn.Module):
    """`depth` is the number of blocks in the network."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        inner, gain = 2 * width, _GAIN * depth**-0.25
        self.enter = _scaled(nn.Conv2d(width, inner, 1), gain)
        self.middle = _scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // _GROUP), gain)
        self.leave = _scaled(nn.Conv2d(inner, width, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.enter(x), _SLOPE)
        h = F.leaky_relu(self.middle(h), _SLOPE)
        return x + self.leave(h)


def _blocks(width: int, blocks: int, stages: int) -> nn.Sequential:
    return nn.Sequential(*[_Block(width, blocks * stages) for _ in range(blocks)])


def _scaled(layer: LayerT, gain: float = 1.0) -> LayerT:
    """Weights from N(0, gain² / inputs), biases 0."""
    with torch.no_grad():
        layer.weight.normal_(std=gain / layer.weight[0].numel() ** 0.5)
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
