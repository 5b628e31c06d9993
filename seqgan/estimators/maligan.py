"""MaliGAN: the likelihood of the generator's own samples, weighted by the critic's density ratio.

    r(x) = D(x) / (1 − D(x)) = exp d(x),     w_i = r(x_i) / Σ_j r(x_j)
    loss = −1/B Σ_i (B w_i − b) log p(x_i)                              (Che et al. 2017)

With the optimal critic r = p_data / p_G, so that the weighted samples stand for real ones and the
gradient is that of the likelihood of the data: self-normalised importance sampling. It is biased
by that normalisation, which couples the batch. b = 1 makes the weights' sum zero.

The objective's value has to be the `logit` d: weights are its softmax over the batch, computed
without ever forming r. With several samples a condition the group takes the batch's place.

Deviations. The published b grows during training; here it is a constant. The mixed variant, which
continues prefixes of real sentences, is not here: interleave likelihood updates by the schedule.
Some toolkits weight by D itself, which is another estimator.
"""

from typing import Any

import torch
from torch import Tensor

from seqgan.core.modes import evaluating, frozen
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.estimators.base import Surrogate, hard_samples
from seqgan.estimators.config import MaliganConfig
from seqgan.estimators.credit import value_per_sequence
from seqgan.estimators.ppo import values_with_terms
from seqgan.estimators.score_function import policy_gradient_losses


class Maligan:
    """See the module's docstring."""

    passes_gradient = False

    def __init__(self, config: MaliganConfig, space: SequenceSpace) -> None:
        self._baseline = config.baseline
        self._space = space

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences, without gradient."""
        return hard_samples(generator, self._space, request)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        with torch.no_grad(), frozen(generator):
            logit_B = value_per_sequence(reward, rollout.tokens, rollout.mask_BT)
            logit_B = values_with_terms(logit_B, rollout, terms)
        weight_B = logit_B.softmax(0)
        advantage_B = len(weight_B) * weight_B - self._baseline
        advantages = {"critic": advantage_B[:, None].expand_as(rollout.mask_BT)}
        with evaluating(generator):
            loss = policy_gradient_losses(generator, rollout, advantages)["critic"]
        stats = {
            "return": logit_B.mean(),
            "effective_samples": _effective_samples(weight_B),
            "length": rollout.mask_BT.sum(1).float().mean(),
        }
        return Surrogate(loss, stats)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def _effective_samples(weight_B: Tensor) -> Tensor:
    """1 / Σ w²: how many samples carry the weight."""
    return 1 / weight_B.square().sum()
