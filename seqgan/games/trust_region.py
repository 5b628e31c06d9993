"""A trust region: the generator may not go far from what it was before the adversarial phase.

    loss + W · KL(G ‖ G_ref),    KL = E_{x ~ G} Σ_t k_t,    k_t = Σ_v π_t(v) log( π_t(v) / ρ_t(v) )

with π_t = G(· | x_<t) and ρ_t = G_ref(· | x_<t), in nats per sentence. G_ref is the generator as it
was when the first adversarial phase began. The gradient has two parts, that of each step's own
divergence and the score function of the later ones:

    ∇KL = E Σ_t [ ∇k_t + (F_t − b_t) ∇ log π_t(x_t) ],    F_t = Σ_{s > t} k_s

k_t is a sum over the vocabulary, so that only the prefixes are sampled (Amini et al. 2025, *Better
estimation of the Kullback-Leibler divergence between language models*). b_t is the mean of the
other samples' F_t. Stiennon et al. 2020, *Learning to summarize from human feedback*, have the
penalty as part of the reward. With the reward log(p/G_ref) and W = 1 the optimum is p.

The estimate is unbiased where the samples are those of G: for estimators of hard tokens (their
rollouts, demonstrations left out), straight-through ones at forward temperature 1 included, and in
the first epoch of PPO and GRPO. Rows of `softmax` and `soft_gumbel` are no samples of G; their hard
decisions are taken for such. W is in the units of the reward, or of its deviation with `whiten`.
"""

import copy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from seqgan.core.masks import longest
from seqgan.core.modes import evaluating
from seqgan.core.plain import StateDict
from seqgan.core.types import Generator, Rollout, Stats
from seqgan.estimators.all_action import later_steps
from seqgan.games.surrogate import FurtherLoss


class TrustRegion:
    """Holds a generator near its former self: `weight` is W. See the module's docstring."""

    def __init__(self, generator: Generator, weight: float) -> None:
        self._weight = weight
        self._reference = copy.deepcopy(generator).requires_grad_(False).eval()
        self._begun = False

    def around(self, generator: Generator, rollout: Rollout) -> FurtherLoss:
        """The loss to add, by samples of the generator; the first call makes it the reference."""
        if not self._begun:
            self._reference.load_state_dict(generator.state_dict())
            self._begun = True
        return partial(self._loss, generator, rollout)

    def _loss(self, generator: Generator, rollout: Rollout) -> tuple[Tensor, Stats]:
        surrogate, kl = divergence(generator, self._reference, rollout)
        return self._weight * surrogate, {"reference_kl": kl}

    def state_dict(self) -> StateDict:
        return {"reference": dict(self._reference.state_dict())} if self._begun else {}

    def load_state_dict(self, state: StateDict) -> None:
        self._begun = bool(state)
        if self._begun:
            self._reference.load_state_dict(state["reference"])


def divergence(
    generator: Generator, reference: Generator, rollout: Rollout
) -> tuple[Tensor, Tensor]:
    """A loss whose gradient estimates that of KL(generator ‖ reference), by samples of the
    generator, and an estimate of the divergence itself, in nats per sentence without gradient."""
    columns = longest(rollout.mask_BT)
    ids_BT, mask_BT = rollout.ids_BT[:, :columns], rollout.mask_BT[:, :columns]
    with torch.no_grad():
        logr_BTV = _log_probs(reference, rollout, columns)
    with evaluating(generator):
        logp_BTV = _log_probs(generator, rollout, columns)
    kl_BT = (logp_BTV.exp() * (logp_BTV - logr_BTV)).sum(-1) * mask_BT
    logp_BT = logp_BTV.gather(-1, ids_BT[..., None])[..., 0] * mask_BT
    surrogate_BT = kl_BT + logp_BT * later_steps(kl_BT.detach())
    return surrogate_BT.sum(1).mean(), kl_BT.detach().sum(1).mean()


def _log_probs(generator: Generator, rollout: Rollout, columns: int) -> Tensor:
    """`logp_BTV` of every token in the first columns."""
    hidden = generator.hidden(rollout.ids_BT, rollout.cond)
    shorter = replace(hidden, h_BTH=hidden.h_BTH[:, :columns])
    return shorter.logits().float().log_softmax(-1)
