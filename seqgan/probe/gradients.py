"""Bias, variance and cost of gradient estimators, all at the same parameters.

For an estimator ĝ of the gradient g of the expected reward, from N independent batches:

    bias       ‖E ĝ − g‖ / ‖g‖, less what sampling noise adds to it
    bias_error standard error of that, by a jackknife over 20 groups of batches
    variance   tr Var ĝ / ‖g‖² of one batch's estimate
    snr        ‖E ĝ‖ / √(tr Var ĝ)
    cosine     mean cosine of one batch's estimate to g;  cosine_mean: of their mean to g

With d_k the groups' means minus g, Σ_{j≠k} ⟨d_j, d_k⟩ / K(K−1) estimates ‖E ĝ − g‖² without the
noise, and may come out negative: an unbiased estimator's bias is 0 within its error, not exactly.

Where there are few enough sentences to list them all, g is exact,

    ∇ Σ_x p(x) R(x)     (by autograd, R without gradient),

else it is a leave-one-out estimate from many batches, and no bias can be measured more exactly
than its own standard error (`reference_error`, relative). R is the reward of a whole sentence; for
estimators that sum a causal critic's scores (credit per_step or gae, all_action), their sum.

A relaxed estimator estimates the gradient of the reward of relaxed samples; its bias is the
distance from that to the gradient for tokens.

Calls of the critic and tokens written are those of one estimate; seconds include the backward pass.
Learned baselines and control variates are fitted first, on batches of their own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

import torch
from torch import Tensor, nn

from seqgan.core.budget import Budget, counting
from seqgan.core.enumeration import MAX_ENUMERATED, all_sequences
from seqgan.core.masks import mask_until_end
from seqgan.core.rng import isolated
from seqgan.core.types import Generator, Reward, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import token_log_probs
from seqgan.estimators.base import Estimator, Surrogate, hard_samples

GROUPS = 20
"""Groups of batches that the jackknife leaves out in turn."""

ROUNDING = 1e-12
"""A variance this small, relative to the squared mean, is that of estimates without noise."""

FIT_RATE = 1e-2
"""Step size with which learned baselines and control variates are fitted."""


@dataclass(frozen=True, slots=True)
class Probed:
    """An estimator to be measured."""

    label: str
    estimator: Estimator
    summed: bool
    """Whether it raises the sum of a causal critic's scores instead of their mean."""
    network: nn.Module | None = None
    """Its learned baseline or control variate."""


def probe_gradients(
    generator: Generator,
    space: SequenceSpace,
    probed: list[Probed],
    request: SampleRequest,
    reward: Reward,
    samples: int = 400,
    reference_batches: int = 2_000,
    fit: int = 300,
    seed: int = 0,
    done: Callable[[], None] = lambda: None,
) -> list[dict[str, float | str]]:
    """A row for each estimator; `done` is called after each.

    `samples` and `reference_batches` count batches, `fit` updates of a learned baseline. Neither
    the generator nor any random stream changes. The critic behind `reward` has to be frozen.
    """
    references: dict[bool, tuple[Tensor, float]] = {}
    rows: list[dict[str, float | str]] = []
    for one in probed:
        if one.summed not in references:
            references[one.summed] = _reference(
                generator, space, request, reward, one.summed, reference_batches, seed + 1
            )
        gradient_P, error = references[one.summed]
        estimate = partial(_surrogate, generator, one.estimator, request, reward)
        with isolated(seed):
            _fit(one.network, estimate, fit)
            row = _measure(generator, estimate, samples, gradient_P)
        rows.append({"label": one.label, **row, "reference_error": error})
        done()
    return rows


# ── The reference ─────────────────────────────────────────────────────────────────────────────


def _reference(
    generator: Generator,
    space: SequenceSpace,
    request: SampleRequest,
    reward: Reward,
    summed: bool,
    batches: int,
    seed: int,
) -> tuple[Tensor, float]:
    """`gradient_P` in float64, and its standard error relative to its norm: 0 where it is exact."""
    if can_be_listed(space):
        return listed_gradient(generator, space, reward, summed), 0.0
    sum_P, squares = torch.zeros(()), 0.0
    with isolated(seed):  # not the estimators' own samples
        for _ in range(batches):
            gradient_P = _leave_one_out(generator, space, request, reward, summed)
            sum_P = sum_P.to(gradient_P) + gradient_P
            squares += float(gradient_P.square().sum())
    mean_P = sum_P / batches
    size = float(mean_P.norm())
    variance = (squares / batches - size**2) * batches / (batches - 1)
    return mean_P, (variance / batches) ** 0.5 / size


def can_be_listed(space: SequenceSpace) -> bool:
    """Whether all sentences can be listed: few enough, and without conditions."""
    return not space.conditional and space.vocab_size**space.length <= MAX_ENUMERATED


def listed_gradient(
    generator: Generator, space: SequenceSpace, reward: Reward, summed: bool
) -> Tensor:
    """−∇ of the expected loss over all sentences: [P], exact up to float32."""
    ids_RT = listed_sentences(space).to(next(generator.parameters()).device)
    mask_RT = mask_until_end(ids_RT, space.end_id)
    rollout = Rollout(ids_RT, ids_RT, mask_RT)
    value_R = _values(reward, rollout, summed)
    logp_R = token_log_probs(generator, ids_RT, mask_RT).sum(1)
    return _gradient(-(logp_R.exp() * value_R).sum(), generator)


