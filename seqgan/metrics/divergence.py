"""Divergences between two distributions over sequences whose densities are both known.

p is the truth (an oracle), q the generator; everything in nats.

    KL(p‖q)  = E_p[log p − log q]      large where the generator lacks sequences of the truth
    KL(q‖p)  = E_q[log q − log p]      large where it writes sequences that the truth lacks
    JSD(p,q) = ½ KL(p‖m) + ½ KL(q‖m),  m = (p + q)/2,  at most ln 2 = 0.693

Exact where all V^T sequences can be listed, else Monte-Carlo means over samples of both. A
generated sequence that the oracle excludes makes KL(q‖p) infinite; that is reported, not hidden.
"""

from math import log

import torch
from torch import Tensor


def exact_divergences(logp_R: Tensor, logq_R: Tensor) -> dict[str, float]:
    """KL in both directions and JSD, per sequence, from log-probabilities of all sequences."""
    logp_R, logq_R = logp_R.cpu().double(), logq_R.cpu().double()  # mps has no float64
    logm_R = torch.logaddexp(logp_R, logq_R) - log(2)
    return {
        "kl_forward": _kl(logp_R, logq_R),
        "kl_reverse": _kl(logq_R, logp_R),
        "jsd": 0.5 * _kl(logp_R, logm_R) + 0.5 * _kl(logq_R, logm_R),
    }


def _kl(loga_R: Tensor, logb_R: Tensor) -> float:
    ratio_R = loga_R - logb_R
    # A probability that underflows to 0 is still positive: excluded by b, it costs infinity.
    terms_R = torch.where(ratio_R == torch.inf, ratio_R, loga_R.exp() * ratio_R)
    return float(torch.where(loga_R == -torch.inf, 0.0, terms_R).sum())


def sampled_divergences(
    logp_of_real: Tensor, logq_of_real: Tensor, logp_of_fake: Tensor, logq_of_fake: Tensor
) -> dict[str, float]:
    """The same by Monte-Carlo, from log-densities [R] of samples of p (real) and q (fake)."""
    p_real, q_real = logp_of_real.cpu().double(), logq_of_real.cpu().double()
    p_fake, q_fake = logp_of_fake.cpu().double(), logq_of_fake.cpu().double()
    to_middle_real = p_real - torch.logaddexp(p_real, q_real) + log(2)
    to_middle_fake = q_fake - torch.logaddexp(p_fake, q_fake) + log(2)
    return {
        "kl_forward": float((p_real - q_real).mean()),
        "kl_reverse": float((q_fake - p_fake).mean()),
        "jsd": float(0.5 * to_middle_real.mean() + 0.5 * to_middle_fake.mean()),
    }
