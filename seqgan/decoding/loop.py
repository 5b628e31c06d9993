"""The one loop that writes sequences.

Everything that writes sequences goes through `decode`. What differs is the sampler, a function from
`logits_BV` to the next token: ancestral, greedy, relaxed or straight-through.

Rows may join late. Monte-Carlo rollouts (SeqGAN) continue every prefix of a sentence; each prefix
enters at its own column from the state cached there, so that nothing is decoded twice and all
prefixes advance in one batch. Rows stay in the order in which they joined.

On a CPU, rows of a large batch that have ended leave it, and cost nothing any more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.budget import count_tokens
from seqgan.core.generators import ParallelGenerator, SentenceSearch
from seqgan.core.masks import mask_until_end
from seqgan.core.tree import gather_rows, repeat_rows, take_rows, tree_cat
from seqgan.core.types import DirectGenerator, Generator, Rollout, SequenceSpace, State, StepOut
from seqgan.decoding.samplers import Ancestral, Sampled, Sampler

_BLOCK_LOGITS = 1_300_000
"""Logits of a block of rows on a CPU: 256 rows at V = 5,000 stay in cache, 1,024 rows do not."""
_FEW_ROWS = 64
"""A block of so many rows costs hardly less with fewer of them."""
_MOST_GOING_ON = 0.75
"""Ended rows leave a block where at most this share of it goes on: taking the others costs too."""


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
    logp_R: Tensor | None = None
    """Log-probability of this token in nats, 0 behind the end; None: the sampler gives none."""


class _RowBlock(NamedTuple):
    """A block of rows that advance together: a tree whose rows can be cut and joined."""

    x: Tensor
    ids_R: Tensor
    state: State
    alive_R: Tensor
    goes_on_R: Tensor
    place_R: Tensor
    """Where its rows stand among all that have joined."""
    logp_R: Tensor | None = None


def decode(
    generator: Generator,
    entries: Sequence[PrefixBatch],
    length: int,
    sampler: Sampler,
    end_id: int | None,
) -> Iterator[Column]:
    """Yield the columns from the first entry's time up to `length` - 1.

    Entries are in order of their time, at most one per column. Behind the end token a row holds
    `end_id` and carries no gradient.
    """
    waiting = {entry.time: entry for entry in entries}
    limit = _block_rows(entries[0].out.logits_BV)
    blocks: list[_RowBlock] = []
    joined = 0
    for time in range(entries[0].time, length):
        blocks = [_advance(generator, block, sampler, end_id) for block in blocks]
        if time in waiting:
            new = _enter(waiting[time], joined, sampler, end_id)
            joined += len(new.ids_R)
            _join(blocks, new, limit)
        count_tokens(sum(len(block.ids_R) for block in blocks))
        yield _column(blocks, joined, end_id)
        blocks = _without_ended(blocks, limit)


def _enter(entry: PrefixBatch, joined: int, sampler: Sampler, end_id: int | None) -> _RowBlock:
    sampled = sampler(entry.out.logits_BV, entry.copies)
    rows, device = len(sampled.ids_R), sampled.ids_R.device
    if entry.alive_B is None:
        alive_R = torch.ones_like(sampled.ids_R, dtype=torch.bool)
    else:
        alive_R = entry.alive_B.repeat(entry.copies)
    state = repeat_rows(entry.out.state, entry.copies)
    place_R = torch.arange(joined, joined + rows, device=device)
    return _mask_finished(sampled, state, alive_R, place_R, end_id)


def _advance(
    generator: Generator, block: _RowBlock, sampler: Sampler, end_id: int | None
) -> _RowBlock:
    out = generator.step(block.x, block.state)
    sampled = sampler(out.logits_BV, 1)
    return _mask_finished(sampled, out.state, block.goes_on_R, block.place_R, end_id)


def _column(blocks: list[_RowBlock], joined: int, end_id: int | None) -> Column:
    """All rows that have joined; those that have left hold the end token."""
    x, ids_R, alive_R, logp_R, place_R = tree_cat(
        [(block.x, block.ids_R, block.alive_R, block.logp_R, block.place_R) for block in blocks]
    )
    if len(ids_R) == joined:
        return Column(x, ids_R, alive_R, logp_R)
    assert end_id is not None, "only rows that have ended leave"
    ids_R = ids_R.new_full((joined,), end_id).index_copy(0, place_R, ids_R)
    alive_R = alive_R.new_zeros(joined).index_copy(0, place_R, alive_R)
    if logp_R is not None:
        logp_R = logp_R.new_zeros(joined).index_copy(0, place_R, logp_R)
    return Column(ids_R, ids_R, alive_R, logp_R)


def _without_ended(blocks: list[_RowBlock], limit: int) -> list[_RowBlock]:
    """The blocks without rows that have ended, where that saves work."""
    shorter = [_going_on(block) for block in blocks]
    if all(len(one.ids_R) == len(other.ids_R) for one, other in zip(shorter, blocks, strict=True)):
        return blocks
    together: list[_RowBlock] = []
    for block in shorter:
        _join(together, block, limit)
    return together


def _going_on(block: _RowBlock) -> _RowBlock:
    """The rows that go on, at least one row; relaxed tokens and a GPU keep all."""
    rows = len(block.ids_R)
    if rows <= _FEW_ROWS or block.x.device.type != "cpu" or block.x.is_floating_point():
        return block
    going_on_R = block.goes_on_R.nonzero()[:, 0]
    if len(going_on_R) > _MOST_GOING_ON * rows:
        return block
    kept_R = going_on_R if len(going_on_R) else torch.zeros(1, dtype=torch.long)
    return _RowBlock(*gather_rows(tuple(block), kept_R))


def _mask_finished(
    sampled: Sampled, state: State, alive_R: Tensor, place_R: Tensor, end_id: int | None
) -> _RowBlock:
    """Replace what was drawn behind an end by the end token."""
    logp_R = sampled.logp_R
    if end_id is None:
        return _RowBlock(sampled.x, sampled.ids_R, state, alive_R, alive_R, place_R, logp_R)
    x = ids_R = sampled.ids_R.masked_fill(~alive_R, end_id)
    if sampled.x.is_floating_point():
        end_1V = F.one_hot(torch.full_like(ids_R[:1], end_id), sampled.x.shape[-1])
        x = torch.where(alive_R[:, None], sampled.x, end_1V.to(sampled.x.dtype))
    goes_on_R = alive_R & (ids_R != end_id)
    logp_R = None if logp_R is None else logp_R.masked_fill(~alive_R, 0)
    return _RowBlock(x, ids_R, state, alive_R, goes_on_R, place_R, logp_R)


def _block_rows(logits_BV: Tensor) -> int:
    """One block on a GPU, where launches cost more than rows; on a CPU a block fits the cache."""
    if logits_BV.device.type != "cpu":
        return 1 << 31
    return max(256, _BLOCK_LOGITS // logits_BV.shape[-1])


def _join(blocks: list[_RowBlock], new: _RowBlock, limit: int) -> None:
    """Append rows: to the last block while it has room, then to blocks of their own."""
    rows = len(new.ids_R)
    if blocks and len(blocks[-1].ids_R) + rows <= limit:
        blocks[-1] = _RowBlock(*tree_cat([blocks[-1], new]))
        return
    parts = (take_rows(new, first, first + limit) for first in range(0, rows, limit))
    blocks.extend(_RowBlock(*part) for part in parts)


def sample(
    generator: Generator,
    space: SequenceSpace,
    rows: int,
    sampler: Sampler,
    cond: Tensor | None = None,
) -> Rollout:
    """Write `rows` sequences from the start, one for each row of `cond` where there is one.

    Relaxed draws keep their gradient.
    """
    if isinstance(generator, ParallelGenerator):
        assert cond is not None, "a parallel generator translates"
        return _sample_at_once(generator, space, sampler, cond)
    if isinstance(generator, SentenceSearch):
        return generator.write(rows, lambda logits_RK: sampler(logits_RK, 1).ids_R)
    return _rollout(_sampled_columns(generator, space, rows, sampler, cond), cond)


def sample_scored(
    generator: Generator, space: SequenceSpace, rows: int, cond: Tensor | None = None
) -> tuple[Rollout, Tensor]:
    """Ancestral samples and their log-probabilities `logp_B` in nats, which cost hardly more than
    the samples alone; `sequence_log_probs` would read them once more."""
    assert not isinstance(generator, ParallelGenerator | SentenceSearch), "no token by token"
    columns = _sampled_columns(generator, space, rows, Ancestral(scored=True), cond)
    logp_B = torch.stack([_present(column.logp_R) for column in columns], 1).sum(1)
    return _rollout(columns, cond), logp_B


def _present(logp_R: Tensor | None) -> Tensor:
    assert logp_R is not None, "the sampler was asked for it"
    return logp_R


def _sampled_columns(
    generator: Generator, space: SequenceSpace, rows: int, sampler: Sampler, cond: Tensor | None
) -> list[Column]:
    if cond is None:  # every row starts alike, so one row of logits serves them all
        entry = PrefixBatch(0, generator.start(1), copies=rows)
    else:
        entry = PrefixBatch(0, generator.start(rows, cond))
    return _until_all_ended(decode(generator, [entry], space.length, sampler, space.end_id), space)


def _rollout(columns: list[Column], cond: Tensor | None) -> Rollout:
    ids_BT = torch.stack([column.ids_R for column in columns], 1)
    relaxed = columns[0].x.is_floating_point()
    tokens = torch.stack([column.x for column in columns], 1) if relaxed else ids_BT
    return Rollout(tokens, ids_BT, torch.stack([column.alive_R for column in columns], 1), cond)


def _until_all_ended(columns: Iterator[Column], space: SequenceSpace) -> list[Column]:
    """All columns; those behind every row's end are alike, so a CPU does not compute them. (A GPU
    would have to wait for the answer in every column.)"""
    found: list[Column] = []
    for column in columns:
        found.append(column)
        on_cpu = column.alive_R.device.type == "cpu"
        if space.end_id is not None and on_cpu and not bool(column.alive_R.any()):
            return found + [column] * (space.length - len(found))
    return found


def _sample_at_once(
    generator: ParallelGenerator, space: SequenceSpace, sampler: Sampler, cond: Tensor
) -> Rollout:
    """All columns in one draw. Ends are where the condition's are, so nothing has to be masked."""
    logits_BTV = generator.emit(cond)
    sampled = sampler(logits_BTV.flatten(0, 1), 1)
    ids_BT = sampled.ids_R.view(logits_BTV.shape[:2])
    count_tokens(ids_BT.numel())
    tokens = sampled.x.view(logits_BTV.shape) if sampled.x.is_floating_point() else ids_BT
    return Rollout(tokens, ids_BT, mask_until_end(ids_BT, space.end_id), cond)


