"""Credit: how the value of a sequence is spread over the tokens that made it.

Every function returns `returns_BT`, the reward-to-go that multiplies ∇ log p(x_t | x_<t):

    sequence   G_t = R(x)
    per_step   G_t = Σ_{s ≥ t} γ^{s−t} r_s                         (causal critic)
    rollout    G_t = 1/N Σ_n R(x_≤t, continuation n),  G_T = R(x)   (Yu et al. 2017, SeqGAN)
    window     G_t = 1/T Σ_{|s−t| ≤ reach} r_s                      (critic of windows)
    gae        a learned value takes over from the returns: `actor_critic.py`

With γ = 1 the first three have the gradient of E[R] (of E[Σ_t r_t] for per_step) in expectation;
γ < 1 is biased on purpose. `window` has that of E[mean_t r_t] where tokens are independent given
the condition (a `ParallelGenerator`) and no r_s sees further than `reach`: what it leaves out has
expectation 0. Elsewhere it is biased. Rewards enter without gradient.

Deviations from SeqGAN's code: the full sequence is scored once instead of N times, and the
rollout policy is the generator itself (the published `update_rate` averaging never takes effect
there). A prefix that has ended has one continuation, itself.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.masks import mask_until_end, mean_per_row
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SequenceSpace, SharedPrefix
from seqgan.decoding import Ancestral, continuations
from seqgan.estimators.config import (
    CreditConfig,
    PerStepCreditConfig,
    RolloutCreditConfig,
    WindowCreditConfig,
)


def returns(
    config: CreditConfig,
    generator: Generator,
    space: SequenceSpace,
    rollout: Rollout,
    reward: Reward,
) -> Tensor:
    """`returns_BT` of the configured kind, without gradient."""
    with torch.no_grad():
        if isinstance(config, RolloutCreditConfig):
            return rollout_returns(generator, space, rollout, reward, config.continuations)
        if isinstance(config, PerStepCreditConfig):
            return per_step_returns(rollout, reward, config.discount)
        if isinstance(config, WindowCreditConfig):
            return window_returns(rollout, reward, config.reach)
        return sequence_returns(rollout, reward)


def value_per_sequence(
    reward: Reward, tokens: Tensor, mask_BT: Tensor, shared: SharedPrefix | None = None
) -> Tensor:
    """`value_B`: a per-step reward is averaged over the steps that count."""
    value = reward(tokens, mask_BT, shared)
    return value if value.dim() == 1 else mean_per_row(value, mask_BT)


def total_per_sequence(
    reward: Reward,
    terms: Sequence[RewardTerm],
    tokens: Tensor,
    mask_BT: Tensor,
    shared: SharedPrefix | None = None,
) -> Tensor:
    """`value_B` of the critic's reward plus that of each term times its weight."""
    total_B = value_per_sequence(reward, tokens, mask_BT, shared)
    for term in terms:
        value_B = value_per_sequence(term.reward, tokens, mask_BT, shared)
        total_B = total_B + term.weight * value_B
    return total_B


def sequence_returns(rollout: Rollout, reward: Reward) -> Tensor:
    """The value of the whole sequence at every column."""
    value_B = value_per_sequence(reward, rollout.tokens, rollout.mask_BT)
    return value_B[:, None].expand(-1, rollout.ids_BT.shape[1])


def per_step_returns(rollout: Rollout, reward: Reward, discount: float) -> Tensor:
    """Discounted sums of the values from each step on; nothing comes from behind the end."""
    reward_BT = reward(rollout.tokens, rollout.mask_BT) * rollout.mask_BT
    columns = []
    running_B = torch.zeros_like(reward_BT[:, 0])
    for reward_B in reversed(reward_BT.unbind(1)):
        running_B = reward_B + discount * running_B
        columns.append(running_B)
    return torch.stack(columns[::-1], 1)


def window_returns(rollout: Rollout, reward: Reward, reach: int) -> Tensor:
    """Sums of the values around each column, over the number of tokens that count."""
    mask_BT = rollout.mask_BT
    reward_BT = reward(rollout.tokens, mask_BT) * mask_BT / mask_BT.sum(1, keepdim=True)
    return F.pad(reward_BT, (reach, reach)).unfold(1, 2 * reach + 1, 1).sum(-1)


def rollout_returns(
    generator: Generator, space: SequenceSpace, rollout: Rollout, reward: Reward, copies: int
) -> Tensor:
    """Mean value of `copies` continuations of each prefix; the last column is the value itself."""
    ids_PNBT = continuations(generator, space, rollout, copies, Ancestral())
    batch = len(rollout.ids_BT)
    columns = []
    for prefix, ids_NBT in enumerate(ids_PNBT, start=1):
        ids_RT = ids_NBT.flatten(0, 1)
        mask_RT = mask_until_end(ids_RT, space.end_id)
        value_R = value_per_sequence(reward, ids_RT, mask_RT, SharedPrefix(batch, prefix))
        columns.append(value_R.view(copies, batch).mean(0))
    columns.append(value_per_sequence(reward, rollout.tokens, rollout.mask_BT))
    return torch.stack(columns, 1)
