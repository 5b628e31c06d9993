"""Total variation between the class histograms of two sets: ½ Σ_k |p_k − q_k|, from 0 to 1.

Between the attributes of generated samples and the true ones it is what a good sample, repeated for
ever, fails at: one class of probability p has a distance of 1 − p.
"""

from torch import Tensor


def total_variation(first_N: Tensor, second_M: Tensor, classes: int) -> float:
    """Of two sets of class numbers below `classes`."""
    p_K = first_N.bincount(minlength=classes).double() / len(first_N)
    q_K = second_M.bincount(minlength=classes).double() / len(second_M)
    return float(0.5 * (p_K - q_K).abs().sum())
