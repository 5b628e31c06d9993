"""LeakGAN: the critic rewards goals, goals reward tokens.

    manager    −1/B Σ_b Σ_t  R_{t+c} · alignment_t
    worker     −1/B Σ_b Σ_t  (reward_t − b_t) log p(x_t | x_<t)
    rescaled   R_t = σ(δ (0.5 − rank_t / B))                         rank 1: the best at column t

(Guo et al. 2018; the manager's loss is the transition policy gradient of Vezhnevets et al. 2017.)
The generator has two halves. `manager_alignment` and `worker_reward` are cosines between its goals
and the changes of the critic's features (`models/generators/leakgan.py`). The manager's parameters
learn from the first loss only, the worker's from the second only; the worker's reward, R and the
features carry no gradient.

The goal before token t is rewarded with R_{t+c}, from the return of the prefix c tokens later, or
of the whole sentence where it ends earlier. Ranks are taken column by column over all sentences of
the batch, those that have ended with their final return; equal returns share their mean rank. They
give the rewards of every batch the same mean and spread: "bootstrapped rescaled activation".

In the phase `mle` the worker's loss is the negative log-likelihood and the manager's −mean
alignment, which is R = 1 on real sentences (`games/mle.py`). Interleaved training is a schedule:
[{repeat: N, phases: {critic: 5, generator: 15, mle: 1}}].

As an estimate of ∇E[reward] this is biased in every respect: a token is rewarded for its own step
only, and by a cosine; ranks couple the batch. All of the mass on one continuation, which the goals
point to, is a fixed point whatever the critic's score; likelihood updates work against that.

Deviations from the paper: the worker's reward has a baseline b, without which the noise of cosines,
mostly positive and alike, drives the worker away before it learns (`baseline: none` is the paper).
Both halves learn in one update (one norm clips both), where the paper fixes one while the other
learns. Goals near the end are compared with the end. The sum over time stays a sum.

From the official code: δ is the paper's 12 (theirs 16), and every prefix sets a goal that is
rewarded, not every c-th. Two faults of it are not repeated. Its rescaling does not sort: it numbers
returns as they stand in the batch. And it reduces both cosines to their mean over the batch
(`tf.losses.cosine_distance` is a scalar), so that its worker gets one reward for all tokens, and
its manager a constant sum of rewards. (Users reported constant rewards, issue 17 of the official
repository.)
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from seqgan.core.generators import ManagedGenerator
from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.plain import StateDict
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.decoding import chosen_log_probs
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.baselines import Baseline, LeaveOneOut, Returns
from seqgan.estimators.credit import Credit, RewardedRollout
from seqgan.estimators.rollout import Rollout as RolloutCredit


@dataclass(eq=False)
class LeakGan(SequenceEstimator):
    """Trains the manager and the worker of a `ManagedGenerator`; see the module's docstring.

    `credit` spreads the reward, `baseline` is subtracted from the worker's reward, `delta` is δ.

        LeakGan(space, credit=Rollout(4))
    """

    credit: Credit = field(default_factory=lambda: RolloutCredit(4))
    baseline: Baseline = field(default_factory=LeaveOneOut)
    delta: float = 12.0

    def __post_init__(self) -> None:
        check_range(0, delta=self.delta)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        self._refuse_terms(terms)
        if not isinstance(generator, ManagedGenerator):
            raise TypeError(f"LeakGan needs a ManagedGenerator, not {type(generator).__name__}")
        ids_BT, mask_BT = rollout.ids_BT, rollout.mask_BT
        with torch.no_grad(), frozen(generator):
            returns_BT = self.credit(RewardedRollout(rollout, reward, generator, self.space))
        arrived_BT = at_arrival(rescaled(returns_BT, self.delta), generator.horizon)
        with evaluating(generator):
            read = generator.read(ids_BT)
        logp_BT = chosen_log_probs(read.logits_BTV, ids_BT, mask_BT)
        manager = -(arrived_BT * read.manager_alignment_BT * mask_BT).sum(1).mean()
        above_BT = read.worker_reward_BT - self.baseline(Returns(read.worker_reward_BT, mask_BT))
        worker = -(above_BT * logp_BT).sum(1).mean()
        stats = {
            "return": masked_mean(returns_BT, mask_BT),
            "manager_alignment": masked_mean(read.manager_alignment_BT.detach(), mask_BT),
            "worker_reward": masked_mean(read.worker_reward_BT, mask_BT),
            "length": mask_BT.sum(1).float().mean(),
        }
        return Surrogate(manager + worker, stats, parts={"manager": manager, "worker": worker})

    def state_dict(self) -> StateDict:
        return {"baseline": self.baseline.state_dict()}

    def load_state_dict(self, state: StateDict) -> None:
        self.baseline.load_state_dict(state["baseline"])


def rescaled(returns_BT: Tensor, delta: float) -> Tensor:
    """σ(δ (0.5 − rank / B)) in (0, 1), with the rank of each return in its column from 1, the
    highest, to B; equal ones share their mean rank."""
    size = len(returns_BT)
    returns_TB = returns_BT.T.contiguous()
    sorted_TB = returns_TB.sort(1).values
    below_TB = torch.searchsorted(sorted_TB, returns_TB)
    up_to_TB = torch.searchsorted(sorted_TB, returns_TB, right=True)
    higher_TB, equal_TB = size - up_to_TB, up_to_TB - below_TB
    rank_BT = (higher_TB + 0.5 * (equal_TB + 1)).T
    return (delta * (0.5 - rank_BT / size)).sigmoid()


def at_arrival(reward_BT: Tensor, horizon: int) -> Tensor:
    """Column t has the reward of the prefix c tokens after the one before token t, or of the last.

    Column s of `reward_BT` belongs to the prefix that ends with token s.
    """
    length = reward_BT.shape[1]
    arrival_T = torch.arange(length, device=reward_BT.device) + horizon - 1
    return reward_BT[:, arrival_T.clamp(max=length - 1)]
