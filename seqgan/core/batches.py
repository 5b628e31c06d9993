"""Rows of batches: chosen, taken and joined."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqgan.core.types import Batch


def spread(count: int, most: int | None) -> Tensor:
    """At most so many of `count` rows, evenly spread, since files may be sorted."""
    if most is None or most >= count:
        return torch.arange(count)
    return torch.arange(most) * count // most


def take(batch: Batch, rows: Tensor | slice) -> Batch:
    """These rows, in this order."""
    return Batch(
        batch.x[rows],
        None if batch.mask is None else batch.mask[rows],
        None if batch.cond is None else batch.cond[rows],
    )


def join(batches: Sequence[Batch]) -> Batch:
    """The rows of all batches, one after the other; they agree in whether they have masks and
    conditions."""
    return Batch(
        torch.cat([batch.x for batch in batches]),
        _cat([batch.mask for batch in batches]),
        _cat([batch.cond for batch in batches]),
    )


def _cat(parts: list[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
