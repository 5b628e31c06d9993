"""Does a generator copy its training data? Distances to the nearest training sample.

Held-out samples of the same distribution are the yardstick: what a generator that has learned and
not memorised makes lies as far from the training data as they do.

    duplicates     share of generated samples nearer to a training sample than 99 % of the held-out
                   ones are; 0.01 is what held-out data themselves have
    nearest_ratio  median distance of generated samples / median distance of held-out ones;
                   about 1 is right, 0 is a copier
    copy_p_value   one-sided Mann–Whitney test: how likely distances this small would be if
                   generated samples were no nearer to the training data than held-out ones

A small ratio can also mean that a generator makes typical samples only. Copies are what is both
near and *exact*: look at `duplicates` and at the sheet of neighbours.
"""

import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from seqgan.metrics.neighbours import distance_chunks

DUPLICATE_QUANTILE = 0.01


def memorisation(fake_NF: Tensor, heldout_MF: Tensor, train_KF: Tensor) -> dict[str, float]:
    """The three numbers, from features or flat pictures."""
    fake_N = nearest_distances(fake_NF, train_KF).double()
    heldout_M = nearest_distances(heldout_MF, train_KF).double()
    edge = torch.quantile(heldout_M, DUPLICATE_QUANTILE)
    test = mannwhitneyu(fake_N.cpu().numpy(), heldout_M.cpu().numpy(), alternative="less")
    median = heldout_M.median().clamp(min=torch.finfo(torch.float64).tiny)
    return {
        "duplicates": float((fake_N < edge).double().mean()),
        "nearest_ratio": float(fake_N.median() / median),
        "copy_p_value": float(test.pvalue),
    }


def nearest_distances(query_NF: Tensor, train_MF: Tensor) -> Tensor:
    """Euclidean distance of each query to its nearest training sample: [N]."""
    chunks = distance_chunks(query_NF.float(), train_MF.float())
    return torch.cat([table_RM.amin(1) for _, table_RM in chunks])


def nearest_indices(query_NF: Tensor, train_MF: Tensor) -> Tensor:
    """Which training sample is nearest to each query: [N]."""
    chunks = distance_chunks(query_NF.float(), train_MF.float())
    return torch.cat([table_RM.argmin(1) for _, table_RM in chunks])
