"""Euclidean distances between two sets of features, a chunk of rows at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK_ENTRIES = 16_000_000
"""Entries of a table of distances held at once: 64 MB."""


def distance_chunks(query_NF: Tensor, other_MF: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """(rows, distances [rows, M]) for blocks of `query_NF`.

    By matrix products; the mean of `other_MF` is subtracted first, which keeps rounding small
    where features lie far from the origin. Distances below about 1e-3 of the features' spread are
    rounding.
    """
    centre_F = other_MF.mean(0, keepdim=True)
    query_NF, other_MF = query_NF - centre_F, other_MF - centre_F
    squared_M = other_MF.square().sum(1)
    rows = max(1, CHUNK_ENTRIES // max(1, len(other_MF)))
    for first in range(0, len(query_NF), rows):
        block_RF = query_NF[first : first + rows]
        table_RM = torch.addmm(squared_M[None], block_RF, other_MF.T, alpha=-2)
        table_RM += block_RF.square().sum(1, keepdim=True)
        yield slice(first, first + len(block_RF)), table_RM.clamp_(min=0).sqrt_()
