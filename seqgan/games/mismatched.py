"""Conditions that do not belong to their samples: further negatives for a conditional critic.

A real picture under a wrong label, a real reply to another post (Reed et al. 2016).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.types import Batch


@dataclass(frozen=True, slots=True)
class Mismatched:
    """Real samples with wrong conditions as further negatives."""

    share: float
    """Their part in the critic's loss on what is not real, in (0, 1)."""
    wrong: Callable[[Tensor], Tensor]
    """From the conditions of a batch to other ones."""

    def batch(self, real: Batch) -> Batch:
        """The real samples, each with a wrong condition."""
        assert real.cond is not None, "real samples come with conditions"
        return Batch(real.x, real.mask, self.wrong(real.cond))


def wrong_prompts(cond_BP: Tensor) -> Tensor:
    """For each row the next different prompt, of the batch as a ring; its own if all are equal."""
    row_B = torch.arange(len(cond_BP), device=cond_BP.device)
    next_BB = (row_B[:, None] + row_B + 1) % len(cond_BP)  # the last of each is the row itself
    differs_BB = (cond_BP[next_BB] != cond_BP[:, None]).any(-1)
    first_B1 = differs_BB.long().argmax(1, keepdim=True)  # the first of equals
    return cond_BP[next_BB.gather(1, first_B1).squeeze(1)]


def wrong_labels(cond_BA: Tensor, sizes_A: Tensor) -> Tensor:
    """Labels of which exactly one, drawn for each row, is replaced by another of its classes."""
    column_B1 = torch.randint(len(sizes_A), (len(cond_BA), 1), device=cond_BA.device)
    sizes_B1 = sizes_A[column_B1]
    shift_B1 = 1 + (torch.rand(column_B1.shape, device=cond_BA.device) * (sizes_B1 - 1)).long()
    right_B1 = cond_BA.gather(1, column_B1)
    wrong_B1 = (right_B1 + shift_B1.clamp(max=sizes_B1 - 1)) % sizes_B1
    return cond_BA.scatter(1, column_B1, wrong_B1)
