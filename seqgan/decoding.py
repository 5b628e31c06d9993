"""The one sampling loop, and the density of what it samples.

Everything that writes sequences goes through `decode`: ancestral sampling with temperature and
top-k/top-p, greedy decoding, relaxed and straight-through samples, continuations of prefixes.
What differs is the *draw*, a function from `logits_BV` to the next token.

Rows may join the loop late. Monte-Carlo rollouts (SeqGAN) continue every prefix of a sentence;
each prefix enters at its own column from the state cached there, so that nothing is decoded twice
and all prefixes advance in one batch. Rows stay in the order in which they joined.

Sampling inverts the cumulative distribution: one uniform number per token, where
`torch.multinomial` draws V exponentials. The softmax, its cumulative sums and Gumbel noise are
float32 under autocast too. A probability is resolved to about 6e-8.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.budget import count_tokens
from seqgan.core.linear_log_probs import linear_log_probs
from seqgan.core.masks import mask_until_end
from seqgan.core.tree import repeat_rows, take_rows, tree_cat
from seqgan.core.types import (
    DirectGenerator,
    Generator,
    Hidden,
    ParallelGenerator,
    Rollout,
    SequenceSpace,
    State,
    StepOut,
)

_CPU_LOGITS = 1_300_000
"""Logits a CPU lane computes at once: 256 rows at V = 5,000 stay in cache, 1,024 rows do not."""

_FEW_LOGITS = 100_000
"""A batch with fewer logits than this gains nothing from `linear_log_probs`."""

_ONE_SEARCH = 256
"""Vocabularies up to this size are searched at once."""


# ── Draws ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sampled:
    """The next token of each row: what is fed back and stored, and the hard decision."""

    x: Tensor  # ids_R, or simplex_RV
    ids_R: Tensor


class Sampler(Protocol):
    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        """Draw `copies` tokens for each row; row n·B + b is copy n of row b."""
        ...


@dataclass(frozen=True, slots=True)
class Ancestral:
    """Sample from softmax(logits / temperature), cut to the top-k or the top-p nucleus."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_BV = at_temperature(logits_BV.float(), self.temperature)
        if self.top_k is not None:
            logits_BV = keep_top_k(logits_BV, self.top_k)
        probs_BV = logits_BV.softmax(-1)
        if self.top_p < 1:
            probs_BV = keep_top_p(probs_BV, self.top_p)
        ids_R = sample_categorical(probs_BV, copies).flatten()
        return Sampled(ids_R, ids_R)


@dataclass(frozen=True, slots=True)
class Greedy:
    """Always the most likely token."""

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        ids_R = logits_BV.argmax(-1).repeat(copies)
        return Sampled(ids_R, ids_R)


@dataclass(frozen=True, slots=True)
class GumbelSoftmax:
    """y = softmax((logits + g) / temperature), g ~ Gumbel(0, 1)  (Jang 2017, Maddison 2017).

    With `hard` the forward value is one-hot(argmax y) and the gradient that of y
    (straight-through Gumbel). Without it the soft row itself goes on, into the critic and into
    the next step of the generator.
    """

    temperature: float
    hard: bool

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        noisy_RV = _repeat(logits_BV.float(), copies)
        noisy_RV = noisy_RV + gumbel_noise(noisy_RV)
        soft_RV = at_temperature(noisy_RV, self.temperature).softmax(-1)
        ids_R = noisy_RV.argmax(-1)
        return Sampled(straight_through(ids_R, soft_RV) if self.hard else soft_RV, ids_R)


@dataclass(frozen=True, slots=True)
class Softmax:
    """The distribution itself, softmax(logits / temperature), goes on as a soft row: no noise."""

    temperature: float = 1.0

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = _repeat(logits_BV.float(), copies)
        soft_RV = at_temperature(logits_RV, self.temperature).softmax(-1)
        return Sampled(soft_RV, logits_RV.argmax(-1))


@dataclass(frozen=True, slots=True)
class StraightThrough:
    """A sample of softmax(logits); its gradient is that of softmax(logits / temperature)."""

    temperature: float = 1.0

    def __call__(self, logits_BV: Tensor, copies: int) -> Sampled:
        logits_RV = _repeat(logits_BV.float(), copies)
        ids_R = sample_categorical(logits_RV.detach().softmax(-1), 1).flatten()
        soft_RV = at_temperature(logits_RV, self.temperature).softmax(-1)
        return Sampled(straight_through(ids_R, soft_RV), ids_R)


