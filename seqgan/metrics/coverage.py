"""Precision, recall, density and coverage: nearest neighbours instead of moments.

With NND_k(x) the distance of x to its k-th nearest neighbour in its own set, and
B(x) the ball around x with that radius:

    precision  share of generated samples inside the ball of at least one real one
    recall     share of real samples inside the ball of at least one generated one
    density    mean over generated samples of (number of real balls that hold it) / k
    coverage   share of real samples whose ball holds at least one generated one

Precision and recall: Kynkäänniemi et al. 2019. Density and coverage: Naeem et al. 2020; they do
not give an outlier's large ball the same say. A perfect generator does not reach 1: for equal
distributions and large sets E[coverage] = 1 − 2^−k (0.969 at k = 5), so a row for real data
stands beside every result.

Tables of distances are computed in blocks: memory is a few blocks, whatever the sets' sizes.
"""

import torch
from torch import Tensor

from seqgan.metrics.neighbours import distance_chunks


def prdc(real_NF: Tensor, fake_MF: Tensor, neighbours: int = 5) -> dict[str, float]:
    """The four numbers, for sets of more than `neighbours` samples; else `ValueError`."""
    for features in (real_NF, fake_MF):
        if len(features) <= neighbours:
            raise ValueError(f"{len(features)} samples have no neighbour number {neighbours}")
    real_NF, fake_MF = real_NF.float(), fake_MF.float()
    radius_real_N = _radii(real_NF, neighbours)
    radius_fake_M = _radii(fake_MF, neighbours)
    covered_N = torch.zeros(len(real_NF), dtype=torch.bool, device=real_NF.device)
    recalled_N = torch.zeros_like(covered_N)
    precise = inside = 0
    for rows, table_RN in distance_chunks(fake_MF, real_NF):
        within_real = table_RN <= radius_real_N
        precise += int(within_real.any(1).sum())
        inside += int(within_real.sum())
        covered_N |= within_real.any(0)
        recalled_N |= (table_RN <= radius_fake_M[rows, None]).any(0)
    return {
        "precision": precise / len(fake_MF),
        "recall": float(recalled_N.float().mean()),
        "density": inside / (neighbours * len(fake_MF)),
        "coverage": float(covered_N.float().mean()),
    }


def _radii(features_NF: Tensor, neighbours: int) -> Tensor:
    """Distance of each sample to its k-th nearest neighbour, itself not counted: [N]."""
    radii = []
    for rows, table_RN in distance_chunks(features_NF, features_NF):
        own = torch.arange(rows.start, rows.stop, device=table_RN.device)
        table_RN[own - rows.start, own] = torch.inf
        radii.append(table_RN.kthvalue(neighbours, dim=1).values)
    return torch.cat(radii)
