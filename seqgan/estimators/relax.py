"""RELAX: a learned network is the control variate of each step.

    c_t(z) = network(x_<t, softmax(z / λ))        trained to lower the variance of the estimate

(Grathwohl et al. 2018.) `control_variate.py` has the estimator, what z is, why it is unbiased
whatever the network gives, and how it learns; `models/value.py` has the network (`RelaxedValue`).
The reward is computed once, for the sentences themselves, and need not be differentiable.

Deviations. The paper adds the network to the critic's value of the relaxed sample; this is its
form for rewards that are known at hard tokens only (LAX with the conditional sample added). There
is no η, since the network has a scale of its own. It learns from the variance of the gradient
with respect to the logits. z̃ = z in value, as in REBAR.
"""

from dataclasses import dataclass

from torch import nn

from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.control_variate import control_variate_surrogate


@dataclass(eq=False)
class Relax(SequenceEstimator):
    """The score function with a learned network as control variate; see the module's docstring.

    `network` maps ids [B, T], perturbed log-probabilities [B, T, V] and the condition to c [B, T],
    as `models.value.RelaxedValue` does; the surrogate's `baseline_loss` trains it.

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
            lambda z_BTV, first: self.network(rollout.ids_BT, z_BTV, rollout.cond),
            1.0,
            learned,
            at_once=rollout.ids_BT.shape[1],
        )
