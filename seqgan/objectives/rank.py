"""Ranking instead of classifying (RankGAN): which sentence is most like the references?

    P(s | u, C) = exp(γ cos(s, u)) / Σ_{s' ∈ C ∪ {s}} exp(γ cos(s', u))
    R(s | U, C) = mean_{u ∈ U} P(s | u, C)

    critic minimises      −mean log R(r | U, C⁻) − mean log(1 − R(f | U, C⁺))
    generator maximises   log R(f | U, C⁺)

Cosines are of the critic's features. U are the first `references` samples of the real batch, whose
order is random; C⁺, and the r that the critic ranks, are the others; C⁻ are the generated samples.
A sample is compared with C and itself, never with other candidates, so that rewards do not couple
the batch and leave-one-out stays unbiased.

P = σ(γ cos(s, u) − log Σ_{s' ∈ C} exp(γ cos(s', u))): everything is computed from that logit,
1 − R too, which subtraction would round to 0.

Paper: Lin et al. 2017, Adversarial ranking for language generation. Texygen's code takes the
softmax over the *batch of candidates*, so that a sentence's reward falls when others get better,
and leaves dropout on while it rewards. Deviation: C is what the batch has left over, not a set of
its own.

Nothing asks for diversity. With a perfect critic (γ → ∞) a sentence that stands among the real ones
with probability p has R ≈ p · 1 / (p |C|), the same for all of them; the log prefers the frequent
ones, which are missing from U less often. Where the data have few modes give the estimator an
`entropy_bonus`; without one the generator ends in the likeliest sentence.
"""

from collections.abc import Sequence
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import cosine_cost, features, in_blocks, shared_out


class Rank:
    """See the module's docstring and `objectives.base.Objective`. Critics need `features_BF`.

    `gamma` multiplies the cosines. Real batches have more samples than `references`.

        Rank(gamma=10.0, references=16)
    """

    needs_real = True

    def __init__(self, gamma: float = 10.0, references: int = 16) -> None:
        self._gamma = gamma
        self._references = references

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """Real samples are to rank above generated ones, and those below real ones."""
        return shared_out([self._loss_against(real, fake) for fake in fakes], shares)

    def _loss_against(self, real: Scores, fake: Scores) -> Tensor:
        reference_UF, other_CF = self._split(real)
        fake_NBF = in_blocks(features(fake), len(features(real)))
        real_logit = self._logits(other_CF.expand(len(fake_NBF), -1, -1), reference_UF, fake_NBF)
        fake_logit = self._logits(fake_NBF, reference_UF, other_CF)
        return -_log_mean_sigmoid(real_logit).mean() - _log_mean_sigmoid(-fake_logit).mean()

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """The log of each generated sample's rank: [R]."""
        assert real is not None, "ranks beside real samples"
        reference_UF, other_CF = self._split(real)
        return _log_mean_sigmoid(self._logits(features(fake), reference_UF, other_CF))

    def _split(self, real: Scores) -> tuple[Tensor, Tensor]:
        """References and the samples beside them."""
        real_BF = features(real)
        return real_BF[: self._references], real_BF[self._references :]

    def _logits(self, sample: Tensor, reference_UF: Tensor, beside: Tensor) -> Tensor:
        """[..., s, u] of [..., s, F], `reference_UF` and C = [..., c, F]: P = σ(logit)."""
        own = -self._gamma * cosine_cost(sample, reference_UF)  # γ (cos − 1): the constant cancels
        others = -self._gamma * cosine_cost(beside, reference_UF)
        return own - torch.logsumexp(others, -2, keepdim=True)


def _log_mean_sigmoid(logit: Tensor) -> Tensor:
    """log mean_u σ(logit[..., u])."""
    return torch.logsumexp(F.logsigmoid(logit), -1) - log(logit.shape[-1])
