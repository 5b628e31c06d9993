"""A generator whose noise has a code in it: some numbers of z are labels that the data lack.

    z = [noise; one-hot rows of the codes],    G(z) = inner(noise, codes)

InfoGAN's latent vector (Chen et al. 2016), for any generator that reads labels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import DirectGenerator


class CodedGenerator(DirectGenerator):
    """Draws its own codes, uniform and independent; given codes `cond` [B, A] replace them."""

    def __init__(self, inner: DirectGenerator, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.inner = inner
        self.sizes = sizes
        self.noise = inner.noise
        self.latent = inner.latent + sum(sizes)

    def draw(self, rows: int, temperature: float = 1.0) -> Tensor:
        """As documented there; codes have no temperature."""
        noise_BL = self.inner.draw(rows, temperature)
        codes_BA = draw_codes(rows, self.sizes, noise_BL.device)
        each = zip(codes_BA.unbind(1), self.sizes, strict=True)
        one_hots = [F.one_hot(code_B, size).to(noise_BL.dtype) for code_B, size in each]
        return torch.cat([noise_BL, *one_hots], 1)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        noise_BL, *one_hots = z_BL.split([self.inner.latent, *self.sizes], 1)
        if cond is None:
            cond = torch.stack([one_hot.argmax(1) for one_hot in one_hots], 1)
        x: Tensor = self.inner(noise_BL, cond)
        return x


def draw_codes(rows: int, sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """`codes_BA`, from torch's global generator."""
    return torch.stack([torch.randint(size, (rows,), device=device) for size in sizes], 1)
