"""The f-GAN family: any f-divergence as a game (Nowozin et al. 2016).

    D_f(P ‖ Q) = ∫ q(x) f(p(x) / q(x)) dx  ≥  E_P[T(x)] − E_Q[f*(T(x))],    T = g(d), d = D(x)

f is convex with f(1) = 0 (but for `gan`), f*(t) = sup_u (u t − f(u)) its conjugate, and the output
activation g keeps T in the domain of f*. With real samples of P and generated ones of Q

    critic minimises      −E_real[g(d)] + E_generated[f*(g(d))]
    generator maximises   E_generated[f*(g(d))]

The bound is exact at T = f'(p/q), that is at the score d in the last column (r = log p/q):

| name       | f(u)                        | T = g(d)      | f*(t)         | f*(g(d)) | best d     |
|------------|-----------------------------|---------------|---------------|----------|------------|
| kl         | u log u                     | 1 + d         | e^(t − 1)     | e^d      | r          |
| reverse_kl | −log u                      | −e^(−d)       | −1 − log(−t)  | d − 1    | r          |
| pearson    | (u − 1)²                    | d             | t²/4 + t      | d²/4 + d | 2(e^r − 1) |
| hellinger  | (√u − 1)²                   | 1 − e^(−d)    | t / (1 − t)   | e^d − 1  | r/2        |
| js         | u log u − (u+1) log (u+1)/2 | log 2 − S(−d) | −log(2 − e^t) | S − log 2| r          |
| gan        | u log u − (u+1) log(u+1)    | −S(−d)        | −log(1 − e^t) | S        | r          |

with S = S(d) = log(1 + e^d) = softplus, −S(−d) = log σ(d).

kl is KL(real ‖ generated): dear where the generator lacks what is real. reverse_kl is dear where
it makes what is not real. hellinger is the squared distance ∫ (√p − √q)², js is 2 JS ≤ 2 log 2, and
gan is 2 JS − 2 log 2: Goodfellow's minimax game.

f*(g(d)) is computed as in the table and not as the composition of the two columns before it, which
loses everything where σ(d) rounds to 1. e^d overflows where d > 88: use small learning rates.

Deviation. For kl the paper has T = d; here 0 is the score of p = q for every name, so that the
logged accuracy means the same. The paper's other generator loss, raise T where samples are false
(the non-saturating trick), is the objective `non_saturating` for gan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.types import Scores
from seqgan.objectives.base import shared_out
from seqgan.objectives.names import FDivergenceName

Pointwise = Callable[[Tensor], Tensor]
LOG_2 = log(2)


@dataclass(frozen=True, slots=True)
class FDivergence:
    """One row of the module's table, as functions of tensors."""

    f: Pointwise
    """f(u), u > 0."""
    slope: Pointwise
    """f'(u): the best T where p/q = u."""
    activation: Pointwise
    """g(d)."""
    conjugate: Pointwise
    """f*(t)."""
    conjugate_of_score: Pointwise
    """f*(g(d))."""


F_DIVERGENCES: dict[FDivergenceName, FDivergence] = {
    "kl": FDivergence(
        f=lambda u: u * u.log(),
        slope=lambda u: 1 + u.log(),
        activation=lambda d: 1 + d,
        conjugate=lambda t: (t - 1).exp(),
        conjugate_of_score=torch.exp,
    ),
    "reverse_kl": FDivergence(
        f=lambda u: -u.log(),
        slope=lambda u: -1 / u,
        activation=lambda d: -(-d).exp(),
        conjugate=lambda t: -1 - (-t).log(),
        conjugate_of_score=lambda d: d - 1,
    ),
    "pearson": FDivergence(
        f=lambda u: (u - 1).square(),
        slope=lambda u: 2 * (u - 1),
        activation=lambda d: d,
        conjugate=lambda t: t.square() / 4 + t,
        conjugate_of_score=lambda d: d.square() / 4 + d,
    ),
    "hellinger": FDivergence(
        f=lambda u: (u.sqrt() - 1).square(),
        slope=lambda u: 1 - u.rsqrt(),
        activation=lambda d: -(-d).expm1(),
        conjugate=lambda t: t / (1 - t),
        conjugate_of_score=torch.expm1,
    ),
    "js": FDivergence(
        f=lambda u: u * u.log() - (u + 1) * ((1 + u) / 2).log(),
        slope=lambda u: (2 * u / (1 + u)).log(),
        activation=lambda d: LOG_2 + F.logsigmoid(d),
        conjugate=lambda t: -(2 - t.exp()).log(),
        conjugate_of_score=lambda d: F.softplus(d) - LOG_2,
    ),
    "gan": FDivergence(
        f=lambda u: u * u.log() - (u + 1) * u.log1p(),
        slope=lambda u: (u / (1 + u)).log(),
        activation=F.logsigmoid,
        conjugate=lambda t: -(-t.exp()).log1p(),
        conjugate_of_score=F.softplus,
    ),
}


class FGan:
    """See the module's docstring and `objectives.base.Objective`. Scores are [B] or [B, T].

    `divergence` names a row of the table.

        objective = FGan("reverse_kl")
        bound = -objective.critic_loss(critic(real), critic(fake))  # at most KL(fake ‖ real)
    """

    needs_real = False

    def __init__(self, divergence: FDivergenceName = "kl") -> None:
        self._divergence = F_DIVERGENCES[divergence]

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """Minus the lower bound of the divergence, a scalar. Steps behind an end do not count."""
        of_real = masked_mean(self._divergence.activation(real.score.float()), real.mask_BT)
        of_fakes = [masked_mean(self.reward(fake), fake.mask_BT) for fake in fakes]
        return shared_out(of_fakes, shares) - of_real

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """f*(g(d)) of each score: what the generator lowers the bound by raising."""
        return self._divergence.conjugate_of_score(fake.score.float())
