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
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    mask_BT = rollout.mask_BT[:, :columns]
    rows_R = _rows_that_count(mask_BT)
    with torch.no_grad():
        reference_RV = _logits(reference, rollout, columns, rows_R)
    with evaluating(generator):
        logits_RV = _logits(generator, rollout, columns, rows_R)
    ids_R = rollout.ids_BT[:, :columns].flatten()
    ids_R = ids_R if rows_R is None else ids_R[rows_R]
    of_rows: tuple[Tensor, Tensor] = _StepDivergence.apply(logits_RV, reference_RV, ids_R)  # type: ignore[no-untyped-call]
    kl_BT, logp_BT = (_in_place(value_R, rows_R, mask_BT) for value_R in of_rows)
    surrogate_BT = kl_BT + logp_BT * later_steps(kl_BT.detach())
    return surrogate_BT.sum(1).mean(), kl_BT.detach().sum(1).mean()


def _rows_that_count(mask_BT: Tensor) -> Tensor | None:
    """The tokens of sentences among all B·T; None: all. A GPU would wait for their number."""
    return mask_BT.flatten().nonzero()[:, 0] if mask_BT.device.type == "cpu" else None


def _logits(generator: Generator, rollout: Rollout, columns: int, rows_R: Tensor | None) -> Tensor:
    """`logits_RV` of the tokens in the first columns, or of those that count."""
    hidden = generator.hidden(rollout.ids_BT, rollout.cond)
    h_RH = hidden.h_BTH[:, :columns].flatten(0, 1)
    return replace(hidden, h_BTH=h_RH if rows_R is None else h_RH[rows_R]).logits().float()


def _in_place(value_R: Tensor, rows_R: Tensor | None, mask_BT: Tensor) -> Tensor:
    """`value_BT`, 0 behind the ends."""
    if rows_R is None:
        return value_R.view(mask_BT.shape) * mask_BT
    return value_R.new_zeros(mask_BT.numel()).index_copy(0, rows_R, value_R).view(mask_BT.shape)


class _StepDivergence(torch.autograd.Function):
    """k = KL(π ‖ ρ) of each row and log π(x), from logits z of π and those of ρ:

        ∂k/∂z_v = π_v (log π_v − log ρ_v − k)        ∂ log π(x)/∂z_v = 1[v = x] − π_v

    The chain rule through two tensors of logarithms would keep and fill three times as many.
    """

    @staticmethod
    def forward(
        ctx: Any, logits_RV: Tensor, reference_RV: Tensor, ids_R: Tensor
    ) -> tuple[Tensor, Tensor]:
        logp_RV = logits_RV.log_softmax(-1)
        logp_R = logp_RV.gather(-1, ids_R[:, None])[:, 0]
        ratio_RV = reference_RV.log_softmax(-1).neg_().add_(logp_RV)
        p_RV = logp_RV.exp_()
        kl_R = torch.linalg.vecdot(p_RV, ratio_RV)
        ctx.save_for_backward(p_RV, ratio_RV, kl_R, ids_R)
        return kl_R, logp_R

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_kl_R: Tensor, of_logp_R: Tensor) -> tuple[Tensor, None, None]:
        p_RV, ratio_RV, kl_R, ids_R = ctx.saved_tensors
        shift_R = of_kl_R * kl_R + of_logp_R
        slope_RV = (ratio_RV * of_kl_R[:, None]).sub_(shift_R[:, None]).mul_(p_RV)
        return slope_RV.scatter_add_(-1, ids_R[:, None], of_logp_R[:, None]), None, None
