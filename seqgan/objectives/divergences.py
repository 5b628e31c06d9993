"""Objectives that are functions of the critic's scores alone.

With d = D(x) a logit or an unbounded score, means over real (r) and generated (f) samples:

| name           | critic minimises                       | generator maximises the mean of |
|----------------|----------------------------------------|---------------------------------|
| minimax        | −log σ(d_r) − log(1 − σ(d_f))          | −log(1 − σ(d_f))                |
| non_saturating | the same                               | log σ(d_f)                      |
| lsgan          | ½(d_r − 1)² + ½ d_f²                   | −½(d_f − 1)²                    |
| hinge          | max(0, 1 − d_r) + max(0, 1 + d_f)      | d_f                             |
| wgan           | d_f − d_r                              | d_f                             |
| rsgan          | −log σ(d_r − d_f)                      | log σ(d_f − d_r)                |
| cooperative    | −½ d_r − ½ d_f,  d = log M             | d_f                             |

Sources: Goodfellow 2014 (both of the first two), Mao 2017, Lim & Ye 2017, Arjovsky 2017,
Jolicoeur-Martineau 2019, Lu 2019 (whose critic is a language model M of both kinds of sentences).

Everything is computed in float32 from logits (softplus): log σ(d) keeps its gradient of 1 at
d = −20, where `log(sigmoid(d) + 1e-8)` has lost it; minimax saturates there by design (2e-9).

Deviations. RSGAN's reward averages over *all* real samples of the batch instead of one partner
each: the same expectation with less variance; `paired` asks for one partner, the real answer to the
same prompt, as black-box distillation does (Ye et al. 2025). Its critic loss is paired as
published, with the same real one for several generated samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.types import Scores
from seqgan.objectives.base import shared_out
from seqgan.objectives.names import DivergenceName, RewardName

Pointwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Terms:
    """An objective whose terms are functions of one score each."""

    real_loss: Pointwise
    fake_loss: Pointwise
    reward: Pointwise


def _logit(d: Tensor) -> Tensor:
    return d


_POINTWISE: dict[str, _Terms] = {
    "minimax": _Terms(lambda d: F.softplus(-d), F.softplus, F.softplus),
    "non_saturating": _Terms(lambda d: F.softplus(-d), F.softplus, F.logsigmoid),
    "lsgan": _Terms(
        lambda d: 0.5 * (d - 1).square(),
        lambda d: 0.5 * d.square(),
        lambda d: -0.5 * (d - 1).square(),
    ),
    "hinge": _Terms(lambda d: F.relu(1 - d), lambda d: F.relu(1 + d), _logit),
    "wgan": _Terms(torch.neg, _logit, _logit),
    "cooperative": _Terms(lambda d: -0.5 * d, lambda d: -0.5 * d, _logit),
}

_REWARDS: dict[str, Pointwise] = {
    "prob": torch.sigmoid,
    "log_prob": F.logsigmoid,
    "logit": _logit,
    "centred": lambda d: torch.tanh(d / 2),
    "ratio": torch.exp,
}


class Divergence:
    """One of the objectives of the module's docstring; see `objectives.base.Objective`.

    `reward` is the generator's own reward or another function of the score, `paired` (rsgan)
    compares with the real sample of the same condition only. Scores are [B] or [B, T].

        Divergence("non_saturating", reward="prob")
    """

    def __init__(
        self,
        name: DivergenceName = "non_saturating",
        reward: RewardName = "objective",
        paired: bool = False,
    ) -> None:
        self._name = name
        self._reward = reward
        self._paired = paired
        self._relativistic = name == "rsgan"

    @property
    def needs_real(self) -> bool:
        """Whether `reward` compares with real scores."""
        return self._relativistic and self._reward == "objective"

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """The critic's loss, a scalar. Steps behind an end do not count."""
        return shared_out([self._loss_against(real, fake) for fake in fakes], shares)

    def _loss_against(self, real: Scores, fake: Scores) -> Tensor:
        real_score, fake_score = real.score.float(), fake.score.float()
        if self._relativistic:
            rows = len(fake_score)
            both = None if fake.mask_BT is None else fake.mask_BT & _repeat(_mask(real), rows)
            return masked_mean(F.softplus(fake_score - _repeat(real_score, rows)), both)
        terms = _POINTWISE[self._name]
        real_loss = masked_mean(terms.real_loss(real_score), real.mask_BT)
        return real_loss + masked_mean(terms.fake_loss(fake_score), fake.mask_BT)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """The generator's reward of each score; with `paired` row n·B + b has the real sample b as
        its partner."""
        score = fake.score.float()
        if self._reward != "objective":
            return _REWARDS[self._reward](score)
        if not self._relativistic:
            return _POINTWISE[self._name].reward(score)
        assert real is not None, "rsgan compares with real scores"
        if self._paired:
            return F.logsigmoid(score - _repeat(real.score.float(), len(score)))
        return _mean_over_real(score, real)


def _repeat(score: Tensor, rows: int) -> Tensor:
    """Scores of B samples for `rows` copies of them, block after block."""
    return score.repeat(rows // len(score), *[1] * (score.dim() - 1))


def _mask(scores: Scores) -> Tensor:
    assert scores.mask_BT is not None
    return scores.mask_BT


def _mean_over_real(fake: Tensor, real: Scores) -> Tensor:
    """mean_j log σ(d_f − d_r[j]), at the same step where scores are per step.

    A step that no real sentence of the batch reaches is compared with the mean real score: left
    at 0, the most that log σ can be, it would reward sentences for being too long.
    """
    real_score = real.score.float()
    margins = F.logsigmoid(fake[:, None] - real_score[None])  # [R, B] or [R, B, T]
    if real.mask_BT is None:
        return margins.mean(1)
    counts_T = real.mask_BT.sum(0)
    at_step_RT = (margins * real.mask_BT).sum(1) / counts_T.clamp(min=1)
    beyond_RT = F.logsigmoid(fake - masked_mean(real_score, real.mask_BT))
    return torch.where(counts_T > 0, at_step_RT, beyond_RT)
