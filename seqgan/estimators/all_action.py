"""All-action policy gradient: the critic scores *every* next token, not only the sampled one.

With q_t(a) the value of token a after x_<t, r_t = q_t(x_t), and entropy weight α:

    ∇ J = E Σ_t [ Σ_a ∇π_t(a) (q_t(a) − α log π_t(a))  +  ∇ log π_t(x_t) (F_t − b_t) ]
    F_t = Σ_{s > t} γ^{s−t} (r_s − α log π_s(x_s))

The step's own value is averaged over the vocabulary exactly (Sutton et al. 2000; all-action form:
Asadi et al. 2017); only what comes later is a sample. At γ = 1 this is unbiased for
E[Σ_t r_t] + α E[Σ_t H(π_t)]. b_t is the mean of the other samples' F_t.

γ = 0 keeps the exact part alone. With a critic of log-likelihoods, log M, and α = 1 its loss is
Σ_t KL(π_t ‖ M_t) on the generator's own prefixes: cooperative training (CoT, Lu et al. 2019), where
M is the mediator, trained on real and generated sentences alike. It leaves out how a token changes
the prefixes to come; γ = 1 estimates the gradient of KL(p_G ‖ M) itself.

Deviations from CoT's code: the prefixes are fresh samples in every update.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.types import ActionReward, Generator, Reward, RewardTerm, Rollout
from seqgan.estimators.base import SequenceEstimator, Surrogate


@dataclass(eq=False)
class AllAction(SequenceEstimator):
    """The policy gradient over all tokens at every step; see the module's docstring.

    `discount` is γ, `entropy` α, the weight of the entropy in nats. The reward needs `actions`,
    the values [B, T, V] of every token (an `ActionReward`); it takes no terms.

        AllAction(space, discount=1.0)
    """

    discount: float = 1.0
    entropy: float = 0.0

    def __post_init__(self) -> None:
        check_range(0, 1, discount=self.discount)
        check_range(0, entropy=self.entropy)

    sums_steps = True

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        self._refuse_terms(terms)
        ids_BT1, mask_BT = rollout.ids_BT[..., None], rollout.mask_BT
        with torch.no_grad(), frozen(generator):
            value_BTV = cast(ActionReward, reward).actions(rollout.ids_BT, mask_BT)
        with evaluating(generator):
            logp_BTV = generator(rollout.ids_BT, rollout.cond).float().log_softmax(-1)
        alpha = self.entropy
        now_BT = (logp_BTV.exp() * (value_BTV - alpha * logp_BTV)).sum(-1)
        logp_BT = logp_BTV.gather(-1, ids_BT1)[..., 0]
        reward_BT = value_BTV.gather(-1, ids_BT1)[..., 0]
        gain_BT = now_BT
        if self.discount:
            step_BT = (reward_BT - alpha * logp_BT.detach()) * mask_BT
            gain_BT = gain_BT + logp_BT * later_steps(step_BT, self.discount)
        loss = -(gain_BT * mask_BT).sum(1).mean()
        entropy_BT = -(logp_BTV.detach().exp() * logp_BTV.detach()).sum(-1)
        stats = {
            "return": masked_mean(reward_BT, mask_BT),
            "entropy": masked_mean(entropy_BT, mask_BT),
            "length": mask_BT.sum(1).float().mean(),
        }
        return Surrogate(loss, stats)


def later_steps(step_BT: Tensor, discount: float = 1.0) -> Tensor:
    """F_t − b_t: discounted sum of the steps behind t, above the mean of the other samples. A
    sample alone has none."""
    columns: list[Tensor] = []
    later_B = torch.zeros_like(step_BT[:, 0])
    for step_B in reversed(step_BT.unbind(1)):
        columns.append(later_B)
        later_B = discount * (step_B + later_B)
    later_BT = torch.stack(columns[::-1], 1)
    others_BT = (later_BT.sum(0) - later_BT) / max(len(later_BT) - 1, 1)
    return later_BT - others_BT
