"""Modes of a mixture whose centres are known, and classes that a classifier tells apart.

    high_quality  share of points within 3 σ of the nearest centre (1 − e^−4.5 = 0.989 of a
                  Gaussian's own points in the plane)
    modes         centres that have at least `least` high-quality points
    mode_kl       KL(q ‖ uniform) of the high-quality points' shares q of the centres, nats;
                  log K where all are at one centre

Used since Metz et al. 2017 and Srivastava et al. 2017; the numbers say little without each other.

Of classes there are `modes` and `mode_kl` alone: a classifier names any sample, good or not. Real
samples of K equally frequent classes have a `mode_kl` of about (K − 1) / 2N, not 0: .019 for 26,000
of 1,000.
"""

from math import log

import torch
from torch import Tensor

WITHIN = 3.0
"""Standard deviations around a centre that count as high quality."""


def mode_coverage(
    points_ND: Tensor, centres_KD: Tensor, std: float, least: int = 20
) -> dict[str, float]:
    """The three numbers. Without a high-quality point `mode_kl` is infinite."""
    nearest = torch.cdist(points_ND.double(), centres_KD.double()).min(1)
    good_N = nearest.values <= WITHIN * std
    counts_K = nearest.indices[good_N].bincount(minlength=len(centres_KD)).double()
    share_K = counts_K / counts_K.sum()
    entropy = float(torch.special.entr(share_K).sum())
    return {
        "modes": float((counts_K >= least).sum()),
        "high_quality": float(good_N.double().mean()),
        "mode_kl": log(len(centres_KD)) - entropy if good_N.any() else float("inf"),
    }


def class_coverage(ids_N: Tensor, classes: int) -> dict[str, float]:
    """`modes`, classes that have at least one sample, and `mode_kl`, of class numbers from 0."""
    if not len(ids_N):
        raise ValueError("an empty set has no modes")
    counts_K = ids_N.cpu().bincount(minlength=classes).double()
    entropy = float(torch.special.entr(counts_K / counts_K.sum()).sum())
    return {"modes": float((counts_K > 0).sum()), "mode_kl": max(0.0, log(classes) - entropy)}