def at_temperature(logits: Tensor, temperature: float) -> Tensor:
    """logits / temperature; the logits themselves at 1, where dividing would copy all of them."""
    return logits if temperature == 1 else logits / temperature


def sample_categorical(probs_BV: Tensor, copies: int) -> Tensor:
    """`ids_NB`: `copies` draws from each row of probabilities, by inverting the CDF.

    Rows need not sum to one. A token of probability 0 is never drawn. Rows that are not finite
    get the last token: their loss stops the run, not an index out of range. Over a large
    vocabulary the search is done twice, for a block of about √V tokens and inside it: a
    cumulative sum over all V would cost more than the softmax before it.
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


# ── The loop ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PrefixBatch:
    """Rows that join at column `time`: `copies` continuations of each row of `out`."""

    time: int
    out: StepOut
    copies: int = 1
    alive_B: Tensor | None = None
    """False for prefixes that have ended already; None: all go on."""


@dataclass(frozen=True, slots=True)
class Column:
    """One decoded column over all rows that have joined by then, in joining order."""

    x: Tensor
    ids_R: Tensor
    alive_R: Tensor
    """True where this token is part of the sentence (the end token included)."""


@dataclass(slots=True)
class _Lane:
    """A block of rows that advance together."""

    drawn: Sampled
    state: State
    alive_R: Tensor
    goes_on_R: Tensor

    def __len__(self) -> int:
        return len(self.alive_R)


def decode(
    generator: Generator,
    entries: Sequence[PrefixBatch],
    length: int,
    draw: Sampler,
    end_id: int | None,
) -> Iterator[Column]:
    """Yield the columns from the first entry's time up to `length` - 1.

    Entries are in order of their time, at most one per column. Behind the end token a row holds
    `end_id` and carries no gradient.
    """
    waiting = {entry.time: entry for entry in entries}
    limit = _lane_rows(entries[0].out.logits_BV)
    lanes: list[_Lane] = []
    for time in range(entries[0].time, length):
        lanes = [_advance(generator, lane, draw, end_id) for lane in lanes]
        if time in waiting:
            _join(lanes, _enter(waiting[time], draw, end_id), limit)
        count_tokens(sum(map(len, lanes)))
        yield Column(
            torch.cat([lane.drawn.x for lane in lanes]),
            torch.cat([lane.drawn.ids_R for lane in lanes]),
            torch.cat([lane.alive_R for lane in lanes]),
        )


def _enter(entry: PrefixBatch, draw: Sampler, end_id: int | None) -> _Lane:
    drawn = draw(entry.out.logits_BV, entry.copies)
    alive_B = entry.alive_B
    if alive_B is None:
        alive_B = torch.ones(len(entry.out.logits_BV), dtype=torch.bool, device=drawn.ids_R.device)
    state = repeat_rows(entry.out.state, entry.copies)
    return mask_finished(drawn, state, alive_B.repeat(entry.copies), end_id)


def _advance(generator: Generator, lane: _Lane, draw: Sampler, end_id: int | None) -> _Lane:
    out = generator.step(lane.drawn.x, lane.state)
    return mask_finished(draw(out.logits_BV, 1), out.state, lane.goes_on_R, end_id)


def mask_finished(drawn: Sampled, state: State, alive_R: Tensor, end_id: int | None) -> _Lane:
    """Replace what was drawn behind an end by the end token."""
    if end_id is None:
        return _Lane(drawn, state, alive_R, alive_R)
    ids_R = drawn.ids_R.masked_fill(~alive_R, end_id)
    if drawn.x.is_floating_point():
        end_V = F.one_hot(torch.full_like(ids_R[:1], end_id), drawn.x.shape[-1]).to(drawn.x.dtype)
        settled = Sampled(torch.where(alive_R[:, None], drawn.x, end_V), ids_R)
    else:
        settled = Sampled(ids_R, ids_R)
    return _Lane(settled, state, alive_R, alive_R & (ids_R != end_id))


def _lane_rows(logits_BV: Tensor) -> int:
    """Rows a lane. A GPU keeps one lane, since launches cost more than rows; a CPU lane has to
    fit the cache."""
    if logits_BV.device.type != "cpu":
        return 1 << 31
    return max(256, _CPU_LOGITS // logits_BV.shape[-1])


def _join(lanes: list[_Lane], new: _Lane, limit: int) -> None:
    """Append rows: to the last lane while it has room, then to lanes of their own."""
    if lanes and len(lanes[-1]) + len(new) <= limit:
        lanes[-1] = _merge(lanes[-1], new)
        return
    lanes.extend(_slice(new, first, first + limit) for first in range(0, len(new), limit))


def _merge(first: _Lane, second: _Lane) -> _Lane:
    return _Lane(
        Sampled(
            torch.cat([first.drawn.x, second.drawn.x]),
            torch.cat([first.drawn.ids_R, second.drawn.ids_R]),
        ),
        tree_cat([first.state, second.state]),
        torch.cat([first.alive_R, second.alive_R]),
        torch.cat([first.goes_on_R, second.goes_on_R]),
    )


def _slice(lane: _Lane, first: int, last: int) -> _Lane:
    return _Lane(
        Sampled(lane.drawn.x[first:last], lane.drawn.ids_R[first:last]),
        take_rows(lane.state, first, last),
        lane.alive_R[first:last],
        lane.goes_on_R[first:last],
    )


# ── What people ask for ───────────────────────────────────────────────────────────────────────


def sample(
    generator: Generator,
    space: SequenceSpace,
    rows: int,
    draw: Sampler,
    cond: Tensor | None = None,
) -> Rollout:
    """Write `rows` sequences from the start, one for each row of `cond` where there is one.

    Relaxed draws keep their gradient.
    """
    if isinstance(generator, ParallelGenerator):
        assert cond is not None, "a parallel generator translates"
        return _sample_at_once(generator, space, draw, cond)
    if cond is None:  # every row starts alike, so one row of logits serves them all
        entry = PrefixBatch(0, generator.start(1), copies=rows)
    else:
        entry = PrefixBatch(0, generator.start(rows, cond))
    columns = _until_all_ended(decode(generator, [entry], space.length, draw, space.end_id), space)
    ids_BT = torch.stack([column.ids_R for column in columns], 1)
    relaxed = columns[0].x.is_floating_point()
    tokens = torch.stack([column.x for column in columns], 1) if relaxed else ids_BT
    return Rollout(tokens, ids_BT, torch.stack([column.alive_R for column in columns], 1), cond)


def _until_all_ended(columns: Iterator[Column], space: SequenceSpace) -> list[Column]:
    """All columns; those behind every row's end are alike, so a CPU does not compute them.

    (A GPU would have to wait for the answer in every column.)
    """
    found: list[Column] = []
    for column in columns:
        found.append(column)
        on_cpu = column.alive_R.device.type == "cpu"
        if space.end_id is not None and on_cpu and not bool(column.alive_R.any()):
            return found + [column] * (space.length - len(found))
    return found


def _sample_at_once(
    generator: ParallelGenerator, space: SequenceSpace, draw: Sampler, cond: Tensor
) -> Rollout:
    """All columns in one draw. Ends are where the condition's are, so nothing is settled."""
    logits_BTV = generator.emit(cond)
    drawn = draw(logits_BTV.flatten(0, 1), 1)
    ids_BT = drawn.ids_R.view(logits_BTV.shape[:2])
    count_tokens(ids_BT.numel())
    tokens = drawn.x.view(logits_BTV.shape) if drawn.x.is_floating_point() else ids_BT
    return Rollout(tokens, ids_BT, mask_until_end(ids_BT, space.end_id), cond)


