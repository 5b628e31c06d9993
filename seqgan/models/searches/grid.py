"""Exact search in the plane: the critic scores the middle of each cell of a grid.

    p(cell) = e^{D(middle) / T} / Z,   and the point is uniform in its cell

At T = 0 every sample is the middle of the best cell: arg max D. Of several best cells one is drawn.
The distribution is exact for the critic that is constant in each cell.
"""

import torch
from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.modes import frozen
from seqgan.core.types import ArraySpace, Batch, Critic
from seqgan.models.searches.arrays import ArraySearch
from seqgan.models.searches.tempered import tempered


class GridSearch(ArraySearch):
    """`side` × `side` cells of the square of half-width `bound`.

    GridSearch(ArraySpace((2,)), MlpCritic(ArraySpace((2,))), temperature=0.0).mine(1).x
    """

    def __init__(
        self,
        space: ArraySpace,
        critic: Critic,
        side: int = 64,
        bound: float = 2.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(space, critic, bound)
        self._side = side
        self._temperature = temperature

    def middles(self) -> Tensor:
        """`x_RD` of all cells, the last coordinate changing fastest."""
        device = next(self.parameters()).device
        steps = (torch.arange(self._side, device=device) + 0.5) / self._side
        return torch.cartesian_prod(*[(2 * steps - 1) * self._bound] * self._shape[0])

    @torch.no_grad()
    def log_weights(self, temperature: Tensor | float = 1.0) -> Tensor:
        """`logw_R` of all cells, in the order of `middles`."""
        x_RD = self.middles()
        count_critic_calls(len(x_RD))
        return tempered(self.critic(x_RD).per_sample().float(), self._temperature) / temperature

    def mine(self, rows: int) -> Batch:
        with frozen(self.critic):
            return Batch(self._search(rows, 1.0))

    def _search(self, rows: int, temperature: Tensor | float) -> Tensor:
        probs_R = self.log_weights(temperature).softmax(0)
        x_BD = self.middles()[torch.multinomial(probs_R, rows, replacement=True)]
        if self._temperature == 0:
            return x_BD
        cell = 2 * self._bound / self._side
        return x_BD + (torch.rand_like(x_BD) - 0.5) * cell
