"""Samplers: from the logits of one column, `logits_BV`, to the next token of each row.

Sampling inverts the cumulative distribution: one uniform number per token, where
`torch.multinomial` draws V exponentials. The softmax, its cumulative sums and Gumbel noise are
float32 under autocast too. A probability is resolved to about 6e-8.

    Ancestral(temperature=0.7)(logits_BV, copies=2).ids_R
"""

from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.numbers import COLDEST, HOTTEST, check_range, check_sampling

_ONE_SEARCH = 256
"""Vocabularies up to this size are searched at once."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """The next token of each row: what is fed back and stored, and the hard decision."""

    x: Tensor  # ids_R, or simplex_RV
    ids_R: Tensor
    logp_R: Tensor | None = None
    """Log-probability of the decision, in nats, where the sampler was asked for it."""


class Sampler(Protocol):
    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        """Draw `copies` tokens for each row; row n·B + b is copy n of row b."""
        ...


@dataclass(frozen=True, slots=True)
class Ancestral:
    """Sample from softmax(logits / temperature), cut to the top-k or the top-p nucleus.

    `scored`: also say how likely each token was.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    scored: bool = False

    def __post_init__(self) -> None:
        check_sampling(self.temperature, self.top_p)
        if self.top_k is not None:
            check_range(1, whole=True, top_k=self.top_k)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_BV = at_temperature(logits_BV.float(), self.temperature)
        if self.top_k is not None:
            logits_BV = keep_top_k(logits_BV, self.top_k)
        probs_BV = logits_BV.softmax(-1)
        if self.top_p < 1:
            probs_BV = keep_top_p(probs_BV, self.top_p)
        ids_NB = sample_categorical(probs_BV, copies)
        ids_R = ids_NB.flatten()
        if not self.scored:
            return Sampled(ids_R, ids_R)
        chosen_NB = probs_BV.gather(1, ids_NB.T).T / probs_BV.sum(1)
        return Sampled(ids_R, ids_R, chosen_NB.log().flatten())


@dataclass(frozen=True, slots=True)
class Greedy:
    """Always the most likely token."""

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        ids_R = logits_BV.argmax(-1).repeat(copies)
        return Sampled(ids_R, ids_R)


@dataclass(frozen=True, slots=True)
class GumbelSoftmax:
    """y = softmax((logits + τ_f g) / temperature), g ~ Gumbel(0, 1)  (Jang 2017, Maddison 2017).

    With `hard` the forward value is one-hot(argmax y), a sample of softmax(logits / τ_f), and the
    gradient that of y (straight-through Gumbel). Without it critic and generator read the soft row
    itself. τ_f is `forward_temperature`.
    """

    temperature: float
    hard: bool
    forward_temperature: float = 1.0

    def __post_init__(self) -> None:
        check_sampling(self.temperature)
        check_range(COLDEST, HOTTEST, forward_temperature=self.forward_temperature)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        noisy_RV = _repeat(logits_BV.float(), copies)
        noisy_RV = noisy_RV.add(gumbel_noise(noisy_RV), alpha=self.forward_temperature)
        soft_RV = at_temperature(noisy_RV, self.temperature).softmax(-1)
        ids_R = noisy_RV.argmax(-1)
        return Sampled(straight_through(ids_R, soft_RV) if self.hard else soft_RV, ids_R)


