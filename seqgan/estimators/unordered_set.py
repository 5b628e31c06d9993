"""The unordered set estimator: gradients from sentences sampled without replacement.

S is a set of k different sentences (`stochastic_beam.py`). Its probability, over all orders in
which it may be drawn, and the leave-one-out ratios are (Kool, van Hoof & Welling 2020)

    I(U) = ∫₀¹ Π_{s ∈ U} (1 − v^{a_s}) dv,      a_s = p(s) / (1 − Σ_{s ∈ S} p(s))
    P(S) = I(S),     R(S, s) = P^{D∖s}(S∖s) / P(S) = I(S∖s) / I(S)
    R^{D∖s}(S, s′) = I(S∖{s, s′}) / I(S∖s) for s′ ≠ s,  and 1 for s′ = s

where P^{D∖s} draws from the sentences other than s, renormalised. The estimate

    Σ_{s ∈ S} ∇p(s) R(S, s) ( f(s) − Σ_{s′ ∈ S} p(s′) R^{D∖s}(S, s′) f(s′) )

is unbiased for k ≥ 2: Σ_{S ∋ s} P^{D∖s}(S∖s) = 1, so the first sum has the mean Σ_s ∇p(s) f(s);
given that s was drawn first the inner sum has the mean E[f], whatever s is, and Σ_s ∇p(s) = 0.

w_s = p(s) R(S, s) is the probability that s was drawn first, given S. These sum to 1 over S, and so
do the weights p(s′) R^{D∖s}(S, s′) of every baseline b_s. With ∇p = p ∇log p

    loss = −1/G Σ_g Σ_{s ∈ S_g} w_s (f(s) − b_s) log p(s),      all but log p without gradient.

Where S holds all sentences that there are, I = 1 throughout and the gradient is exact.

Integration, in logarithms and float64. With v = exp(−e^y) the integrand is
Π (1 − exp(−a_s e^y)) · exp(y − e^y), analytic on the whole line, with tails of at least e^y to the
left and of a Gamma(k + 1) density of e^y to the right: the trapezoid rule converges exponentially.
Range and spacing are chosen for 1e-15. (The official code: 1,000 points, another substitution.)

Deviations.
- `sample` gives ordinary samples for the critic: a set has a likely sentence once, which is another
  distribution than the generator's.
- `loss` draws the sets: as many sentences as it was given, in sets of k, or with conditions one
  set for each (k times the sentences), since a reward reads rows for all conditions of its batch.
- log p comes from the teacher-forced pass in float32, so that 1 − P_S is right to about 1e-6.
"""

from dataclasses import dataclass
from math import log, pi, sqrt

import torch
from torch import Tensor

from seqgan.core.masks import mask_until_end
from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.tree import repeat_rows
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.decoding import token_log_probs
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.rewards import total_reward
from seqgan.estimators.stochastic_beam import SentenceSets, log1mexp, sets_without_replacement


@dataclass(eq=False)
class UnorderedSet(SequenceEstimator):
    """Sets of `k` distinct sentences, sampled without replacement; see the module's docstring.

    `sample` draws ordinary samples, `loss` the sets: B/k of them, or one for each condition.

        UnorderedSet(space, k=4)
    """

    k: int = 4

    def __post_init__(self) -> None:
        check_range(2, whole=True, k=self.k)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        rows, cond = len(rollout.ids_BT), rollout.cond
        sets = rows // self.k if cond is None else rows
        drawn = sets_without_replacement(generator, self.space, sets, self.k, cond)
        return self.loss_of_sets(generator, drawn, cond, reward, *terms)

    def loss_of_sets(
        self,
        generator: Generator,
        drawn: SentenceSets,
        cond: Tensor | None,
        reward: Reward,
        *terms: RewardTerm,
    ) -> Surrogate:
        """The loss of given sets; `cond` has a row for each set. `reward` reads row k·G + g for
        member k of set g."""
        members, sets, _ = drawn.ids_KGT.shape
        ids_RT = drawn.ids_KGT.flatten(0, 1)
        mask_RT = mask_until_end(ids_RT, self.space.end_id)
        cond = repeat_rows(cond, members)
        with torch.no_grad(), frozen(generator):
            value_R = total_reward(reward, terms)(ids_RT, mask_RT)
        with evaluating(generator):
            logp_R = token_log_probs(generator, ids_RT, mask_RT, cond=cond).sum(1)
        logp_KG = logp_R.view(members, sets)
        weights = set_weights(logp_KG.detach(), drawn.present_KG)
        value_KG = value_R.view(members, sets)
        baseline_KG = torch.einsum("gks,sg->kg", weights.baseline_GKK.to(value_KG), value_KG)
        first_KG = weights.first_GK.T.to(value_KG)
        loss = -(first_KG * (value_KG - baseline_KG) * logp_KG).sum() / sets
        stats = {
            "return": (first_KG * value_KG).sum() / sets,
            "set_mass": weights.mass_G.mean().to(value_KG),
            "length": (first_KG * mask_RT.sum(1).view(members, sets)).sum() / sets,
        }
        return Surrogate(loss, stats)


