"""A critic's logit as a log density ratio: f(x) = log p(x) / G(x), as far as the critic knows it.

    f(x) = clip(α·d(x) + β·log G(x) + c, −B, b)        G_f(x) = G(x) · e^{f(x)} / Z,  Z = E_G[e^f]

`metrics/certificate.py` fits α, β, c and measures what f is worth; `decoding/correction.py` draws
from G_f. All numbers here are those of whole sequences, in nats.
"""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

_BLOCK_ENTRIES = 4_000_000
"""Entries of a table that is held at once: 32 MB."""
_MOST_SETS = 2_000
"""Sets of rivals that every sentence meets; more would add time and little precision."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a critic's logits and the generator's log-probabilities become f."""

    alpha: float
    """Factor on the critic's logit; 0: the critic has no say."""
    beta: float
    """Exponent of the generator's probability; 0: its density is not needed."""
    offset: float
    """c, so that E_G[e^f] = 1 on the samples that it was fitted to."""
    clip: float
    """B: f is never below −B."""
    ceiling: float | None = None
    """b: f is never above it; None: B. The lower it is, the more samples does rejection accept."""

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest value that f can have."""
        return -self.clip, self.clip if self.ceiling is None else min(self.clip, self.ceiling)

    def log_weight(self, d_N: Tensor, logg_N: Tensor | None = None) -> Tensor:
        """`f_N` in float64, which mps has not, so on the CPU. `logg_N` may be None where β is 0."""
        raw_N = self.alpha * d_N.cpu().double() + self.offset
        if self.beta != 0:
            assert logg_N is not None, "the calibration has a power of the generator's density"
            raw_N = raw_N + self.beta * logg_N.cpu().double()
        return raw_N.clamp(*self.limits)


def log_mean_exp(f_M: Tensor) -> Tensor:
    """log 1/M Σ e^f, a scalar in float64: an estimate of log Z from samples of the generator."""
    return f_M.double().logsumexp(0) - log(len(f_M))


def resampling_terms(f_N: Tensor, f_fake_M: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """What drawing 1 of n samples by weights e^f adds to the log-likelihood of x, at least:

        log n + f(x) − log(e^{f(x)} + Σ_{j<n} e^{f(x_j)}),   x_j from the generator

    averaged over sets of n − 1 samples, into which `f_fake_M` is divided in its order: `mean_N`
    over the K sets, at most 2,000, for each x, and `mean_K` over all x for each set. Raises
    `ValueError` where the samples do not make two sets.
    """
    sets = min(_MOST_SETS, len(f_fake_M) // max(n - 1, 1))
    if n < 1 or sets < 2:
        raise ValueError(f"{len(f_fake_M)} samples do not make two sets of {n - 1}; draw more")
    f_N, f_fake_M = f_N.double(), f_fake_M.double()
    if n == 1:
        return torch.zeros_like(f_N), torch.zeros_like(f_fake_M)
    rivals_K = f_fake_M[: sets * (n - 1)].view(sets, n - 1).logsumexp(1)
    total_N, means = torch.zeros_like(f_N), []
    for rivals_k in rivals_K.split(max(1, _BLOCK_ENTRIES // len(f_N))):
        terms_Nk = log(n) + f_N[:, None] - torch.logaddexp(f_N[:, None], rivals_k)
        total_N += terms_Nk.sum(1)
        means.append(terms_Nk.mean(0))
    return total_N / sets, torch.cat(means)
