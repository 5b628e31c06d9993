"""Endless batches of real sequences: seeded, shuffled, and resumable at any batch.

A stream's whole state is two integers, the epoch and the position within it; what an epoch holds
follows from them and from the constructor's arguments. No global random generator is used.
Batches run across the borders of epochs, so that no sequence is dropped and every batch is full.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.types import Batch


class _EpochStream(ABC):
    """Batches that walk through epochs 0, 1, 2, …; a subclass says what an epoch holds."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self._epoch = 0
        self._position = 0
        self._opened: int | None = None

    @abstractmethod
    def _open(self, epoch: int) -> int:
        """Make an epoch the current one and return its number of sequences."""

    @abstractmethod
    def _rows(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Ids and masks of sequences first…last-1 of the current epoch."""

    def next(self) -> Batch:
        """The next `batch_size` sequences."""
        pieces: list[tuple[Tensor, Tensor]] = []
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
        ids, masks = zip(*pieces, strict=True)
        return Batch(torch.cat(ids), torch.cat(masks))

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epoch, self._position = int(state["epoch"]), int(state["position"])

    def _current_size(self) -> int:
        if self._opened != self._epoch:
            self._size = self._open(self._epoch)
            self._opened = self._epoch
        if self._position >= self._size:
            raise UserError(
                f"the data stream stands at sequence {self._position} of an epoch of {self._size}; "
                f"resume with the data that the run started with"
            )
        return self._size


class Stream(_EpochStream):
    """A fixed set of sequences, permuted anew each epoch; batches live on the set's device.

    Epoch e is ordered by `PCG64([seed, e])`. A batch may be larger than the set.
    """

    def __init__(self, ids_NT: Tensor, mask_NT: Tensor, batch_size: int, seed: int) -> None:
        super().__init__(batch_size)
        self._ids_NT = ids_NT
        self._mask_NT = mask_NT
        self._seed = seed

    def _open(self, epoch: int) -> int:
        generator = np.random.Generator(np.random.PCG64([self._seed, epoch]))
        order = generator.permutation(len(self._ids_NT))
        self._order_N = torch.from_numpy(order).to(self._ids_NT.device)
        return len(order)

    def _rows(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        rows_R = self._order_N[first:last]
        return self._ids_NT[rows_R], self._mask_NT[rows_R]


class FreshStream(_EpochStream):
    """Each sequence once: epoch k is the block `draw(k)`, which must be the same at every call."""

    def __init__(
        self, draw: Callable[[int], Tensor], batch_size: int, end_id: int | None = None
    ) -> None:
        super().__init__(batch_size)
        self._draw = draw
        self._end_id = end_id

    def _open(self, epoch: int) -> int:
        self._ids_NT = self._draw(epoch)
        self._mask_NT = mask_until_end(self._ids_NT, self._end_id)
        return len(self._ids_NT)

    def _rows(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        return self._ids_NT[first:last], self._mask_NT[first:last]
