"""No gradient through the samples at all: on-the-fly back-translation.

    y ~ F(x) (or its argmax), no gradient;   loss = 0 · ∇F

In a cycle game the way back still learns from the pair (y, x): it raises log p_G(x | y), which is
back-translation (Sennrich 2016; on the fly: Lample 2018, Artetxe 2018). As an estimator it is the
null row of every comparison: whatever another estimator gains over it came through the middle.
Neither the critic nor the reconstruction is even computed.

The generator writes without dropout, greedily by default as published.
"""

from typing import Any

import torch

from seqgan.core.modes import frozen
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import Ancestral, Greedy, sample
from seqgan.estimators.base import Surrogate
from seqgan.estimators.config import DetachedConfig


class Detached:
    """See the module's docstring."""

    passes_gradient = False

    def __init__(self, config: DetachedConfig, space: SequenceSpace) -> None:
        self._draw = Greedy() if config.decoding == "greedy" else Ancestral()
        self._space = space

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences, without gradient."""
        with torch.no_grad(), frozen(generator):
            return sample(generator, self._space, request.rows, self._draw, request.cond)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        return Surrogate(torch.zeros((), device=rollout.ids_BT.device))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