GENERATED_AT_ONCE = 1_000


@torch.no_grad()
def generate(
    generator: DirectGenerator, rows: int, temperature: float = 1.0, cond: Tensor | None = None
) -> Tensor:
    """`rows` samples of a direct generator, block by block; `cond` has a row for each.

    The noise is drawn at once, so that the block size changes no sample. The generator is to be
    in evaluation mode.
    """
    z_BL = generator.draw(rows, temperature)
    blocks = []
    for first in range(0, rows, GENERATED_AT_ONCE):
        block = slice(first, first + GENERATED_AT_ONCE)
        told = None if cond is None else cond[block].to(z_BL.device)
        blocks.append(generator(z_BL[block], told))
    return torch.cat(blocks)


@torch.no_grad()
def prefix_states(
    generator: Generator, ids_BT: Tensor, cond: Tensor | None = None
) -> list[StepOut]:
    """What the generator knows at every column: entry t has read the tokens before column t."""
    outs = [generator.start(len(ids_BT), cond)]
    for time in range(ids_BT.shape[1] - 1):
        outs.append(generator.step(ids_BT[:, time], outs[-1].state))
    return outs


@torch.no_grad()
def continuations(
    generator: Generator, space: SequenceSpace, rollout: Rollout, copies: int, draw: Sampler
) -> Tensor:
    """`ids_PNBT`: N continuations of every proper prefix of every sentence.

    Entry [p, n, b] starts with the first p + 1 tokens of sentence b. All prefixes advance in one
    batch from states that are computed once.
    """
    batch, length = rollout.ids_BT.shape
    goes_on_BT = rollout.mask_BT
    if space.end_id is not None:
        goes_on_BT = goes_on_BT & (rollout.ids_BT != space.end_id)
    outs = prefix_states(generator, rollout.ids_BT, rollout.cond)
    entries = [
        PrefixBatch(time, outs[time], copies, goes_on_BT[:, time - 1]) for time in range(1, length)
    ]
    ids_PNBT = rollout.ids_BT.repeat(length - 1, copies, 1, 1)
    rows_RT = ids_PNBT.view(-1, length)
    if entries:
        columns = decode(generator, entries, length, draw, space.end_id)
        for time, column in enumerate(columns, start=1):
            rows_RT[: len(column.ids_R), time] = column.ids_R
    return ids_PNBT.view(length - 1, copies, batch, length)