def listed_sentences(space: SequenceSpace) -> Tensor:
    """Every distinct sentence; behind the first end token stand end tokens."""
    ids_RT = all_sequences(space.vocab_size, space.length)
    if space.end_id is None:
        return ids_RT
    ended_RT = ids_RT.masked_fill(~mask_until_end(ids_RT, space.end_id), space.end_id)
    distinct_RT: Tensor = torch.unique(ended_RT, dim=0)
    return distinct_RT


def _leave_one_out(
    generator: Generator, space: SequenceSpace, request: SampleRequest, reward: Reward, summed: bool
) -> Tensor:
    rollout = hard_samples(generator, space, request)
    value_B = _values(reward, rollout, summed)
    advantage_B = (value_B - value_B.mean()) * len(value_B) / (len(value_B) - 1)
    logp_BT = token_log_probs(generator, rollout.ids_BT, rollout.mask_BT, cond=rollout.cond)
    return _gradient(-(logp_BT.sum(1) * advantage_B).mean(), generator)


@torch.no_grad()
def _values(reward: Reward, rollout: Rollout, summed: bool) -> Tensor:
    """`value_B` of sentences: a causal critic's scores up to the end, their mean or their sum."""
    value = reward(rollout.tokens, rollout.mask_BT)
    if value.dim() == 1:
        return value
    total_B = (value * rollout.mask_BT).sum(1)
    return total_B if summed else total_B / rollout.mask_BT.sum(1)


# ── The estimates ─────────────────────────────────────────────────────────────────────────────


def _surrogate(
    generator: Generator, estimator: Estimator, request: SampleRequest, reward: Reward
) -> Surrogate:
    """One estimate, as a loss."""
    return estimator.loss(generator, estimator.sample(generator, request), reward)


def _measure(
    generator: Generator, estimate: Callable[[], Surrogate], samples: int, reference_P: Tensor
) -> dict[str, float]:
    moments, budget = _Moments(reference_P, samples), Budget()
    started = time.perf_counter()
    with counting(budget):
        for _ in range(samples):
            moments.add(_gradient(estimate().loss, generator))
    seconds = time.perf_counter() - started
    return {
        **moments.summary(),
        "critic_calls": budget.critic_calls / samples,
        "tokens": budget.tokens / samples,
        "seconds": seconds / samples,
    }


def _fit(network: nn.Module | None, estimate: Callable[[], Surrogate], updates: int) -> None:
    if network is None or not updates:
        return
    optimizer = torch.optim.Adam(network.parameters(), lr=FIT_RATE)
    for _ in range(updates):
        loss = estimate().baseline_loss
        if loss is None:
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _gradient(loss: Tensor, generator: Generator) -> Tensor:
    """[P] in float64, by autograd; nothing is accumulated anywhere."""
    parameters = [p for p in generator.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    pieces = [
        torch.zeros_like(p) if gradient is None else gradient
        for p, gradient in zip(parameters, found, strict=True)
    ]
    return torch.cat([piece.flatten() for piece in pieces]).double()


class _Moments:
    """Sums of estimates, so that none has to be kept."""

    def __init__(self, reference_P: Tensor, samples: int) -> None:
        self._reference_P, self._norm = reference_P, float(reference_P.norm())
        self._size = samples // GROUPS
        self._groups_KP = torch.zeros(GROUPS, len(reference_P), dtype=torch.float64)
        self._sum_P = torch.zeros_like(reference_P)
        self._squares, self._cosines, self._count = 0.0, 0.0, 0

    def add(self, gradient_P: Tensor) -> None:
        group = self._count // self._size
        if group < GROUPS:  # a rest that fills no group counts everywhere else
            self._groups_KP[group] += gradient_P.cpu() / self._size
        error_P = gradient_P - self._reference_P
        self._sum_P += error_P
        self._squares += float(error_P.square().sum())
        self._cosines += float(torch.cosine_similarity(gradient_P, self._reference_P, dim=0))
        self._count += 1

    def summary(self) -> dict[str, float]:
        """The statistics of the module's docstring."""
        bias, bias_error = self.bias()
        variance = self.variance()
        mean_P = self._reference_P + self._sum_P / self._count
        size = float(mean_P.norm()) / self._norm
        return {
            "bias": bias,
            "bias_error": bias_error,
            "variance": variance,
            "snr": size / variance**0.5 if variance > ROUNDING * size**2 else inf,
            "cosine": self._cosines / self._count,
            "cosine_mean": float(torch.cosine_similarity(mean_P, self._reference_P, dim=0)),
        }

    def bias(self) -> tuple[float, float]:
        """(bias, its standard error), relative to the reference's norm."""
        error_KP = self._groups_KP - self._reference_P.cpu()
        whole = _without_noise(error_KP)
        left_out = torch.tensor(
            [_without_noise(torch.cat([error_KP[:k], error_KP[k + 1 :]])) for k in range(GROUPS)]
        )
        squared_error = (GROUPS - 1) / GROUPS * (left_out - left_out.mean()).square().sum()
        bias = max(whole, 0.0) ** 0.5
        deviation = float(squared_error) ** 0.5
        # √ is steep at 0: there the error of the square is carried over as a square.
        error = deviation / (2 * bias) if whole > deviation else deviation**0.5
        return bias / self._norm, error / self._norm

    def variance(self) -> float:
        mean_square = float((self._sum_P / self._count).square().sum())
        spread = (self._squares / self._count - mean_square) * self._count / (self._count - 1)
        return max(spread, 0.0) / self._norm**2


def _without_noise(error_KP: Tensor) -> float:
    """Σ_{j≠k} ⟨e_j, e_k⟩ / K(K−1): the squared norm of the mean, unbiased."""
    count = len(error_KP)
    total = error_KP.sum(0).square().sum() - error_KP.square().sum()
    return float(total) / (count * (count - 1))