@dataclass(frozen=True, slots=True)
class Softmax:
    """The distribution itself, softmax(logits / temperature), as a soft row: no noise."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_sampling(self.temperature)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = _repeat(logits_BV.float(), copies)
        soft_RV = at_temperature(logits_RV, self.temperature).softmax(-1)
        return Sampled(soft_RV, logits_RV.argmax(-1))


@dataclass(frozen=True, slots=True)
class StraightThrough:
    """A sample of softmax(logits / forward_temperature), with the gradient of
    softmax(logits / temperature)."""

    temperature: float = 1.0
    forward_temperature: float = 1.0

    def __post_init__(self) -> None:
        check_sampling(self.temperature)
        check_range(COLDEST, HOTTEST, forward_temperature=self.forward_temperature)

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = _repeat(logits_BV.float(), copies)
        drawn_RV = at_temperature(logits_RV.detach(), self.forward_temperature).softmax(-1)
        ids_R = sample_categorical(drawn_RV, 1).flatten()
        soft_RV = at_temperature(logits_RV, self.temperature).softmax(-1)
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


def at_temperature(logits: Tensor, temperature: float) -> Tensor:
    """logits / temperature; the logits themselves at 1, where dividing would copy all of them."""
    return logits if temperature == 1 else logits / temperature


def sample_categorical(probs_BV: Tensor, copies: int) -> Tensor:
    """`ids_NB`: `copies` draws from each row of probabilities, by inverting the CDF.

    Rows need not sum to one. A token of probability 0 is never drawn. Rows that are not finite
    get the last token: their loss stops the run, not an index out of range. A large vocabulary is
    searched twice, for a block of about √V tokens and inside it: a cumulative sum over all V would
    cost more than the softmax.
    """
    batch, vocab = probs_BV.shape
    uniform_BN = torch.rand(batch, copies, device=probs_BV.device, dtype=probs_BV.dtype)
    if vocab <= _ONE_SEARCH:
        return _invert_cdf(probs_BV, uniform_BN * probs_BV.sum(-1, keepdim=True))[0].T
    size = _block_size(vocab)
    blocks_BKS = F.pad(probs_BV, (0, -vocab % size)).view(batch, -1, size)
    mass_BK = blocks_BKS.sum(-1)
    block_BN, rest_BN = _invert_cdf(mass_BK, uniform_BN * mass_BK.sum(-1, keepdim=True))
    row_B1 = torch.arange(batch, device=probs_BV.device)[:, None]
    chosen_BNS = blocks_BKS[row_B1, block_BN]
    inside_BN1, _ = _invert_cdf(chosen_BNS, rest_BN[..., None])
    ids_BN = block_BN * size + inside_BN1[..., 0]
    return ids_BN.clamp(max=vocab - 1).T


def _block_size(vocab: int) -> int:
    """A divisor of V near √V, so that nothing is copied to pad; else √V itself."""
    root = max(1, isqrt(vocab))
    return next((size for size in range(root, 2 * root + 1) if vocab % size == 0), root)


def _invert_cdf(weights: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The first entry (in the last dimension) at which the cumulative sum exceeds the target, and
    how far the target reaches into that entry.

    The target is kept strictly below the total, whatever rounding did to it. An entry of weight 0
    never lifts the sum above the target, so it is never found. Without a finite total it is the
    last entry.
    """
    cdf = weights.cumsum(-1)
    total = cdf[..., -1:]
    target = torch.minimum(target, torch.nextafter(total, torch.zeros_like(total)))
    index = torch.searchsorted(cdf, target, right=True).clamp(max=weights.shape[-1] - 1)
    before = (cdf - weights).gather(-1, index)
    return index, (target - before).clamp(min=0)


def gumbel_noise(like: Tensor) -> Tensor:
    """Standard Gumbel noise in float32: −log(E) with E ~ Exp(1), finite for every draw."""
    exponential = torch.empty(like.shape, device=like.device, dtype=torch.float32).exponential_()
    return -exponential.clamp(min=torch.finfo(torch.float32).tiny).log()


def straight_through(ids_R: Tensor, soft_RV: Tensor) -> Tensor:
    """One-hot rows whose gradient is that of `soft_RV`. The forward value is exactly one-hot."""
    hard_RV = F.one_hot(ids_R, soft_RV.shape[-1]).to(soft_RV.dtype)
    return hard_RV + (soft_RV - soft_RV.detach())


def keep_top_k(logits_BV: Tensor, k: int) -> Tensor:
    """−inf for everything below the k-th largest logit; ties at the edge all stay."""
    if k >= logits_BV.shape[-1]:
        return logits_BV
    edge_B1 = logits_BV.topk(k, dim=-1).values[:, -1:]
    return logits_BV.masked_fill(logits_BV < edge_B1, float("-inf"))


def keep_top_p(probs_BV: Tensor, p: float) -> Tensor:
    """0 outside the smallest set of most likely tokens whose mass reaches p."""
    ranked_BV, order_BV = probs_BV.sort(-1, descending=True)
    mass_before_BV = ranked_BV.cumsum(-1) - ranked_BV
    ranked_BV = ranked_BV.masked_fill(mass_before_BV >= p, 0.0)
    return torch.zeros_like(probs_BV).scatter(-1, order_BV, ranked_BV)


def _repeat(logits_BV: Tensor, copies: int) -> Tensor:
    return logits_BV if copies == 1 else logits_BV.repeat(copies, 1)
