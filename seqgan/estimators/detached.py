"""No gradient through the samples at all: on-the-fly back-translation.

    y ~ F(x) (or its argmax), no gradient;   loss = 0 · ∇F

In a cycle game the backward direction still learns from the pair (y, x): it raises log p_G(x | y),
which is back-translation (Sennrich 2016; on the fly: Lample 2018, Artetxe 2018). As an estimator it
is the reference of every comparison: whatever another estimator gains over it came through y.
Neither the critic nor the reconstruction is computed.
"""

from dataclasses import dataclass, field

import torch

from seqgan.core.modes import frozen
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest
from seqgan.decoding import Greedy, Sampler, sample
from seqgan.estimators.base import SequenceEstimator, Surrogate


@dataclass(eq=False)
class Detached(SequenceEstimator):
    """Samples without any gradient: the loss is 0; see the module's docstring.

    `sampler` draws the tokens, greedily by default.

        Detached(space, sampler=Ancestral())
    """

    sampler: Sampler = field(default_factory=Greedy)

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences without gradient, one for each requested row."""
        with torch.no_grad(), frozen(generator):
            return sample(generator, self.space, request.rows, self.sampler, request.cond)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        return Surrogate(torch.zeros((), device=rollout.ids_BT.device))
