"""A control variate at every step: what REBAR and RELAX share.

With the hard prefix x_<t, log π_t = log p(· | x_<t) and the token x_t, let z̃_t be log π_t plus
Gumbel noise, drawn given that its argmax is x_t (`conditional_gumbel.py`): a differentiable
function of log π_t. Let z_t be the same numbers as log π_t + g with g held fixed. Then

    ∇E[R] = E Σ_t [ (R(x) − η c_t(z̃_t)) ∇ log π_t(x_t) + η ∇c_t(z_t) − η ∇c_t(z̃_t) ]

Given the prefix, E[c_t(z̃_t) ∇ log π_t(x_t) + ∇c_t(z̃_t)] = ∇E[c_t(z_t)] = E[∇c_t(z_t)]: what is
added has expectation 0, as long as c_t depends on the prefix and *one* perturbed step only.

Since z_t = z̃_t in value (Tucker et al. 2017; Grathwohl et al. 2018 draw z̃_t anew, with the same
expectation), c_t is computed and differentiated once, at s = ∂c_t/∂z:

    ∇c_t(z_t) − ∇c_t(z̃_t) = s · (∂ log π_t − ∂z̃_t)

Two other forms are biased; the tests keep them as counter-examples.
- One control variate on the whole relaxed sequence, c(z_1, …, z_T). The distribution of z_{t+1}
  jumps where another entry of z_t becomes the largest, which a derivative with the noise held fixed
  does not include.
- c_t of the prefix, the relaxed token t, and the continuation that was sampled after x_t: it
  depends on x_t, so again the derivative leaves out how z_t decides what comes.

The estimate is a gradient with respect to the logits, from a detached copy of them; the loss is
linear in the generator's logits, with that gradient.

What is learned (η and λ, or the network c) descends on the mean squared norm of the estimate, whose
gradient is that of its variance (Tucker 2017). Deviation: the variance of the gradient with respect
to the logits, step by step, not to the generator's parameters, so that the generator is not
differentiated twice.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.modes import evaluating
from seqgan.core.types import Generator, Reward, Rollout, Stats
from seqgan.estimators.base import Surrogate
from seqgan.estimators.conditional_gumbel import conditional_gumbels
from seqgan.estimators.rewards import value_per_sequence

ControlVariate = Callable[[int, Tensor], Tensor]
"""`c_BP` of `first` and `z_BPV`: entry p depends on the hard tokens before column `first` + p, and
on z[:, p]. Differentiable in z; twice, and in its parameters, where something is learned."""


def control_variate_surrogate(
    generator: Generator,
    rollout: Rollout,
    reward: Reward,
    control: ControlVariate,
    eta: Tensor | float,
    learned: Sequence[Tensor],
    at_once: int,
) -> Surrogate:
    """The loss, and for the parameters in `learned` the loss of the player `baseline`.

    `reward` is computed for the hard sentences, without gradient. `at_once` steps are in memory
    together.
    """
    with evaluating(generator):
        logits_BTV = generator(rollout.ids_BT, rollout.cond).float()
    with torch.no_grad():
        value_B = value_per_sequence(reward, rollout.tokens, rollout.mask_BT)
    batch, length, _ = logits_BTV.shape
    estimates: list[Tensor] = []
    square = torch.zeros((), device=logits_BTV.device)
    slopes = [torch.zeros_like(parameter) for parameter in learned]
    for first in range(0, length, at_once):
        steps = slice(first, first + at_once)
        estimate_BPV = logit_gradient(
            logits_BTV[:, steps],
            rollout.ids_BT[:, steps],
            value_B,
            partial(control, first),
            eta,
            bool(learned),
        )
        estimate_BPV = estimate_BPV * rollout.mask_BT[:, steps, None]
        part = estimate_BPV.square().sum() / batch
        if learned:  # at once: the graph of all steps would be too large
            more = torch.autograd.grad(part, learned, materialize_grads=True)
            slopes = [slope + extra for slope, extra in zip(slopes, more, strict=True)]
        square = square + part.detach()
        estimates.append(estimate_BPV.detach())
    loss = -(torch.cat(estimates, 1) * logits_BTV).sum() / batch
    stats = _stats(logits_BTV, rollout, value_B) | {"estimate_square": square}
    return Surrogate(loss, stats, _with_gradient(square, learned, slopes) if learned else None)


def logit_gradient(
    logits_BPV: Tensor,
    ids_BP: Tensor,
    value_B: Tensor,
    control: Callable[[Tensor], Tensor],
    eta: Tensor | float,
    differentiable: bool,
) -> Tensor:
    """`estimate_BPV` of the gradient of E[R] with respect to the logits, which it is detached from;
    `differentiable`: in η and in the parameters of `control`."""
    logits_BPV = logits_BPV.detach().requires_grad_()
    logp_BPV = logits_BPV.log_softmax(-1)
    z_RV = conditional_gumbels(logp_BPV.flatten(0, 1), ids_BP.flatten())
    given_BPV = z_RV.view(logp_BPV.shape)
    z_BPV = given_BPV.detach().requires_grad_()
    c_BP = control(z_BPV)
    # A row's c_t depends on its own z_t only, so that the gradient of the sum holds all of them.
    (s_BPV,) = torch.autograd.grad(c_BP.sum(), z_BPV, create_graph=differentiable)
    (path_BPV,) = torch.autograd.grad(
        logp_BPV - given_BPV, logits_BPV, s_BPV, create_graph=differentiable
    )
    residual_BP = value_B[:, None] - eta * c_BP
    return residual_BP[..., None] * _score(logits_BPV, ids_BP) + eta * path_BPV


def _score(logits_BTV: Tensor, ids_BT: Tensor) -> Tensor:
    """∇ log p(x_t) with respect to the logits: one-hot less the distribution; a constant."""
    hard_BTV = F.one_hot(ids_BT, logits_BTV.shape[-1])
    return hard_BTV - logits_BTV.detach().softmax(-1)


def _with_gradient(value: Tensor, leaves: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """A scalar with this value and, in these leaves, these gradients."""
    for leaf, slope in zip(leaves, slopes, strict=True):
        value = value + ((leaf - leaf.detach()) * slope).sum()
    return value


def _stats(logits_BTV: Tensor, rollout: Rollout, value_B: Tensor) -> Stats:
    """With the squared norm that REINFORCE without a baseline would have had."""
    score_BTV = _score(logits_BTV, rollout.ids_BT) * rollout.mask_BT[..., None]
    return {
        "return": value_B.mean(),
        "length": rollout.mask_BT.sum(1).float().mean(),
        "reinforce_square": (value_B.square() * score_BTV.square().sum((1, 2))).mean(),
    }
