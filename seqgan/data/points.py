"""Mixtures of Gaussians in the plane, on which one can count modes.

    x = c_k + std · ε,   k uniform over K centres,   ε ~ N(0, I)

ring   8 centres (cos 2πk/8, sin 2πk/8).
grid   25 centres (i, j)/√2 with i, j ∈ {−2, …, 2}: the code of Gulrajani et al. 2017 draws
       2·(i, j) + 0.05·ε and divides all by 2√2.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

VALID_STREAM, TEST_STREAM, REAL_ROW_STREAM = 1, 2, 3
"""Streams of draws: two references, and real points in the generator's place."""
_TRAINING_STREAM = 4
"""Training block k is stream 4 + k."""
_BLOCK = 25_600


@dataclass(frozen=True, slots=True)
class Mixture:
    """Gaussians around the centres of a layout, `ring` or `grid`."""

    layout: str
    std: float
    seed: int = 0

    @property
    def centres_K2(self) -> Tensor:
        """The means of the Gaussians."""
        if self.layout == "ring":
            angles_K = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
            return torch.stack([angles_K.cos(), angles_K.sin()], 1).float()
        steps_5 = torch.arange(-2, 3, dtype=torch.float64) / math.sqrt(2)
        return torch.cartesian_prod(steps_5, steps_5).float()

    def draw(self, stream: int, rows: int) -> Tensor:
        """Points [rows, 2], the same at every call; another `stream` is independent of them."""
        generator = np.random.Generator(
            np.random.PCG64(np.random.SeedSequence([self.seed, stream]))
        )
        centres_K2 = self.centres_K2
        chosen_N = torch.from_numpy(generator.integers(len(centres_K2), size=rows))
        noise_N2 = torch.from_numpy(generator.standard_normal((rows, 2)))
        return (centres_K2[chosen_N] + self.std * noise_N2).float()

    def cell_probabilities(self, side: int, bound: float) -> Tensor:
        """`prob_R` of the side × side cells of the square of half-width `bound`, exactly; the last
        coordinate changes fastest. What lies outside belongs to no cell."""
        edges_E = torch.linspace(-bound, bound, side + 1, dtype=torch.float64)
        z_K2E = (edges_E - self.centres_K2.double()[..., None]) / self.std
        mass_K2C = torch.special.ndtr(z_K2E).diff(dim=2)
        prob_CC = torch.einsum("kc,kd->cd", mass_K2C[:, 0], mass_K2C[:, 1]) / len(mass_K2C)
        return prob_CC.flatten().float()

    def training_block(self, index: int) -> Tensor:
        """The points of one block [25,600, 2]; blocks are independent of all other draws."""
        return self.draw(_TRAINING_STREAM + index, _BLOCK)
