"""Actor-critic: a learned value v(x_<t) replaces what is left of the return, step by step.

    δ_t = r_t + γ v_{t+1} − v_t,      v = 0 behind the end
    A_t = Σ_{l ≥ 0} (γλ)^l δ_{t+l}    (generalised advantage estimation, Schulman et al. 2016)

The score-function estimator multiplies A_t with ∇ log p(x_t | x_<t). Here A_t is written as a
return minus a baseline, G_t − v_t with the λ-return

    G_t = r_t + γ [(1 − λ) v_{t+1} + λ G_{t+1}],

which is also what v is fitted to (least squares, its own player). λ = 1 is the Monte-Carlo return
with a learned baseline, unbiased at γ = 1; λ = 0 the one-step actor-critic. Below 1 the estimate is
biased as long as v is not the true value of the present policy.

Rewards are a causal critic's r_t; the reward of a whole sentence counts as that of its last token.
MaskGAN (Fedus 2018) and the actor-critic GAN of Caccia et al. (2020) are of this kind.

Deviation from Schulman: no trust region; `ppo.py` takes the same advantages.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.numbers import check_range
from seqgan.core.types import Reward, Rollout
from seqgan.estimators.credit import Credit, RewardedRollout


@dataclass(frozen=True)
class GaeCredit(Credit):
    """A token gets the λ-return from its step on; needs a `LearnedBaseline`.

    The reward is one number per sequence [B], credited to the last token, or one per step [B, T].

        ScoreFunction(space, credit=GaeCredit(gae_lambda=0.95), baseline=LearnedBaseline(network))
    """

    discount: float = 1.0
    gae_lambda: float = 0.95

    def __post_init__(self) -> None:
        check_range(0, 1, discount=self.discount, gae_lambda=self.gae_lambda)

    needs_value = True
    sums_steps = True

    def __call__(self, given: RewardedRollout) -> Tensor:
        value_BT, mask_BT = given.value_BT, given.rollout.mask_BT
        if value_BT is None:
            raise ValueError("GaeCredit needs a learned value; use baseline LearnedBaseline")
        reward_BT = reward_per_step(given.rollout, given.reward)
        value_BT = value_BT * mask_BT
        columns: list[Tensor] = []
        return_B = next_value_B = torch.zeros_like(value_BT[:, 0])
        for time in reversed(range(value_BT.shape[1])):
            ahead_B = (1 - self.gae_lambda) * next_value_B + self.gae_lambda * return_B
            return_B = (reward_BT[:, time] + self.discount * ahead_B) * mask_BT[:, time]
            next_value_B = value_BT[:, time]
            columns.append(return_B)
        return torch.stack(columns[::-1], 1)


def reward_per_step(rollout: Rollout, reward: Reward) -> Tensor:
    """`reward_BT`, 0 behind the end; the value of a whole sentence stands at its last token."""
    value = reward(rollout.tokens, rollout.mask_BT)
    mask_BT = rollout.mask_BT
    if value.dim() == 2:
        return value * mask_BT
    last_BT = mask_BT.cumsum(1) == mask_BT.sum(1, keepdim=True)
    return value[:, None] * (last_BT & mask_BT)
