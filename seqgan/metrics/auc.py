"""The area under the ROC curve: how well a score puts one kind of samples above another.

    AUC = P(s(x) > s(y)) + ½ P(s(x) = s(y)),   x of the one kind, y of the other

1: every x above every y; .5: it cannot tell them apart (Hanley & McNeil 1982).
"""

import torch
from torch import Tensor


def area_under_curve(above_N: Tensor, below_M: Tensor) -> float:
    """AUC of scores that should be high and scores that should be low."""
    below_M = below_M.double().cpu().sort().values
    above_N = above_N.double().cpu()
    smaller_N = torch.searchsorted(below_M, above_N, right=False)
    not_larger_N = torch.searchsorted(below_M, above_N, right=True)
    return float((smaller_N + not_larger_N).double().mean()) / (2 * len(below_M))
