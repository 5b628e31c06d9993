"""MAUVE: how well two sets of samples cover each other, by clusters of their features.

    R_λ = λP + (1 − λ)Q,   C = {(exp(−c KL(Q‖R_λ)), exp(−c KL(P‖R_λ))) : 0 ≤ λ ≤ 1},   c = 5
    MAUVE = the area under C, between its ends and the axes too

Pillutla et al. 2021: P and Q are the shares of real and of generated samples in each of k clusters
that k-means finds in both sets together. Equal shares give 1, sets without a common cluster give
1 / binomial(2c, c) = 0.004. As in the authors' code, features have unit length and are projected
onto the principal components with 90 % of their variance, and k is a tenth of the smaller set.

Deviations: at most 500 clusters; 1,001 values of λ in place of 25, which makes the area exact to
four digits; one start of k-means, at random samples, for each seed in place of the best of five,
and at most 50 iterations. The value depends on the seed: take several, and their spread with it.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SCALE = 5.0
SAMPLES_PER_CLUSTER, MOST_CLUSTERS = 10, 500
VARIANCE_KEPT = 0.9
ITERATIONS = 50


def mauve(real_NF: Tensor, fake_MF: Tensor, seeds: int = 5) -> dict[str, float]:
    """`mauve`, the mean over k-means seeds 0, 1, …, and `mauve_spread`, largest minus smallest.

    Raises `ValueError` for sets of fewer than 20 samples, which make no two clusters.
    """
    smaller = min(len(real_NF), len(fake_MF))
    clusters = min(MOST_CLUSTERS, smaller // SAMPLES_PER_CLUSTER)
    if clusters < 2:
        least = 2 * SAMPLES_PER_CLUSTER
        raise ValueError(f"{smaller} samples make no two clusters; give at least {least}")
    x_LD = _components(torch.cat([real_NF.cpu(), fake_MF.cpu()]).double())
    values = []
    for seed in range(seeds):
        label_L = kmeans(x_LD, clusters, seed)
        real_N, fake_M = label_L.split([len(real_NF), len(fake_MF)])
        counts = [part.bincount(minlength=clusters).double() for part in (real_N, fake_M)]
        values.append(area_under_divergences(*(count_K / count_K.sum() for count_K in counts)))
    return {"mauve": float(np.mean(values)), "mauve_spread": max(values) - min(values)}


def area_under_divergences(
    p_K: Tensor, q_K: Tensor, scale: float = SCALE, points: int = 1001
) -> float:
    """MAUVE of two distributions on the same clusters."""
    lam_L1 = torch.linspace(0, 1, points, dtype=torch.float64)[:, None]
    mixture_LK = lam_L1 * p_K + (1 - lam_L1) * q_K
    x_L, y_L = (torch.exp(-scale * _kl(part_K, mixture_LK)) for part_K in (q_K, p_K))
    # From λ = 1, the left end, to λ = 0; left of the left end the height is 1.
    return float(x_L[-1] + torch.trapezoid(y_L.flip(0), x_L.flip(0)))


def kmeans(x_ND: Tensor, clusters: int, seed: int) -> Tensor:
    """The cluster of each sample, [N], by Lloyd's iterations from random samples."""
    stream = torch.Generator().manual_seed(seed)
    x_ND = x_ND.float()
    centre_KD = x_ND[torch.randperm(len(x_ND), generator=stream)[:clusters]]
    label_N = torch.full((len(x_ND),), -1)
    for _ in range(ITERATIONS):
        before_N = label_N
        # ‖x‖² is the same for all centres.
        label_N = torch.addmm(centre_KD.square().sum(1), x_ND, centre_KD.T, alpha=-2).argmin(1)
        if torch.equal(label_N, before_N):
            break
        count_K1 = label_N.bincount(minlength=clusters)[:, None]
        sum_KD = torch.zeros_like(centre_KD).index_add_(0, label_N, x_ND)
        # A cluster that nothing is nearest to stays where it is.
        centre_KD = torch.where(count_K1 > 0, sum_KD / count_K1, centre_KD)
    return label_N


def _components(x_ND: Tensor) -> Tensor:
    """Unit length, then the first principal components."""
    x_ND = F.normalize(x_ND)
    x_ND = x_ND - x_ND.mean(0)
    variance_D, axes_DD = torch.linalg.eigh(x_ND.T @ x_ND)
    share_D = variance_D.flip(0).clamp(min=0).cumsum(0)
    kept = int((share_D < VARIANCE_KEPT * share_D[-1]).sum()) + 1
    x_ND = x_ND @ axes_DD.flip(1)[:, :kept]
    return x_ND


def _kl(p_K: Tensor, mixture_LK: Tensor) -> Tensor:
    """KL(p‖r) in nats for each row r of the mixtures, infinite where r lacks what p has: [L]."""
    terms_LK = p_K * (p_K.log() - mixture_LK.log())
    return torch.where(p_K > 0, terms_LK, 0).sum(1)
