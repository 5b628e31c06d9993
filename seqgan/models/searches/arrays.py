"""What searches for points and pictures have in common."""

from abc import abstractmethod

import torch
from torch import Tensor

from seqgan.core.generators import CriticSearch
from seqgan.core.modes import frozen
from seqgan.core.types import ArraySpace, Batch, Critic, DirectGenerator


class ArraySearch(CriticSearch, DirectGenerator):
    """Searches the box of half-width `bound` around 0 (of pictures 1, whatever `bound` is).

    Noise that a direct generator draws is what a search needs to know besides: its temperature.
    """

    latent = 1

    def __init__(self, space: ArraySpace, critic: Critic, bound: float) -> None:
        super().__init__()
        self.critic = critic
        self._shape = space.shape
        self._bound = 1.0 if space.bounded else bound

    def draw(self, rows: int, temperature: float = 1.0) -> Tensor:
        return torch.full((rows, 1), temperature, device=next(self.parameters()).device)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        with frozen(self.critic):
            return self._search(len(z_BL), z_BL[0, 0])

    def random_samples(self, rows: int) -> Batch:
        return Batch(self._uniform(rows))

    def _uniform(self, rows: int) -> Tensor:
        device = next(self.parameters()).device
        x = torch.rand(rows, *self._shape, device=device)
        return (2 * x - 1) * self._bound

    @abstractmethod
    def _search(self, rows: int, temperature: Tensor | float) -> Tensor:
        """Samples `x`; `temperature` multiplies that of the search. Nothing is remembered."""
