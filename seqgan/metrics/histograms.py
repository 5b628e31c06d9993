"""Total variation between the class histograms of two sets: ½ Σ_k |p_k − q_k|, from 0 to 1.

A generator that repeats one good sample, whose class has probability p, is at distance 1 − p.
"""

from torch import Tensor


def total_variation(first_N: Tensor, second_M: Tensor, classes: int) -> float:
    """Of two sets of class numbers in [0, classes); else, or for an empty set, `ValueError`."""
    p_K, q_K = _shares(first_N, classes), _shares(second_M, classes)
    return float(0.5 * (p_K - q_K).abs().sum())


def _shares(ids_N: Tensor, classes: int) -> Tensor:
    if not len(ids_N):
        raise ValueError("an empty set has no histogram")
    if ids_N.min() < 0 or ids_N.max() >= classes:
        found = f"[{int(ids_N.min())}, {int(ids_N.max())}]"
        raise ValueError(f"class numbers in {found}, but {classes} classes")
    return ids_N.cpu().bincount(minlength=classes).double() / len(ids_N)
