"""Precision, recall, density and coverage: nearest neighbours instead of moments.

With NND_k(x) the distance of x to its k-th nearest neighbour in its own set, and
B(x) the ball around x with that radius:

    precision  share of generated samples inside the ball of at least one real one
    recall     share of real samples inside the ball of at least one generated one
    density    mean over generated samples of (number of real balls that hold it) / k
    coverage   share of real samples whose ball holds at least one generated one

Precision and recall: Kynkäänniemi et al. 2019. Density and coverage: Naeem et al. 2020; an
outlier's large ball weighs less in them. A perfect generator does not reach 1: for equal
distributions and large sets E[coverage] = 1 − 2^−k (0.969 at k = 5).

Squared distances come from matrix products in float64, in blocks, with the real mean subtracted. A
ball is closed, as in both papers (the code of Naeem et al. leaves its surface out), and wide enough
for rounding: ties count as inside, and duplicates too where a radius is 0.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK_ENTRIES = 4_000_000
"""Entries of a table of distances held at once: 32 MB."""
ROUNDING = 1e-12
"""Of a squared distance, relative to the squared norms and radii that go into it."""


def prdc(real_NF: Tensor, fake_MF: Tensor, neighbours: int = 5) -> dict[str, float]:
    """The four numbers, for sets of more than `neighbours` samples; else `ValueError`."""
    for features in (real_NF, fake_MF):
        if len(features) <= neighbours:
            raise ValueError(f"{len(features)} samples have no neighbour number {neighbours}")
    # mps has no float64
    device = torch.device("cpu") if real_NF.device.type == "mps" else real_NF.device
    real_NF, fake_MF = real_NF.to(device).double(), fake_MF.to(device).double()
    centre_F = real_NF.mean(0)
    real_NF, fake_MF = real_NF - centre_F, fake_MF - centre_F

    norm_N = real_NF.square().sum(1)
    edge_N = _squared_radii(real_NF, neighbours) - norm_N
    radius_M = _squared_radii(fake_MF, neighbours)
    precise_M = torch.zeros(len(fake_MF), dtype=torch.bool, device=device)
    covered = recalled = inside = 0
    for rows, table_RM in _blocks(real_NF, fake_MF):
        in_real_RM = table_RM <= edge_N[rows, None]
        precise_M |= in_real_RM.any(0)
        covered += int(in_real_RM.any(1).sum())
        inside += int(in_real_RM.count_nonzero())
        table_RM -= radius_M
        recalled += int((table_RM.amin(1) <= -norm_N[rows]).sum())
    return {
        "precision": float(precise_M.double().mean()),
        "recall": recalled / len(real_NF),
        "density": inside / (neighbours * len(fake_MF)),
        "coverage": covered / len(real_NF),
    }


def _blocks(x_NF: Tensor, y_MF: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """(rows, ‖x − y‖² − ‖x‖² [rows, M]): what a row lacks is the same in all its columns."""
    norm_M = y_MF.square().sum(1)
    size = max(1, BLOCK_ENTRIES // len(y_MF))
    for first in range(0, len(x_NF), size):
        block_RF = x_NF[first : first + size]
        yield (
            slice(first, first + len(block_RF)),
            torch.addmm(norm_M, block_RF, y_MF.T, alpha=-2),
        )


def _squared_radii(x_NF: Tensor, neighbours: int) -> Tensor:
    """To the k-th nearest neighbour, the sample itself not counted, widened for rounding: [N]."""
    nearest = []
    for rows, table_RN in _blocks(x_NF, x_NF):
        table_RN.diagonal(rows.start).fill_(torch.inf)
        # topk is several times as fast as kthvalue
        nearest.append(table_RN.topk(neighbours, dim=1, largest=False).values[:, -1])
    norm_N = x_NF.square().sum(1)
    squared_N = (torch.cat(nearest) + norm_N).clamp(min=0)
    return squared_N + ROUNDING * (squared_N + norm_N)
