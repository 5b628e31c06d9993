"""Perturbed log-probabilities, given which of them is the largest.

z = log π + g with g ~ Gumbel(0, 1) has argmax b ~ π. With b given, and E ~ Exp(1) for each token
(Maddison 2014, *A\\* sampling*; Tucker 2017, Paulus 2021):

    z_b = −log E_b                        the maximum of all: Gumbel(log Σ π = 0), whatever b is
    z_i = −log(E_i / π_i + E_b)           Gumbel(log π_i), cut off at z_b

Over b ~ π this is the law of log π + g again. With E held fixed, z is a differentiable function of
log π. Deviation: sums are taken in the log domain, where a probability of e^-160 does not vanish.
"""

import torch
from torch import Tensor

from seqgan.decoding import gumbel_noise

_IMPOSSIBLE = -1e30
"""Stands for log 0: finite, without gradient, never the largest."""


def conditional_gumbels(logp_RV: Tensor, ids_R: Tensor) -> Tensor:
    """`z_RV`, float32 and finite: log π + Gumbel noise, drawn given that `ids_R` are its argmax.

    `logp_RV` are normalised log-probabilities; z is differentiable in them. (Rounding makes another
    entry equal to the maximum about once in 10⁷ draws: take the token from `ids_R`.)
    """
    logp_RV = logp_RV.float().clamp(min=_IMPOSSIBLE)
    log_e_RV = -gumbel_noise(logp_RV)
    chosen_R1 = ids_R[:, None]
    log_e_R1 = log_e_RV.gather(-1, chosen_R1)
    z_RV = -torch.logaddexp(log_e_RV - logp_RV, log_e_R1)
    return z_RV.scatter(-1, chosen_R1, -log_e_R1)
