"""Masks over sequences: which columns are part of the sentence."""

import torch
from torch import Tensor


def mask_until_end(ids_BT: Tensor, end_id: int | None) -> Tensor:
    """True up to and including the first end token; all True where there is none."""
    if end_id is None:
        return torch.ones_like(ids_BT, dtype=torch.bool)
    ended_BT = ids_BT == end_id
    ended_before_BT = ended_BT.long().cumsum(1) - ended_BT.long()
    return ended_before_BT == 0


def longest(mask_BT: Tensor) -> int:
    """Columns of the longest sentence of a batch. Asking a GPU for it would make a step wait, so
    there it is all columns."""
    if mask_BT.device.type != "cpu":
        return mask_BT.shape[1]
    return int(mask_BT.sum(1).max())


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of the entries that count, as a scalar. One denominator for the whole batch."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.sum().clamp(min=1)


def mean_per_row(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over the columns that count, one value per row: [B]."""
    return (values_BT * mask_BT).sum(1) / mask_BT.sum(1).clamp(min=1)
