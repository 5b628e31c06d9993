"""Kernel distance between two sets of features: the unbiased squared MMD with a cubic kernel.

    k(x, y) = (x·y / F + 1)³
    MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) − 2 mean_{i,j} k(x_i, y_j)

Bińkowski et al. 2018 (KID): the mean over random subsets. Unbiased, so it may be slightly negative;
it compares moments up to the third, the Fréchet distance up to the second.
"""

import numpy as np
import torch
from torch import Tensor


def kernel_distance(
    real_NF: Tensor, fake_NF: Tensor, subsets: int = 20, subset_size: int = 1000, seed: int = 0
) -> float:
    """Mean MMD² over `subsets` pairs of subsets, drawn from `seed`; no global stream is touched.

    Subsets are no larger than the sets. Raises `ValueError` below two samples.
    """
    size = min(subset_size, len(real_NF), len(fake_NF))
    if size < 2:
        raise ValueError(f"{size} samples have no pairs; give at least 2")
    random = np.random.Generator(np.random.PCG64(seed))
    real_NF, fake_NF = real_NF.cpu().double(), fake_NF.cpu().double()
    distances = [
        squared_mmd(_subset(real_NF, size, random), _subset(fake_NF, size, random))
        for _ in range(subsets)
    ]
    return float(np.mean(distances))


def squared_mmd(x_NF: Tensor, y_MF: Tensor) -> float:
    """The unbiased estimate for two whole sets."""
    within_x = _mean_off_diagonal(_kernel(x_NF, x_NF))
    within_y = _mean_off_diagonal(_kernel(y_MF, y_MF))
    return float(within_x + within_y - 2 * _kernel(x_NF, y_MF).mean())


def _kernel(x_NF: Tensor, y_MF: Tensor) -> Tensor:
    return (x_NF @ y_MF.T / x_NF.shape[1] + 1) ** 3


def _mean_off_diagonal(table_NN: Tensor) -> Tensor:
    count = len(table_NN)
    return (table_NN.sum() - table_NN.diagonal().sum()) / (count * (count - 1))


def _subset(features_NF: Tensor, size: int, random: np.random.Generator) -> Tensor:
    rows = random.choice(len(features_NF), size, replace=False)
    return features_NF[torch.from_numpy(rows)]
