"""REINFORCE whose advantages are centred by the median of the batch."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from seqgan.core.parts import Words
from seqgan.core.types import Reward, RewardTerm, Rollout, SequenceSpace
from seqgan.decoding import token_log_probs
from seqgan.estimators.base import Estimator, SequenceEstimator, Surrogate
from seqgan.estimators.base_config import CriticEstimatorConfig


@dataclass(eq=False)
class MedianReinforce(SequenceEstimator):
    """The reward, less the median of the batch, times the gradient of the log-probability."""

    def loss(
        self, generator: Any, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        with torch.no_grad():
            value_B = reward(rollout.tokens, rollout.mask_BT)
        logp_BT = token_log_probs(generator, rollout.ids_BT, rollout.mask_BT)
        loss = -(logp_BT.sum(1) * (value_B - value_B.median())).mean()
        return Surrogate(loss, {"return": value_B.mean()})


class MedianReinforceConfig(CriticEstimatorConfig):
    """REINFORCE with the median as its baseline."""

    games: ClassVar[Words] = frozenset({"adversarial", "reward"})

    name: Literal["median"] = "median"

    def build_estimator(self, space: SequenceSpace, network: nn.Module | None = None) -> Estimator:
        return MedianReinforce(space)
