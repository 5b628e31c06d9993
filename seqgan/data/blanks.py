"""Sentences with blanks, the condition of a generator that fills them.

A share of each sentence's tokens is blanked, drawn evenly between two limits: one run of tokens
at a place drawn evenly (`contiguous`), or each token by itself. Where the end token is blanked so
is what stands behind it, so that the length of a fully blanked sentence is hidden.

The draws are torch's, on the device.
"""

import torch
from torch import Tensor

from seqgan.core.plain import StateDict
from seqgan.core.types import Batch
from seqgan.data.stream import Batches


def blanked(batch: Batch, blank_id: int, shares: tuple[float, float], contiguous: bool) -> Tensor:
    """`ids_BT` of the sentences with `blank_id` at the blanked columns."""
    assert batch.mask is not None, "sequences have masks"
    mask_BT, device = batch.mask, batch.x.device
    low, high = shares
    share_B1 = low + (high - low) * torch.rand(len(batch.x), 1, device=device)
    length_B1 = mask_BT.sum(1, keepdim=True)
    if contiguous:
        run_B1 = (share_B1 * length_B1).round()
        first_B1 = (torch.rand_like(share_B1) * (length_B1 - run_B1 + 1)).floor()
        column_T = torch.arange(mask_BT.shape[1], device=device)
        hidden_BT = (column_T >= first_B1) & (column_T < first_B1 + run_B1)
    else:
        hidden_BT = torch.rand(mask_BT.shape, device=device) < share_B1
    last_hidden_B1 = hidden_BT.gather(1, length_B1 - 1)
    hidden_BT = torch.where(mask_BT, hidden_BT, last_hidden_B1)
    return batch.x.masked_fill(hidden_BT, blank_id)


class BlankingStream:
    """A stream whose sentences come with their blanked versions as conditions."""

    def __init__(
        self,
        stream: Batches,
        blank_id: int,
        shares: tuple[float, float],
        contiguous: bool,
    ) -> None:
        self.batch_size = stream.batch_size
        self._stream = stream
        self._blank_id = blank_id
        self._shares = shares
        self._contiguous = contiguous

    def next(self) -> Batch:
        """The next `batch_size` sentences, each with `cond` [T]."""
        real = self._stream.next()
        cond = blanked(real, self._blank_id, self._shares, self._contiguous)
        return Batch(real.x, real.mask, cond)

    def state_dict(self) -> StateDict:
        return self._stream.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        self._stream.load_state_dict(state)
