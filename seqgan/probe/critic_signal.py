"""Whether the critic carries a signal at all.

    rank_correlation   Spearman's, of the critic's score with the oracle's log-density on generated
                       sentences; None without an oracle
    accuracy_train     share of scores on the right side of zero, training sentences against
                       generated ones
    accuracy_held_out  the same for held-out sentences
    auc_held_out       how often a held-out sentence scores above a generated one, for objectives
                       whose zero means nothing (wgan, rsgan)

A critic with accuracy_train far above accuracy_held_out has memorised its sentences.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqgan.core.types import Critic, Rollout, Sample

Density = Callable[..., Tensor]
"""`log_density(ids_BT)`, or with conditions `log_density(ids_BT, cond)`: [B], in nats."""


@torch.no_grad()
def critic_signal(
    critic: Critic,
    seen: Sample,
    held_out: Sample,
    fake: Rollout,
    log_density: Callable[..., Tensor] | None,
) -> dict[str, float | None]:
    """See the module's docstring."""
    seen_B, real_B, fake_B = (
        critic(sample.x, sample.mask, sample.cond).per_sample() for sample in (seen, held_out, fake)
    )
    correlation = None
    if log_density is not None:
        cond = () if fake.cond is None else (fake.cond,)
        correlation = _rank_correlation(fake_B, log_density(fake.ids_BT, *cond))
    right_fake = float((fake_B < 0).float().mean())
    return {
        "rank_correlation": correlation,
        "accuracy_train": 0.5 * (float((seen_B > 0).float().mean()) + right_fake),
        "accuracy_held_out": 0.5 * (float((real_B > 0).float().mean()) + right_fake),
        "auc_held_out": _auc(real_B, fake_B),
    }


def _rank_correlation(score_B: Tensor, density_B: Tensor) -> float | None:
    from scipy.stats import spearmanr  # half a second that training need not wait

    correlation = float(spearmanr(score_B.cpu(), density_B.cpu()).statistic)
    return None if correlation != correlation else correlation  # one side is constant


def _auc(above_B: Tensor, below_B: Tensor) -> float:
    """P(above > below) + ½ P(equal)."""
    difference = above_B[:, None] - below_B[None]
    return float((difference > 0).float().mean() + 0.5 * (difference == 0).float().mean())
