"""What every adversarial game does with a critic: train it, and take its scores as a reward."""

from dataclasses import dataclass

from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.types import Critic, Sample, Scores, SharedPrefix
from seqgan.objectives.base import Objective


def score(critic: Critic, sample: Sample) -> Scores:
    """The critic's scores of samples under their conditions."""
    count_critic_calls(len(sample.x))
    scores: Scores = critic(sample.x, sample.mask, sample.cond)
    return scores


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
        cond = copies(self.cond, len(x))
        if shared is None:
            scores = self.critic(x, mask, cond)
        else:
            assert mask is not None, "continuations are sequences"
            scores = self.critic.score_continuations(x, mask, shared, cond)
        return self.objective.reward(scores, self.real)

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """See `ActionReward`. For critics that give `q_BTV`."""
        count_critic_calls(len(ids_BT))
        scores = self.critic(ids_BT, mask_BT, copies(self.cond, len(ids_BT)))
        assert scores.q_BTV is not None, "the critic scores no other tokens"
        return self.objective.reward(Scores(scores.q_BTV))


def copies(cond: Tensor | None, rows: int) -> Tensor | None:
    """Conditions of a batch for `rows` copies of it, block after block."""
    if cond is None or len(cond) == rows:
        return cond
    return cond.repeat(rows // len(cond), *[1] * (cond.dim() - 1))
