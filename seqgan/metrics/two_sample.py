"""A classifier two-sample test: can a fresh classifier tell generated samples from real ones?

    w, b = argmin  mean softplus(−y (w·z + b)) + λ/2 ‖w‖²,   y = 1 real, −1 generated,   λ = 0.001

Lopez-Paz & Oquab 2017: its accuracy on samples that it was not fitted to, 0.5 where the two cannot
be told apart. Of the larger set as many samples as the other has are taken, spread over all. Every
second one of either set is fitted to, and the others are classified. The 95 % interval is Wilson's
(1927).

Deviation: logistic regression on features z, standardised by those that are fitted to, in place of
a network of its own: the result has no seed, and sees what is linear in the features.
"""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.batches import spread

RIDGE = 1e-3
Z95 = 1.959964
SMALLEST_STD = 1e-6


def two_sample_test(real_NF: Tensor, fake_MF: Tensor) -> dict[str, float]:
    """`two_sample_accuracy` with its interval, `two_sample_low` and `two_sample_high`.

    Raises `ValueError` for sets of fewer than 4 samples.
    """
    size = min(len(real_NF), len(fake_MF)) // 2 * 2
    if size < 4:
        raise ValueError(f"{size} samples cannot be halved; give at least 4")
    x_NF = torch.cat([x[spread(len(x), size)].cpu() for x in (real_NF, fake_MF)]).double()
    sign_N = torch.ones(2 * size, dtype=torch.float64)
    sign_N[size:] = -1
    fitted, tested = slice(0, None, 2), slice(1, None, 2)
    mean_F, std_F = x_NF[fitted].mean(0), x_NF[fitted].std(0).clamp(min=SMALLEST_STD)
    z_NF = (x_NF - mean_F) / std_F
    weight_F, bias = logistic_regression(z_NF[fitted], sign_N[fitted])
    right_N = (z_NF[tested] @ weight_F + bias) * sign_N[tested] > 0
    low, high = wilson_interval(int(right_N.sum()), len(right_N))
    accuracy = float(right_N.double().mean())
    return {"two_sample_accuracy": accuracy, "two_sample_low": low, "two_sample_high": high}


def logistic_regression(
    z_NF: Tensor, sign_N: Tensor, ridge: float = RIDGE
) -> tuple[Tensor, Tensor]:
    """Weights `w_F` and bias; `sign_N` is 1 or −1."""
    weight_F = torch.zeros_like(z_NF[0], requires_grad=True)
    bias = torch.zeros_like(sign_N[0], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_F, bias], max_iter=200, tolerance_grad=1e-8, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        margin_N = sign_N * (z_NF @ weight_F + bias)
        value = F.softplus(-margin_N).mean() + ridge / 2 * weight_F.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return weight_F.detach(), bias.detach()


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share, width = right / total, Z95**2 / total
    centre = (share + width / 2) / (1 + width)
    half = sqrt(width * (share * (1 - share) + width / 4)) / (1 + width)
    return centre - half, centre + half
