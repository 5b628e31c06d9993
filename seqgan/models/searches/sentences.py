"""Rows of tokens as sentences."""

from torch import Tensor

from seqgan.core.masks import mask_until_end
from seqgan.core.types import Batch, SequenceSpace


def until_end(ids_RT: Tensor, space: SequenceSpace) -> Batch:
    """The rows up to their first end token, which fills the columns behind it."""
    mask_RT = mask_until_end(ids_RT, space.end_id)
    if space.end_id is None:
        return Batch(ids_RT, mask_RT)
    return Batch(ids_RT.masked_fill(~mask_RT, space.end_id), mask_RT)