@dataclass(frozen=True, slots=True)
class SetWeights:
    """What the members of G sets weigh, in float64; members that do not exist 0."""

    first_GK: Tensor
    """w_s: the probability that the member was drawn first. Sums to 1."""
    baseline_GKK: Tensor
    """[g, s, s′]: the weight of s′ in the baseline of s. Sums to 1 over s′."""
    mass_G: Tensor
    """P_S, the probability of all members together."""


def set_weights(logp_KG: Tensor, present_KG: Tensor) -> SetWeights:
    """From the members' log-probabilities, in nats. A set that lacks a member is taken to have all
    sentences that there are."""
    present_GK = present_KG.T
    logp_GK = _precise(logp_KG).T.masked_fill(~present_GK, float("-inf"))
    mass_G = logp_GK.logsumexp(1).clamp(max=0)
    others_G = log1mexp(mass_G).masked_fill(~present_GK.all(1), float("-inf"))
    whole_G, without_GK, without_GKK = log_integrals(logp_GK - others_G[:, None], present_GK)
    first_GK = logp_GK + without_GK - whole_G[:, None]
    baseline_GKK = logp_GK[:, None] + without_GKK - without_GK[..., None]
    own_KK = torch.eye(len(logp_KG), dtype=torch.bool, device=logp_GK.device)
    baseline_GKK = torch.where(own_KK, logp_GK[:, None], baseline_GKK)
    return SetWeights(first_GK.exp(), baseline_GKK.exp(), mass_G.exp())


def log_integrals(loga_GK: Tensor, present_GK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log I of each set S, of S∖s, and of S∖{s, s′} (meaningless where s′ = s).

    `loga_GK` is log a_s; +∞ where the set has everything; ignored for members that do not exist.
    """
    y_Q, logw_Q = _trapezoid(loga_GK.shape[1], loga_GK)
    z_GKQ = loga_GK[..., None] + y_Q
    # Where exp(−e^z) rounds to 1, 1 − exp(−e^z) is e^z.
    factor_GKQ = torch.where(z_GKQ < -36, z_GKQ, log1mexp(-z_GKQ.exp()))
    factor_GKQ = factor_GKQ.masked_fill(~present_GK[..., None], 0.0)
    whole_GQ = logw_Q + factor_GKQ.sum(1)
    without_GKQ = whole_GQ[:, None] - factor_GKQ
    without_GKKQ = without_GKQ[:, :, None] - factor_GKQ[:, None]
    return whole_GQ.logsumexp(-1), without_GKQ.logsumexp(-1), without_GKKQ.logsumexp(-1)


def _trapezoid(members: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Points y, and logarithms of their weights: the spacing times exp(y − e^y).

    With n = k + 1: left of −38 and where e^y exceeds the upper bound (Bernstein's, for a Gamma(n)
    variable) lie 1e-16 of the integral. The spacing h has an error of about |Γ(n + 2πi/h)| / Γ(n),
    which is below 1e-15 for all n.
    """
    n = members + 1
    first, last = -38.0, log(n + 40 + sqrt(1600 + 80 * n))
    spacing = 2 * pi / (20 + 7 * sqrt(n))
    points = int((last - first) / spacing) + 2
    y_Q = first + spacing * torch.arange(points, dtype=like.dtype, device=like.device)
    return y_Q, y_Q - y_Q.exp() + log(spacing)


def _precise(x: Tensor) -> Tensor:
    """float64; on the CPU where the device is mps, which has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()
