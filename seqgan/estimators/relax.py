"""RELAX: a learned network is the control variate of each step.

    c_t(z) = network(x_<t, softmax(z / λ))        trained to lower the variance of the estimate

(Grathwohl et al. 2018.) `control_variate.py` has the estimator, what z is, why it is unbiased
whatever the network says, and how it learns; `models/value.py` has the network (`RelaxedValue`).
The critic is asked once, for the sentences themselves, and need not be differentiable.

Deviations. The paper adds the network to the critic's value of the relaxed sample; this is its
form for rewards that are known at hard tokens only (LAX with the conditional sample added). There
is no η, since the network has a scale of its own. It learns from the variance of the gradient
with respect to the logits. z̃ = z in value, as in REBAR.
"""

from typing import Any

import torch
from torch import nn

from seqgan.core.modes import frozen
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import Ancestral, sample
from seqgan.estimators.base import Surrogate
from seqgan.estimators.control_variate import control_variate_surrogate


class Relax:
    """See the module's docstring. `network` is a `RelaxedValue`."""

    passes_gradient = False

    def __init__(self, space: SequenceSpace, network: nn.Module) -> None:
        self._space = space
        self._network = network

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences, without gradient."""
        with torch.no_grad(), frozen(generator):
            return sample(generator, self._space, request.rows, Ancestral(), request.cond)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        assert not terms, "for games without terms: checked by Experiment"
        learned = [p for p in self._network.parameters() if p.requires_grad]
        return control_variate_surrogate(
            generator,
            rollout,
            reward,
            lambda z_BTV, first: self._network(rollout.ids_BT, z_BTV, rollout.cond),
            1.0,
            learned,
            at_once=rollout.ids_BT.shape[1],
        )

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
