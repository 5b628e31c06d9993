"""What networks for pictures share: sizes, normalisations, ends, and convolutions that resize.

Nearest neighbours and a 3×3 kernel k is one *transposed* convolution of stride 2 whose 4×4 kernel
is the sum of k at the four corners, and a 3×3 kernel and the mean over 2×2 pixels is one
convolution of stride 2 with a quarter of that sum. Both are exact, at the border too (zeros), and
take 16 products for a pixel of the small picture instead of 36.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import ArraySpace, Critic, DirectGenerator, Scores
from seqgan.models.conditions import beside, projection
from seqgan.models.layers import Trunk, score_in_chunks

Norm = Literal["batch", "layer", "instance", "none"]


def pyramid(space: ArraySpace) -> tuple[int, int]:
    """(height at the small end, doublings up to the picture's): (7, 2) for 28×28, (4, 3) for 32×32.

    Raises `UserError` for pictures that are no square of 4·2^k or 7·2^k pixels, k > 0.
    """
    _, height, width = space.shape
    start, doublings = height, 0
    while start % 2 == 0 and start > 4:
        start, doublings = start // 2, doublings + 1
    if height != width or start not in (4, 7) or not doublings:
        raise UserError(
            f"data.size: pictures are {height}×{width}, but dcgan and resnet need squares of 28, "
            "32 or 64 pixels (in general 4 or 7 times a power of two); set data.size to one"
        )
    return start, doublings


def check_halvings(space: ArraySpace, halvings: int) -> None:
    """Raises `UserError` for pictures that cannot be halved so often."""
    _, height, width = space.shape
    smallest = 2**halvings
    if height % smallest or width % smallest:
        raise UserError(
            f"data: pictures are {height}×{width}, but generator.halvings={halvings}; set the size "
            f"of all pictures to a multiple of {smallest}"
        )


def normalisation(kind: Norm, channels: int) -> nn.Module:
    """With a gain and an offset for each feature map. All but `batch` act sample by sample."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "layer":
        return nn.GroupNorm(1, channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def needs_bias(kind: Norm) -> bool:
    """Whether a bias in front of the normalisation has any effect: it takes out a map's mean."""
    return kind in ("layer", "none")


class PyramidGenerator(DirectGenerator):
    """Base of generators of squares: [z; label vectors] → linear to small maps → layers → tanh."""

    layers: nn.Module

    def __init__(
        self, space: ArraySpace, latent: int, noise: Literal["normal", "uniform"], maps: int
    ) -> None:
        super().__init__()
        self.latent, self.noise = latent, noise
        start, _ = pyramid(space)
        self.start_shape = (maps, start, start)
        self.labels = beside(space)
        self.project = nn.Linear(latent + self.labels.width, maps * start**2)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        h_BCHW = self.project(self.labels(z_BL, cond)).unflatten(1, self.start_shape)
        return self.layers(h_BCHW).tanh()


class PictureCritic(Critic):
    """A trunk, a read-out, a projection of labels: wᵀ f(x) + b + Σ_a ⟨embed_a(label_a), f(x)⟩.

    `score_B` and `features_BF` of pictures [B, C, H, W] under labels [B, A], if there are any
    (Miyato & Koyama 2018). Where the condition is a picture, the trunk reads both as one of twice
    as many channels, f([x; source]) (Isola et al. 2017): make it for `space.stacked`.

        PictureCritic(DcganTrunk(space, width=16), space)(x_BCHW).score
    """

    def __init__(self, trunk: Trunk, space: ArraySpace) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = trunk.features
        self.readout = nn.Linear(trunk.features, 1)
        self.projection = projection(space, trunk.features)
        self._reads_source = bool(space.source)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return score_in_chunks(self._score, x, cond)

    def _score(self, x: Tensor, cond: Tensor | None) -> Scores:
        if self._reads_source:
            assert cond is not None, "made to read a picture beside the sample"
            x = torch.cat([x, cond], 1)
        features_BF = self.trunk(x)
        score_B = self.readout(features_BF)[:, 0]
        return Scores(self.projection(score_B, features_BF, cond), features_BF=features_BF)


class UpConv(nn.Conv2d):
    """Nearest neighbours to twice the size, then a 3×3 convolution: as one transposed one."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, 2H, 2W] of [B, inputs, H, W]."""
        kernel = _corners(self.weight.flip(2, 3)).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class DownConv(nn.Conv2d):
    """A 3×3 convolution, then the mean over 2×2 pixels: as one convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, outputs, H/2, W/2] of [B, inputs, H, W], H and W even."""
        return F.conv2d(x, _corners(self.weight) / 4, self.bias, stride=2, padding=1)


def _corners(kernel: Tensor) -> Tensor:
    """The sum of a kernel [O, I, 3, 3] at the four places it has in [O, I, 4, 4]."""
    rows = F.pad(kernel, (0, 0, 0, 1)) + F.pad(kernel, (0, 0, 1, 0))
    return F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))
