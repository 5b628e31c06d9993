"""Endless batches of real samples: seeded, shuffled, and resumable at any batch.

A stream's whole state is two integers, the epoch and the position within it; what an epoch holds
follows from them and from the constructor's arguments. No global random generator is used.
Batches run across the borders of epochs, so that no sample is dropped and every batch is full.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from seqgan.core.batches import join, take
from seqgan.core.errors import UserError
from seqgan.core.plain import StateDict
from seqgan.core.types import Batch


class Batches(Protocol):
    """A stream of real samples, as games use it."""

    batch_size: int

    def next(self) -> Batch: ...

    def state_dict(self) -> StateDict: ...

    def load_state_dict(self, state: StateDict) -> None: ...


class _EpochStream(ABC):
    """Batches that walk through epochs 0, 1, 2, …; a subclass says what an epoch holds."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self._epoch = 0
        self._position = 0
        self._opened: int | None = None

    @abstractmethod
    def _open(self, epoch: int) -> int:
        """Make an epoch the current one and return its number of samples."""

    @abstractmethod
    def _rows(self, first: int, last: int) -> Batch:
        """Samples first…last-1 of the current epoch."""

    def next(self) -> Batch:
        """The next `batch_size` samples."""
        pieces: list[Batch] = []
        missing = self.batch_size
        while missing:
            size = self._current_size()
            last = min(self._position + missing, size)
            pieces.append(self._rows(self._position, last))
            missing -= last - self._position
            # The border belongs to the next epoch, which is opened only when it is read.
            if last == size:
                self._epoch, self._position = self._epoch + 1, 0
            else:
                self._position = last
        return join(pieces)

    def state_dict(self) -> StateDict:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: StateDict) -> None:
        self._epoch, self._position = int(state["epoch"]), int(state["position"])

    def _current_size(self) -> int:
        if self._opened != self._epoch:
            self._size = self._open(self._epoch)
            self._opened = self._epoch
        if self._position >= self._size:
            raise UserError(
                f"the data stream stands at sample {self._position} of an epoch of {self._size}; "
                f"resume with the data that the run started with"
            )
        return self._size


class Stream(_EpochStream):
    """A fixed set of samples, permuted anew each epoch; batches live on the set's device.

    Epoch e is ordered by `PCG64([seed, e])`. A batch may be larger than the set. `prepare` turns
    what is stored into what networks read, a batch at a time: pictures are kept as bytes.
    """

    def __init__(
        self,
        data: Batch,
        batch_size: int,
        seed: int,
        prepare: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(batch_size)
        self._data = data
        self._seed = seed
        self._prepare = prepare

    @property
    def size(self) -> int:
        """Rows of the set."""
        return len(self._data.x)

    def in_step(self, x: Tensor) -> "Stream":
        """Batches of other rows in this stream's order: row i comes when row i of this set does."""
        return Stream(Batch(x), self.batch_size, self._seed)

    def _open(self, epoch: int) -> int:
        generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
        order = generator.permutation(len(self._data.x))
        self._order_N = torch.from_numpy(order).to(self._data.x.device)
        return len(order)

    def _rows(self, first: int, last: int) -> Batch:
        rows = take(self._data, self._order_N[first:last])
        return rows if self._prepare is None else Batch(self._prepare(rows.x), rows.mask, rows.cond)


class FreshStream(_EpochStream):
    """Each sample once: epoch k is the block `draw(k)`, which must be the same at every call."""

    def __init__(self, draw: Callable[[int], Batch], batch_size: int) -> None:
        super().__init__(batch_size)
        self._draw = draw

    def _open(self, epoch: int) -> int:
        self._block = self._draw(epoch)
        return len(self._block.x)

    def _rows(self, first: int, last: int) -> Batch:
        return take(self._block, slice(first, last))
