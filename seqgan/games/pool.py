"""A pool of former fakes, so that a critic does not forget what the generator used to do.

Shrivastava et al. 2017, as CycleGAN (Zhu et al. 2017) uses it: while the pool fills up, every new
sample is stored and shown. From then on each new sample is, with probability ½, shown itself; else
a stored one is shown and the new one takes its place.

Deviation: the slots of one batch are distinct, so that the exchange is one operation on the device.
"""

from typing import Any

import torch
from torch import Tensor


class Pool:
    """At most `size` samples of one shape. Draws from torch's global generator."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._stored: Tensor | None = None

    def exchange(self, x: Tensor) -> Tensor:
        """What to show instead of `x`: as many samples, some of them older."""
        if self._size == 0:
            return x
        stored = x[:0] if self._stored is None else self._stored
        room = self._size - len(stored)
        if room > 0:  # the first ones all stay, and are all shown
            self._stored = torch.cat([stored, x.detach()[:room]])
            return x
        slots = torch.randperm(self._size, device=x.device)[: len(x)]
        count = len(slots)  # a batch may be larger than the pool: its tail is shown itself
        old = torch.rand(count, device=x.device) < 0.5
        old = old.view(-1, *[1] * (x.dim() - 1))
        shown = torch.where(old, stored[slots], x[:count])
        stored[slots] = torch.where(old, x[:count].detach(), stored[slots])
        return torch.cat([shown, x[count:]])

    def state_dict(self) -> dict[str, Any]:
        return {"stored": self._stored}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._stored = state["stored"]
