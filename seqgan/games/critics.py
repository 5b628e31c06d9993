"""What every adversarial game does with a critic: train it, and take its scores as a reward."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.masks import masked_mean
from seqgan.core.types import Critic, Sample, Scores, SharedPrefix, Space, Stats
from seqgan.objectives.base import Objective
from seqgan.objectives.penalties import Penalty


def score(critic: Critic, sample: Sample) -> Scores:
    """The critic's scores of samples under their conditions."""
    count_critic_calls(len(sample.x))
    return critic(sample.x, sample.mask, sample.cond)


def critic_update(
    critic: Critic,
    objective: Objective,
    penalties: Sequence[Penalty],
    space: Space,
    real: Sample,
    fake: Sample,
    mismatched: Sample | None = None,
    share: float = 0.0,
) -> tuple[Tensor, Stats]:
    """The critic's loss with its penalties, and the numbers to log.

    `mismatched` are real samples with wrong conditions, `share` their part in the loss on fakes.
    """
    real_scores, fake_scores = score(critic, real), score(critic, fake)
    stats = {
        "real_score": masked_mean(real_scores.score.detach(), real_scores.mask_BT),
        "fake_score": masked_mean(fake_scores.score.detach(), fake_scores.mask_BT),
        "accuracy": _accuracy(real_scores, fake_scores),
    }
    if mismatched is None:
        loss = objective.critic_loss(real_scores, fake_scores)
    else:
        wrong_scores = score(critic, mismatched)
        shares = (1 - share, share)
        loss = objective.critic_loss(real_scores, fake_scores, wrong_scores, shares=shares)
        stats["mismatched_score"] = masked_mean(wrong_scores.score.detach(), wrong_scores.mask_BT)
    for penalty in penalties:
        term = penalty.loss(critic, space, real, fake)
        if term is not None:
            loss = loss + term
            stats[penalty.name] = term.detach()
    return loss, stats


@dataclass(frozen=True, slots=True)
class CriticReward:
    """The objective's reward of the critic's scores, as a function of samples: an `ActionReward`.

    `cond` are the conditions of a batch, `real` the scores of real samples under them.
    """

    critic: Critic
    objective: Objective
    real: Scores | None = None
    cond: Tensor | None = None

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        count_critic_calls(len(x))
        cond = _copies(self.cond, len(x))
        if shared is None:
            scores = self.critic(x, mask, cond)
        else:
            assert mask is not None, "continuations are sequences"
            scores = self.critic.score_continuations(x, mask, shared, cond)
        return self.objective.reward(scores, self.real)

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """See `ActionReward`. For critics that give `q_BTV`."""
        count_critic_calls(len(ids_BT))
        scores = self.critic(ids_BT, mask_BT, _copies(self.cond, len(ids_BT)))
        assert scores.q_BTV is not None, "the critic scores no other tokens"
        return self.objective.reward(Scores(scores.q_BTV))


def _copies(cond: Tensor | None, rows: int) -> Tensor | None:
    """Conditions of a batch for `rows` copies of it, block after block."""
    if cond is None or len(cond) == rows:
        return cond
    return cond.repeat(rows // len(cond), *[1] * (cond.dim() - 1))


def _accuracy(real: Scores, fake: Scores) -> Tensor:
    """Share of scores on the right side of zero."""
    right_real = masked_mean((real.score > 0).float(), real.mask_BT)
    return 0.5 * (right_real + masked_mean((fake.score < 0).float(), fake.mask_BT))
