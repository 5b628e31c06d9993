"""RELAX: a learned network is the control variate of each step.

    c_t(z) = network(x_<t, softmax(z / λ))        trained to lower the variance of the estimate

(Grathwohl et al. 2018.) `control_variate.py` has the estimator, why it is unbiased whatever the
network gives, and how it learns. The reward need not be differentiable.

Deviations. The paper adds the network to the critic's value of the relaxed sample; this is its
form for rewards that are known at hard tokens only (LAX with the conditional sample added). There
is no η, since the network has a scale of its own.
"""

from dataclasses import dataclass

from torch import nn

from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.control_variate import control_variate_surrogate


@dataclass(eq=False)
class Relax(SequenceEstimator):
    """See the module's docstring.

    `network` maps ids [B, T], perturbed log-probabilities [B, T, V] and the condition to c [B, T];
    the surrogate's `baseline_loss` trains it.

        Relax(space, RelaxedValue(space, embed=32, hidden=32))
    """

    network: nn.Module

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        self._refuse_terms(terms)
        learned = [p for p in self.network.parameters() if p.requires_grad]
        return control_variate_surrogate(
            generator,
            rollout,
            reward,
            lambda first, z_BTV: self.network(rollout.ids_BT, z_BTV, rollout.cond),
            1.0,
            learned,
            at_once=rollout.ids_BT.shape[1],
        )
