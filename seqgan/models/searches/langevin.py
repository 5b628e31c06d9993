"""Gradient ascent on the critic's score, with noise: Langevin dynamics with a replay buffer.

    x ← clamp(x + η ∇_x D(x) + σ ε),   ε ~ N(0, I),   `steps` times

Of density e^{D(x) / T} with T = σ² / 2η, as η → 0; with σ = 0 it is gradient ascent. A search goes
on from random rows of the buffer, but for a share `fresh` of it from noise, and what it finds takes
their place (Tieleman 2008; Du & Mordatch 2019, whose buffer has 10,000 pictures and 5 % fresh
ones). Samples go on from the buffer too, and leave it as it is.

Deviations from Du & Mordatch: D = −E; σ is chosen apart from η, as in their code; gradients are not
clipped; x stays in its box (theirs does in evaluation).
"""

import torch
from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.modes import frozen
from seqgan.core.types import ArraySpace, Batch, Critic
from seqgan.models.searches.arrays import ArraySearch
from seqgan.models.searches.chains import Chains


class LangevinSearch(ArraySearch):
    """See the module's docstring.

    LangevinSearch(ArraySpace((2,)), MlpCritic(ArraySpace((2,))), buffer=64).mine(8).x
    """

    def __init__(
        self,
        space: ArraySpace,
        critic: Critic,
        steps: int = 20,
        step_size: float = 0.1,
        noise: float = 0.01,
        buffer: int = 10_000,
        fresh: float = 0.05,
        bound: float = 2.0,
    ) -> None:
        super().__init__(space, critic, bound)
        self._steps = steps
        self._step_size = step_size
        self._noise = noise
        self.chains = Chains(self._uniform(buffer), fresh)
        self.most_rows = buffer

    def mine(self, rows: int) -> Batch:
        slots_B, x = self.chains.take(rows, self._uniform(rows))
        with frozen(self.critic):
            x = self.ascend(x)
        self.chains.put(slots_B, x)
        return Batch(x)

    def _search(self, rows: int, temperature: Tensor | float) -> Tensor:
        return self.ascend(self.chains.draw(rows), temperature)

    def ascend(self, x: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
        """`steps` steps up from `x`; the temperature multiplies the noise. Without gradient."""
        for _ in range(self._steps):
            count_critic_calls(len(x))
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self.critic(x).per_sample().sum(), x)
            x = x.detach() + self._step_size * gradient
            if self._noise:
                x = x + self._noise * temperature * torch.randn_like(x)
            x = x.clamp(-self._bound, self._bound)
        return x.detach()
