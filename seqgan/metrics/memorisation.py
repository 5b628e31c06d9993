"""Does a generator copy its training data? Distances to the nearest training sample.

Compared with held-out samples, which are as far from the training data as new samples should be:

    duplicates     share of generated samples at most as far from the training data as the nearest
                   1 % of the held-out ones are; held-out data themselves have 0.01
    nearest_ratio  median distance of generated samples / median distance of held-out ones;
                   about 1 is right, 0 is a copier
    copy_p_value   one-sided Mann–Whitney test: how likely distances this small would be if
                   generated samples were no nearer to the training data than held-out ones

The bound of `duplicates` is the ⌊0.01 (M − 1)⌋-th smallest held-out distance from 0, itself
included. A sample of the data's distribution is within it with a probability of about
max(0.01, 1/(M + 1)) where samples never repeat. Where more than 1 % of the held-out samples are in
the training data, the bound is 0, and `duplicates` is the share of exact copies.

A small ratio and p-value can also mean that a generator makes typical samples only, which lie
where the training data are dense: look at `duplicates` and the picture of neighbours as well.

The neighbour is found by matrix products in float64, in blocks; its distance is taken from the
difference of the two samples: an exact copy has distance 0.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

NEAR_QUANTILE = 0.01
BLOCK = 2048
"""Rows of queries, and of training samples, that meet at once: tables of 32 MB."""


def memorisation(fake_NF: Tensor, heldout_MF: Tensor, train_KF: Tensor) -> dict[str, float]:
    """The three numbers, from features or flat pictures. Raises `ValueError` for an empty set."""
    sets = fake_NF, heldout_MF
    return compare_distances(*(nearest_distances(features, train_KF) for features in sets))


def compare_distances(fake_distance_N: Tensor, heldout_distance_M: Tensor) -> dict[str, float]:
    """The three numbers from the distances of both sets to their nearest training samples.

    The ratio is infinite, or NaN if both medians are 0, where most held-out samples are copies.
    """
    from scipy.stats import mannwhitneyu  # half a second that runs on text need not wait

    fake_N, heldout_M = fake_distance_N.cpu().numpy(), heldout_distance_M.cpu().numpy()
    edge = np.quantile(heldout_M, NEAR_QUANTILE, method="lower")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.median(fake_N) / np.median(heldout_M)
    return {
        "duplicates": float((fake_N <= edge).mean()),
        "nearest_ratio": float(ratio),
        "copy_p_value": float(mannwhitneyu(fake_N, heldout_M, alternative="less").pvalue),
    }


def nearest_distances(query_NF: Tensor, train_MF: Tensor) -> Tensor:
    """Euclidean distance of each query to its nearest training sample: [N], float64."""
    found = _nearest(query_NF, train_MF)
    return torch.cat([(query_RF - train_RF).norm(dim=1) for query_RF, train_RF, _ in found])


def nearest_indices(query_NF: Tensor, train_MF: Tensor) -> Tensor:
    """Which training sample is nearest to each query: [N]."""
    return torch.cat([index_R for _, _, index_R in _nearest(query_NF, train_MF)])


def _nearest(query_NF: Tensor, train_MF: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(queries, their neighbours, the neighbours' indices) for blocks of queries."""
    for name, features in (("query", query_NF), ("training", train_MF)):
        if not len(features):
            raise ValueError(f"the {name} set has no sample")
    # mps has no float64
    device = torch.device("cpu") if query_NF.device.type == "mps" else query_NF.device
    query_NF, train_MF = query_NF.to(device), train_MF.to(device)
    centre_F = train_MF.mean(0, dtype=torch.float64)
    for query_RF in query_NF.split(BLOCK):
        index_R = _search(query_RF.double() - centre_F, train_MF, centre_F)
        yield query_RF.double(), train_MF[index_R].double(), index_R


def _search(query_RF: Tensor, train_MF: Tensor, centre_F: Tensor) -> Tensor:
    """Index of the nearest training sample, by ‖y‖² − 2 x·y: ‖x‖² is the same for all of them."""
    best_R = torch.full_like(query_RF[:, 0], torch.inf)
    index_R = torch.zeros_like(best_R, dtype=torch.long)
    for number, part in enumerate(train_MF.split(BLOCK)):
        part_PF = part.double() - centre_F
        table_RP = torch.addmm(part_PF.square().sum(1), query_RF, part_PF.T, alpha=-2)
        nearest = table_RP.min(1)
        index_R = torch.where(nearest.values < best_R, nearest.indices + number * BLOCK, index_R)
        best_R = torch.minimum(nearest.values, best_R)
    return index_R
