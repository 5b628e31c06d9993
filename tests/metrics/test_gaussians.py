"""Divergences of Gaussians against sums over a grid."""

from math import inf, log

import pytest
import torch

from seqgan.metrics.gaussians import gaussian_divergences


@pytest.mark.parametrize(
    "pair", [(0.3, 0.8, -0.4, 1.1), (0.0, 1.0, 2.0, 1.5), (1.0, 0.5, 1.0, 2.0)]
)
def test_equals_integrals(pair) -> None:
    x = torch.linspace(-25, 25, 200_001, dtype=torch.float64)
    step = float(x[1] - x[0])
    log_p, log_q = (
        torch.distributions.Normal(torch.tensor(m), torch.tensor(s)).log_prob(x)
        for m, s in (pair[:2], pair[2:])
    )
    p, q, middle = log_p.exp(), log_q.exp(), torch.logaddexp(log_p, log_q) - log(2)
    js = float((p * (log_p - middle) + q * (log_q - middle)).sum()) * step
    assert gaussian_divergences(*pair) == pytest.approx(
        {
            "kl": float((p * (log_p - log_q)).sum()) * step,
            "reverse_kl": float((q * (log_q - log_p)).sum()) * step,
            "pearson": float((2 * log_p - log_q).exp().sum()) * step - 1,
            "hellinger": float((p.sqrt() - q.sqrt()).square().sum()) * step,
            "js": js,
            "gan": js - 2 * log(2),
        },
        rel=1e-5,
    )


def test_ends() -> None:
    """Equal, far apart, and a first one whose tails are too heavy for Pearson."""
    same = gaussian_divergences(1, 2, 1, 2)
    assert same == pytest.approx({**dict.fromkeys(same, 0), "gan": -2 * log(2)}, abs=1e-9)
    far = gaussian_divergences(0, 1, 60, 1)
    assert (far["js"], far["hellinger"]) == pytest.approx((2 * log(2), 2))
    assert gaussian_divergences(0, 1.5, 0, 1)["pearson"] == inf
