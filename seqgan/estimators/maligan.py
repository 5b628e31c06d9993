"""MaliGAN: the likelihood of the generator's own samples, weighted by the critic's density ratio.

    r(x) = D(x) / (1 − D(x)) = exp d(x),     w_i = r(x_i) / Σ_j r(x_j)
    loss = −1/B Σ_i (B w_i − b) log p(x_i)                              (Che et al. 2017)

With the optimal critic r = p_data / p_G, so that the gradient is that of the likelihood of the
data: self-normalised importance sampling, biased by the normalisation. b = 1 makes the weights' sum
zero. The objective's reward has to be the `logit` d: weights are its softmax over the batch.

Deviations. The published b grows during training; here it is a constant. The mixed variant, which
continues prefixes of real sentences, is not here: interleave likelihood updates by the schedule.
Some toolkits weight by D itself, which is another estimator.
"""

from dataclasses import dataclass

import torch

from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.rewards import total_reward
from seqgan.estimators.score_function import policy_gradient_losses


@dataclass(eq=False)
class Maligan(SequenceEstimator):
    """Likelihood of own samples, weighted by exp of the reward; see the module's docstring.

    The reward has to be a logit, one per sequence (or per step, where the mean counts).

        Maligan(space, baseline=1.0)
    """

    baseline: float = 1.0

    def __post_init__(self) -> None:
        check_range(0, baseline=self.baseline)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        with torch.no_grad(), frozen(generator):
            logit_B = total_reward(reward, terms)(rollout.tokens, rollout.mask_BT)
        weight_B = logit_B.softmax(0)
        advantage_B = len(weight_B) * weight_B - self.baseline
        advantages = {"critic": advantage_B[:, None].expand_as(rollout.mask_BT)}
        with evaluating(generator):
            loss = policy_gradient_losses(generator, rollout, advantages)["critic"]
        stats = {
            "return": logit_B.mean(),
            "effective_samples": 1 / weight_B.square().sum(),  # how many carry the weight
            "length": rollout.mask_BT.sum(1).float().mean(),
        }
        return Surrogate(loss, stats)
