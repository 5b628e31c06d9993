"""A pool of former fakes, so that a critic does not forget what the generator used to do.

Shrivastava et al. 2017, as CycleGAN (Zhu et al. 2017) uses it: while the pool fills up, every new
sample is stored, and the critic reads it. From then on the critic reads each new sample with
probability ½; else it reads a stored one, and the new one takes its place, with its mask.

Deviation: the slots of one batch are distinct, so that the exchange is one operation on the device.
"""

import torch
from torch import Tensor

from seqgan.core.plain import StateDict
from seqgan.core.types import Batch, Sample


class Pool:
    """At most `size` samples of one shape. Draws from torch's global generator."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._x: Tensor | None = None
        self._mask: Tensor | None = None

    def exchange(self, fake: Sample) -> Batch:
        """What the critic reads instead of `fake`: as many samples, some of them older."""
        x, mask = fake.x.detach(), fake.mask
        if self._size == 0:
            return Batch(x, mask)
        self._move(x.device)
        room = self._size - (0 if self._x is None else len(self._x))
        if room > 0:  # the first ones are all stored, and all read
            self._x = _append(self._x, x[:room])
            self._mask = None if mask is None else _append(self._mask, mask[:room])
            return Batch(x, mask)
        assert self._x is not None
        slots = torch.randperm(self._size, device=x.device)[: len(x)]
        count = len(slots)  # of a batch larger than the pool the rest is read as it is
        old = torch.rand(count, device=x.device) < 0.5
        read_mask = None
        if mask is not None:
            assert self._mask is not None
            read_mask = torch.cat([_swap(self._mask, slots, old, mask[:count]), mask[count:]])
        return Batch(torch.cat([_swap(self._x, slots, old, x[:count]), x[count:]]), read_mask)

    def state_dict(self) -> StateDict:
        return {"x": self._x, "mask": self._mask}

    def load_state_dict(self, state: StateDict) -> None:
        self._x, self._mask = state["x"], state["mask"]

    def _move(self, device: torch.device) -> None:
        """To where samples are made: checkpoints come to the CPU."""
        self._x = None if self._x is None else self._x.to(device)
        self._mask = None if self._mask is None else self._mask.to(device)


def _append(stored: Tensor | None, new: Tensor) -> Tensor:
    return new.clone() if stored is None else torch.cat([stored, new])


def _swap(stored: Tensor, slots: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """Rows of `new`, or where `old` is true those stored in their slots, which they replace."""
    old = old.view(-1, *[1] * (new.dim() - 1))
    read = torch.where(old, stored[slots], new)
    stored[slots] = torch.where(old, new, stored[slots])
    return read
