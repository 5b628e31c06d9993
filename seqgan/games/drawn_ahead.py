"""Samples of a generator that stays as it is, drawn in larger batches than they are taken in.

On a CPU a sample of a large batch takes about half as long: small matrix products are slow, and a
small batch goes on until its longest sentence ends. Which samples a batch holds does not depend on
anything that is learned from them, so they are as fresh as if drawn one batch at a time.
"""

import torch

from seqgan.core.batches import take
from seqgan.core.plain import StateDict
from seqgan.core.types import Batch, Generator, SampleRequest, SequenceSpace
from seqgan.estimators.base import hard_samples

ONE_BY_ONE = 16
"""Batches that are drawn one by one, until the generator counts as one that stays as it is: what
was drawn ahead is lost where it changes."""
AT_ONCE = 8
"""Batches that are drawn at once from then on."""


class DrawnAhead:
    """Hands out samples without conditions; `forget` them where the generator changes."""

    def __init__(self, space: SequenceSpace, device: torch.device) -> None:
        self._space = space
        self._device = device
        self._taken = 0
        self._left: Batch | None = None

    def take(self, generator: Generator, rows: int) -> Batch:
        """The next `rows` samples of the generator, which is to be in evaluation mode."""
        if self._left is None or len(self._left.x) < rows:
            batches = AT_ONCE if self._taken >= ONE_BY_ONE else 1
            drawn = hard_samples(generator, self._space, SampleRequest(batches * rows))
            self._left = Batch(drawn.ids_BT, drawn.mask_BT)
        self._taken += 1
        batch, self._left = take(self._left, slice(rows)), take(self._left, slice(rows, None))
        return batch

    def forget(self) -> None:
        """The generator is another one from now on."""
        self._taken, self._left = 0, None

    def state_dict(self) -> StateDict:
        left = self._left
        return {"taken": self._taken, "left": None if left is None else (left.x, left.mask)}

    def load_state_dict(self, state: StateDict) -> None:
        self._taken, left = state["taken"], state["left"]
        self._left = None if left is None else Batch(*(part.to(self._device) for part in left))
