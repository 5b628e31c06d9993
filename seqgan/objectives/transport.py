"""Optimal transport between a critic's features (FM-GAN, the feature mover's distance).

    c_ij = 1 − cos(f_i, r_j),     W = min_P Σ_ij P_ij c_ij,   P ≥ 0 with rows and columns of 1/B

    critic minimises −W,   generator maximises −W

The plan comes from the inexact proximal point method (IPOT: Xie et al. 2018), `iterations` times

    Q = exp(−c / proximal) ⊙ P,    b ← 1 / (B Qᵀ a),   a ← 1 / (B Q b),   P = diag(a) Q diag(b)

which, unlike one entropic regularisation, approaches the exact distance. It is computed in logs and
without gradient: by the envelope theorem the gradient of W is that of Σ P c with P held fixed.
Rows are scaled last, so that every generated sample has a mass of 1/B exactly.

For a pathwise estimator the reward is −B Σ_j P_ij c_ij, the sample's own cost, with its gradient.
For a score function the cost would be wrong: what the distance gains when sample i becomes likelier
is its dual potential u_i, from u_i + v_j ≤ c_ij with equality wherever P_ij > 0. (Samples at 0° and
60° that have to become 60° and 120° pay the same; only the first is in the wrong place.) Products
of scalings are potentials,

    log P = Σ log a + Σ log b − iterations · c / proximal   ⇒   u = proximal / iterations · Σ log a

so value_i = −u_i, shifted so that the mean is −W: the number is the potential's, the gradient the
cost's.

Paper: Chen et al. 2018, Adversarial text generation via feature-mover's distance; no code was to be
found. Deviations: the potential as a reward (the paper is pathwise only); one inner iteration, rows
scaled last. The critic has no other loss, so its read-out, and thus its score, learns nothing.

With a score function the values couple the batch: leave-one-out is biased, and so is every
estimator at small B, where the distance between batches is not that between distributions.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import cosine_cost, features, in_blocks, shared_out


class Transport:
    """See the module's docstring and `objectives.base.Objective`. Critics need `features_BF`.

    Costs are between 0 and 2; `proximal` is how far one of the `iterations` may move the plan
    (less is further).

        Transport(proximal=0.5, iterations=20)
    """

    needs_real = True

    def __init__(self, proximal: float = 0.5, iterations: int = 20) -> None:
        self._proximal = proximal
        self._iterations = iterations

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """Minus the distance."""
        distances = [self._own_costs(fake, real)[0].mean() for fake in fakes]
        return -shared_out(distances, shares)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """Minus each generated sample's potential, with the gradient of its cost: [R]."""
        assert real is not None, "compares with real features"
        own_NB, potential_NB = self._own_costs(fake, real)
        paid_NB = own_NB.detach()
        shift_N1 = (paid_NB - potential_NB).mean(1, keepdim=True)
        cost_NB = potential_NB + shift_N1 + own_NB - paid_NB
        return -cost_NB.flatten()

    def _own_costs(self, fake: Scores, real: Scores) -> tuple[Tensor, Tensor]:
        """(the transport cost of each generated sample, whose mean is W; its dual potential,
        without gradient): [N, B] both."""
        real_BF = features(real)
        cost_NBB = cosine_cost(in_blocks(features(fake), len(real_BF)), real_BF)
        plan_NBB, potential_NB = transport_plan(cost_NBB.detach(), self._proximal, self._iterations)
        return (plan_NBB * cost_NBB).sum(-1), potential_NB


def transport_plan(cost_NRB: Tensor, proximal: float, iterations: int) -> tuple[Tensor, Tensor]:
    """(where each row's mass goes, its potential): [N, R, B] with rows that sum to 1, and [N, R].

    Columns sum to R/B once it has converged. Potentials are up to a constant in each block.
    """
    rows, columns = cost_NRB.shape[-2:]
    log_plan_NRB = torch.zeros_like(cost_NRB)
    log_a_NR = torch.zeros_like(cost_NRB[..., 0])
    total_NR = log_a_NR
    for _ in range(iterations):
        log_q_NRB = log_plan_NRB - cost_NRB / proximal
        log_b_NB = -torch.logsumexp(log_q_NRB + log_a_NR[..., None], -2) - log(columns)
        log_a_NR = -torch.logsumexp(log_q_NRB + log_b_NB[..., None, :], -1) - log(rows)
        log_plan_NRB = log_q_NRB + log_a_NR[..., None] + log_b_NB[..., None, :]
        total_NR = total_NR + log_a_NR
    return rows * log_plan_NRB.exp(), proximal / iterations * total_NR
