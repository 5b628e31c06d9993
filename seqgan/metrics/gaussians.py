"""Divergences between two Gaussians on the line, p = N(m, s²) and q = N(n, t²), in nats.

    kl          KL(p ‖ q) = log(t/s) + (s² + (m − n)²) / 2t² − ½
    reverse_kl  KL(q ‖ p)
    pearson     ∫ p²/q − 1 = t² e^{(m−n)²/v} / (s √v) − 1,  v = 2t² − s²;  infinite where v ≤ 0
    hellinger   ∫ (√p − √q)² = 2 − 2 √(2st / (s² + t²)) e^{−(m−n)² / 4(s² + t²)}
    js          KL(p ‖ (p+q)/2) + KL(q ‖ (p+q)/2), twice the Jensen–Shannon divergence
    gan         js − 2 log 2

js has no closed form: Simpson's rule over ten standard deviations to either side. The names and
factors are those of `objectives/f_divergences.py`, whose bounds this is the truth of.
"""

from math import exp, inf, log, pi, sqrt

import numpy as np

REACH = 10.0
"""Standard deviations to either side that are integrated over."""
POINTS = 20_001


def gaussian_divergences(
    mean_p: float, std_p: float, mean_q: float, std_q: float
) -> dict[str, float]:
    """The six numbers by name."""
    js = _twice_jensen_shannon(mean_p, std_p, mean_q, std_q)
    return {
        "kl": _kl(mean_p, std_p, mean_q, std_q),
        "reverse_kl": _kl(mean_q, std_q, mean_p, std_p),
        "pearson": _pearson(mean_p, std_p, mean_q, std_q),
        "hellinger": _hellinger(mean_p, std_p, mean_q, std_q),
        "js": js,
        "gan": js - 2 * log(2),
    }


def _kl(mean_p: float, std_p: float, mean_q: float, std_q: float) -> float:
    squares = std_p**2 + (mean_p - mean_q) ** 2
    return log(std_q / std_p) + squares / (2 * std_q**2) - 0.5


def _pearson(mean_p: float, std_p: float, mean_q: float, std_q: float) -> float:
    spread = 2 * std_q**2 - std_p**2
    if spread <= 0:
        return inf
    with np.errstate(over="ignore"):  # beyond the largest number it is infinite
        growth = float(np.exp((mean_p - mean_q) ** 2 / spread))
    return std_q**2 / (std_p * sqrt(spread)) * growth - 1


def _hellinger(mean_p: float, std_p: float, mean_q: float, std_q: float) -> float:
    squares = std_p**2 + std_q**2
    overlap = sqrt(2 * std_p * std_q / squares) * exp(-((mean_p - mean_q) ** 2) / (4 * squares))
    return 2 - 2 * overlap


def _twice_jensen_shannon(mean_p: float, std_p: float, mean_q: float, std_q: float) -> float:
    low = min(mean_p - REACH * std_p, mean_q - REACH * std_q)
    high = max(mean_p + REACH * std_p, mean_q + REACH * std_q)
    x_N = np.linspace(low, high, POINTS)
    log_p_N, log_q_N = _log_density(x_N, mean_p, std_p), _log_density(x_N, mean_q, std_q)
    log_middle_N = np.logaddexp(log_p_N, log_q_N) - log(2)
    terms_N = np.exp(log_p_N) * (log_p_N - log_middle_N)
    terms_N += np.exp(log_q_N) * (log_q_N - log_middle_N)
    weights_N = np.full(POINTS, 2.0)
    weights_N[1::2] = 4.0
    weights_N[[0, -1]] = 1.0
    return float((weights_N * terms_N).sum() * (x_N[1] - x_N[0]) / 3)


def _log_density(x_N: np.ndarray, mean: float, std: float) -> np.ndarray:
    return np.asarray(-0.5 * ((x_N - mean) / std) ** 2 - log(std * sqrt(2 * pi)))
