"""Prompts shorter than their row, filled up in front by the end token: rows without the fill.

What a network computes must not depend on the number of columns that takes. Rows are moved to the
left, or the fill is hidden by a mask.
"""

import torch
from torch import Tensor


def count_fill(prompt_BP: Tensor, fill_id: int | None) -> Tensor | None:
    """`fill_B`: the columns in front that hold nothing but `fill_id`; None where nothing is ever
    filled up."""
    if fill_id is None:
        return None
    return (prompt_BP == fill_id).cumprod(1).sum(1)


def move_left(x: Tensor, columns_B: Tensor) -> Tensor:
    """Rows of [B, T, ...] without their first columns, which come to stand behind all others."""
    return take_columns(x, columns_B, x.shape[1])


def take_columns(x: Tensor, first_B: Tensor, length: int) -> Tensor:
    """[B, length, ...] of [B, T, ...]: from column `first_B` on, in a circle."""
    index_BT = torch.arange(length, device=x.device) + first_B[:, None]
    index_BT = (index_BT % x.shape[1]).view(*index_BT.shape, *[1] * (x.dim() - 2))
    return x.gather(1, index_BT.expand(-1, -1, *x.shape[2:]))


def begun_columns(mask_BT: Tensor) -> Tensor:
    """`begun_BT`: True from the first column on that counts."""
    return mask_BT.cumsum(1) > 0


def without_fill(response_BWF: Tensor, begun_BT: Tensor | None) -> Tensor:
    """The responses to windows, w of which begins in column w, but −∞ where it has not begun."""
    if begun_BT is None:
        return response_BWF
    begun_BW = begun_BT[:, : response_BWF.shape[1]]
    return response_BWF.masked_fill(~begun_BW[..., None], -torch.inf)
