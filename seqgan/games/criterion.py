"""What a critic learns, and what it rewards: the objective with everything that comes with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.batches import join
from seqgan.core.masks import masked_mean
from seqgan.core.types import Batch, Critic, Sample, Scores, Space, Stats
from seqgan.games.critics import CriticReward, score
from seqgan.games.mismatched import Mismatched
from seqgan.objectives.base import Objective
from seqgan.objectives.penalties import Penalty


@dataclass(frozen=True, slots=True)
class Criterion:
    """The two players' objective, for critics of samples of `space`."""

    objective: Objective
    penalties: Sequence[Penalty]
    space: Space
    mismatched: Mismatched | None = None
    """Real samples with wrong conditions, as further fakes in the critic's loss."""
    of_sentences: bool = False
    """Whether the critic's loss takes one score per sample: of scores per step their mean."""

    def critic_loss(
        self, critic: Critic, real: Batch, fake: Sample, update: int = 0
    ) -> tuple[Tensor, Stats]:
        """The critic's loss with its penalties at its update number `update`, a scalar, and
        statistics to log."""
        real_scores, fake_scores = self._compare(critic, real, fake)
        stats = {
            "real_score": _mean(real_scores),
            "fake_score": _mean(fake_scores),
            "accuracy": _accuracy(real_scores, fake_scores),
        }
        if self.mismatched is None:
            loss = self.objective.critic_loss(real_scores, fake_scores)
        else:
            wrong_scores = score(critic, self.mismatched.batch(real))
            share = self.mismatched.share
            loss = self.objective.critic_loss(
                real_scores, fake_scores, wrong_scores, shares=(1 - share, share)
            )
            stats["mismatched_score"] = _mean(wrong_scores)
        return self._with_penalties(loss, stats, critic, real, fake, update)

    def real_loss(self, critic: Critic, real: Batch, update: int = 0) -> tuple[Tensor, Stats]:
        """The critic's loss where there is nothing but real samples: it raises their reward. Of the
        penalties it has those that look at real samples alone."""
        reward = self.reward(critic, real, None)(real.x, real.mask)
        mean = masked_mean(reward, real.mask if reward.dim() > 1 else None)
        stats = {"real_reward": mean.detach()}
        return self._with_penalties(-mean, stats, critic, real, None, update)

    def _with_penalties(
        self,
        loss: Tensor,
        stats: Stats,
        critic: Critic,
        real: Batch,
        fake: Sample | None,
        update: int,
    ) -> tuple[Tensor, Stats]:
        """Both with the terms of the penalties, but of those that need `fake` where it is None."""
        stats = dict(stats)
        for penalty in self.penalties:
            if update % penalty.every or (fake is None and penalty.needs_fake):
                continue
            beside = real if fake is None else fake  # the first is never read
            term = penalty.loss(critic, self.space, real, beside, update)
            if term is not None:
                loss = loss + penalty.every * term
                stats[penalty.name] = term.detach()
        return loss, stats

    def _compare(self, critic: Critic, real: Batch, fake: Sample) -> tuple[Scores, Scores]:
        """Scores of real and generated samples. Sentences are read in one pass, which costs a
        recurrent critic a third less than two; pictures in two, for batch normalisation."""
        if not self.of_sentences:
            return score(critic, real), score(critic, fake)
        both = join([real, Batch(fake.x, fake.mask, fake.cond)])
        score_B = score(critic, both).per_sample()
        return Scores(score_B[: len(real.x)]), Scores(score_B[len(real.x) :])

    def reward(self, critic: Critic, real: Batch | None, cond: Tensor | None) -> CriticReward:
        """The reward of samples that are made under the conditions `cond`.

        Objectives that compare samples with real ones (`needs_real`) score `real` once.
        """
        if not self.objective.needs_real:
            return CriticReward(critic, self.objective, None, cond)
        assert real is not None, "the objective compares with real samples"
        with torch.no_grad():
            return CriticReward(critic, self.objective, score(critic, real), cond)


def _mean(scores: Scores) -> Tensor:
    """Mean score, over the steps that count."""
    return masked_mean(scores.score.detach(), scores.mask_BT)


def _accuracy(real: Scores, fake: Scores) -> Tensor:
    """Share of scores on the right side of zero."""
    right_real = masked_mean((real.score > 0).float(), real.mask_BT)
    return 0.5 * (right_real + masked_mean((fake.score < 0).float(), fake.mask_BT))
