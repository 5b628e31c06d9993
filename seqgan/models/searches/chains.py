"""A replay buffer: where the searches of earlier rounds have come, so that the next go on there."""

import torch
from torch import Tensor, nn


class Chains(nn.Module):
    """Chains of one shape, which begin as `start`; part of the state of what holds them.

    A share `fresh` of those that are taken begin anew.
    """

    x: Tensor

    def __init__(self, start: Tensor, fresh: float) -> None:
        super().__init__()
        self.register_buffer("x", start)
        self._fresh = fresh

    def take(self, rows: int, anew: Tensor) -> tuple[Tensor, Tensor]:
        """Distinct `slots_B`, and where their chains are, or for fresh ones the row of `anew`."""
        slots_B = torch.randperm(len(self.x), device=self.x.device)[:rows]
        is_fresh = torch.rand(rows, device=self.x.device) < self._fresh
        is_fresh = is_fresh.view(-1, *[1] * (anew.dim() - 1))
        return slots_B, torch.where(is_fresh, anew, self.x[slots_B])

    def put(self, slots_B: Tensor, x: Tensor) -> None:
        """Where the chains of these slots are now."""
        self.x[slots_B] = x.detach()

    def draw(self, rows: int) -> Tensor:
        """Where `rows` of the chains are: distinct ones as far as there are so many."""
        laps = -(-rows // len(self.x))
        slots = [torch.randperm(len(self.x), device=self.x.device) for _ in range(laps)]
        return self.x[torch.cat(slots)[:rows]]
