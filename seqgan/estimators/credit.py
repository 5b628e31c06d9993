"""Credit: how the value of a sequence is spread over the tokens that made it.

A credit gives `returns_BT`, the reward-to-go that multiplies ∇ log p(x_t | x_<t):

    sequence   G_t = R(x)
    per_step   G_t = Σ_{s ≥ t} γ^{s−t} r_s                         (causal critic)
    window     G_t = 1/T Σ_{|s−t| ≤ reach} r_s                      (critic of windows)
    rollout    Monte-Carlo continuations of each prefix: `rollout.py`
    gae        a learned value replaces what is left of the return: `actor_critic.py`

With γ = 1 sequence, per_step and rollout have the gradient of E[R] (of E[Σ_t r_t] for per_step) in
expectation; γ < 1 is biased on purpose. `window` has that of E[mean_t r_t] where tokens are
independent given the condition (a `ParallelGenerator`) and no r_s sees further than `reach`: what
it leaves out has expectation 0. Elsewhere it is biased. Rewards enter without gradient.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.numbers import check_range
from seqgan.core.types import Generator, Reward, Rollout, SequenceSpace
from seqgan.estimators.rewards import value_per_sequence


@dataclass(frozen=True, slots=True)
class RewardedRollout:
    """Sequences and their reward, with the generator that wrote them."""

    rollout: Rollout
    reward: Reward
    generator: Generator
    space: SequenceSpace
    value_BT: Tensor | None = None
    """A learned value before each token, without gradient, where the baseline is learned."""


class Credit(ABC):
    """Spreads the value of a sequence over its tokens: the return that each token gets."""

    needs_value: bool = False
    """Whether a learned value has to be given."""
    sums_steps: bool = False
    """Whether the sum of a causal critic's values is raised, not the mean of a sentence's."""

    @abstractmethod
    def __call__(self, given: RewardedRollout) -> Tensor:
        """`returns_BT`; the caller switches gradients off."""


class SequenceCredit(Credit):
    """Every token gets the value of the whole sequence.

    The reward is one number per sequence [B], or one per step [B, T], whose mean counts.

        ScoreFunction(space, credit=SequenceCredit())
    """

    def __call__(self, given: RewardedRollout) -> Tensor:
        return sequence_returns(given.rollout, given.reward)


@dataclass(frozen=True)
class PerStepCredit(Credit):
    """A token gets the discounted sum of the rewards [B, T] from its step on.

    `discount` is γ, above 0 and at most 1. Nothing comes from behind the end.

        ScoreFunction(space, credit=PerStepCredit(discount=1.0))
    """

    discount: float = 1.0

    def __post_init__(self) -> None:
        check_range(0, 1, discount=self.discount)

    sums_steps = True

    def __call__(self, given: RewardedRollout) -> Tensor:
        tokens, mask_BT = given.rollout.tokens, given.rollout.mask_BT
        reward_BT = given.reward(tokens, mask_BT) * mask_BT
        columns = []
        running_B = torch.zeros_like(reward_BT[:, 0])
        for reward_B in reversed(reward_BT.unbind(1)):
            running_B = reward_B + self.discount * running_B
            columns.append(running_B)
        return torch.stack(columns[::-1], 1)


@dataclass(frozen=True)
class WindowCredit(Credit):
    """A token gets the rewards [B, T] of up to `reach` columns to either side, over the number of
    tokens that count.

        ScoreFunction(space, credit=WindowCredit(reach=2))
    """

    reach: int = 2

    def __post_init__(self) -> None:
        check_range(0, whole=True, reach=self.reach)

    def __call__(self, given: RewardedRollout) -> Tensor:
        mask_BT, reach = given.rollout.mask_BT, self.reach
        reward_BT = given.reward(given.rollout.tokens, mask_BT) * mask_BT
        reward_BT = reward_BT / mask_BT.sum(1, keepdim=True)
        return F.pad(reward_BT, (reach, reach)).unfold(1, 2 * reach + 1, 1).sum(-1)


def sequence_returns(rollout: Rollout, reward: Reward) -> Tensor:
    """The value of the whole sequence at every column."""
    value_B = value_per_sequence(reward, rollout.tokens, rollout.mask_BT)
    return value_B[:, None].expand(-1, rollout.ids_BT.shape[1])
