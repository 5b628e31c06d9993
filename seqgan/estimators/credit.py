"""Credit: how the value of a sequence is spread over the tokens that made it.

A credit gives `returns_BT`, the reward-to-go that multiplies ∇ log p(x_t | x_<t):

    sequence   G_t = R(x)
    per_step   G_t = Σ_{s ≥ t} γ^{s−t} r_s                         (causal critic)
    window     G_t = 1/T Σ_{|s−t| ≤ reach} r_s                     (critic of windows)
    rollout    Monte-Carlo continuations of each prefix: `rollout.py`
    gae        G_t = r_t + γ [(1 − λ) v_{t+1} + λ G_{t+1}]         (v a learned value, 0 at the end)

With γ = 1 sequence, per_step and rollout have the gradient of E[R] (per_step: of E[Σ_t r_t]) in
expectation; γ < 1 is biased on purpose. `window` has that of E[mean_t r_t] where tokens are
independent given the condition (a `ParallelGenerator`) and no r_s depends on more than `reach`
columns to either side; elsewhere it is biased.

`gae` is actor-critic with generalised advantage estimation (Schulman et al. 2016): the λ-return
minus v_t is Σ_{l ≥ 0} (γλ)^l δ_{t+l} with δ_t = r_t + γ v_{t+1} − v_t. v is fitted to G by least
squares (its own player). λ = 1 is the Monte-Carlo return, unbiased at γ = 1; below, the estimate is
biased as long as v is not the true value of the present policy. MaskGAN (Fedus 2018) and Caccia et
al. (2020) are of this kind. Deviation: no trust region; `ppo.py` takes the same advantages.

Rewards enter without gradient.
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
    """Every token gets the value of the whole sequence: the reward [B], or its mean over steps.

    ScoreFunction(space, credit=SequenceCredit())
    """

    def __call__(self, given: RewardedRollout) -> Tensor:
        return sequence_returns(given.rollout, given.reward)


@dataclass(frozen=True)
class PerStepCredit(Credit):
    """A token gets the sum of the rewards [B, T] from its step on, discounted by γ in (0, 1].

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


@dataclass(frozen=True)
class GaeCredit(Credit):
    """A token gets the λ-return from its step on; needs a `LearnedBaseline`.

    The reward is one number per sequence [B], credited to the last token, or one per step [B, T].

        ScoreFunction(space, credit=GaeCredit(gae_lambda=0.95), baseline=LearnedBaseline(network))
    """

    discount: float = 1.0
    gae_lambda: float = 0.95
    needs_value = True
    sums_steps = True

    def __post_init__(self) -> None:
        check_range(0, 1, discount=self.discount, gae_lambda=self.gae_lambda)

    def __call__(self, given: RewardedRollout) -> Tensor:
        value_BT, mask_BT = given.value_BT, given.rollout.mask_BT
        if value_BT is None:
            raise ValueError("GaeCredit needs a learned value; use baseline LearnedBaseline")
        reward_BT = _reward_per_step(given.rollout, given.reward)
        value_BT = value_BT * mask_BT
        columns: list[Tensor] = []
        return_B = next_value_B = torch.zeros_like(value_BT[:, 0])
        for time in reversed(range(value_BT.shape[1])):
            ahead_B = (1 - self.gae_lambda) * next_value_B + self.gae_lambda * return_B
            return_B = (reward_BT[:, time] + self.discount * ahead_B) * mask_BT[:, time]
            next_value_B = value_BT[:, time]
            columns.append(return_B)
        return torch.stack(columns[::-1], 1)


def sequence_returns(rollout: Rollout, reward: Reward) -> Tensor:
    """The value of the whole sequence at every column."""
    value_B = value_per_sequence(reward, rollout.tokens, rollout.mask_BT)
    return value_B[:, None].expand(-1, rollout.ids_BT.shape[1])


def _reward_per_step(rollout: Rollout, reward: Reward) -> Tensor:
    """`reward_BT`, 0 behind the end; the value of a whole sentence stands at its last token."""
    mask_BT = rollout.mask_BT
    value = reward(rollout.tokens, mask_BT)
    if value.dim() == 2:
        return value * mask_BT
    last_BT = mask_BT.cumsum(1) == mask_BT.sum(1, keepdim=True)
    return value[:, None] * (last_BT & mask_BT)