@torch.no_grad()
def generate(
    generator: DirectGenerator, rows: int, temperature: float = 1.0, cond: Tensor | None = None
) -> Tensor:
    """`rows` samples of a direct generator in evaluation mode; `cond` has a row for each.

    The noise is drawn at once, so that the size of the blocks changes no sample.
    """
    z_BL, size = generator.draw(rows, temperature), 1_000
    found = []
    for first in range(0, rows, size):
        rows_now = slice(first, first + size)
        cond_now = None if cond is None else cond[rows_now].to(z_BL.device)
        found.append(generator(z_BL[rows_now], cond_now))
    return torch.cat(found)


@torch.no_grad()
def prefix_states(
    generator: Generator, ids_BT: Tensor, cond: Tensor | None = None
) -> list[StepOut]:
    """Logits and state at every column: entry t has read the tokens before column t."""
    outs = [generator.start(len(ids_BT), cond)]
    for time in range(ids_BT.shape[1] - 1):
        outs.append(generator.step(ids_BT[:, time], outs[-1].state))
    return outs


@torch.no_grad()
def continuations(
    generator: Generator, space: SequenceSpace, rollout: Rollout, copies: int, sampler: Sampler
) -> Tensor:
    """`ids_PNBT`: N continuations of every proper prefix of every sentence; entry [p, n, b] starts
    with the first p + 1 tokens of sentence b."""
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
        columns = decode(generator, entries, length, sampler, space.end_id)
        for time, column in enumerate(columns, start=1):
            rows_RT[: len(column.ids_R), time] = column.ids_R
    return ids_PNBT.view(length - 1, copies, batch, length)