def token_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_BT` in nats under softmax(logits / temperature); 0 behind the end. Keeps gradients.

    Where the generator's last layer is linear, a CPU needs a third of the memory and about half
    the time: it works on one tensor of logits in place and leaves out what stands behind the ends.
    """
    hidden = generator.hidden(ids_BT, cond)
    if not _worth_linear_log_probs(hidden):
        return chosen_log_probs(hidden.logits(), ids_BT, mask_BT, temperature)
    assert hidden.weight_VH is not None
    rows_R = mask_BT.flatten().nonzero()[:, 0]
    h_RH, ids_R = hidden.h_BTH.flatten(0, 1), ids_BT.flatten()
    if len(rows_R) < len(ids_R):
        h_RH, ids_R = h_RH[rows_R], ids_R[rows_R]
    bias_V = hidden.bias_V
    if temperature != 1:
        h_RH, bias_V = h_RH / temperature, None if bias_V is None else bias_V / temperature
    logp_R = linear_log_probs(h_RH, hidden.weight_VH, bias_V, ids_R)
    return logp_R.new_zeros(mask_BT.numel()).index_copy(0, rows_R, logp_R).view(mask_BT.shape)


def _worth_linear_log_probs(hidden: Hidden) -> bool:
    """A GPU would have to wait for the number of rows that count, and autocast decides about
    precision product by product."""
    h_BTH, weight_VH = hidden.h_BTH, hidden.weight_VH
    return (
        weight_VH is not None
        and h_BTH.device.type == "cpu"
        and h_BTH.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and h_BTH[..., 0].numel() * len(weight_VH) >= _FEW_LOGITS
    )


def chosen_log_probs(
    logits_BTV: Tensor, ids_BT: Tensor, mask_BT: Tensor, temperature: float = 1.0
) -> Tensor:
    """`logp_BT` of `ids_BT`, from the logits that the generator has for them."""
    logits_BTV = at_temperature(logits_BTV.float(), temperature)
    logp_BT = -F.cross_entropy(logits_BTV.flatten(0, 1), ids_BT.flatten(), reduction="none")
    return logp_BT.view_as(ids_BT) * mask_BT


def sequence_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_B` in nats, for evaluation: no gradient, in blocks that fit the cache."""
    return held_out_log_probs(generator, ids_BT, mask_BT, temperature, cond).sum(1)


@torch.no_grad()
def held_out_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_BT` of `token_log_probs`, for evaluation: no gradient, in blocks that fit the cache."""
    size = max(1, 8 * _CPU_LOGITS // (generator.vocab_size * ids_BT.shape[1]))
    found = []
    for first in range(0, len(ids_BT), size):
        rows = slice(first, first + size)
        told = None if cond is None else cond[rows]
        found.append(token_log_probs(generator, ids_BT[rows], mask_BT[rows], temperature, told))
    return torch.cat(found)
