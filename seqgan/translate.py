"""The likeliest translation: greedy, or by beam search.

The score of a translation y of a source x is log p(y | x) / |y|^α, where |y| counts the end token
and α is the length penalty: 0 compares log probabilities, 1 compares their mean over tokens (the
form of Wu et al. 2016 without its offset of 5 and without the coverage term).

Beam search keeps the K likeliest unfinished prefixes of every source, all sources in one batch.
Whatever ends leaves the beam and does not take a place from a prefix that goes on; the best of
all that ever ended is kept. In the last column everything is complete, ended or not. The search
stops when no unfinished prefix can still win: log probabilities only fall, so what is at s now
ends at s / T^α at best (α ≥ 0). Nothing is lost by that.
"""

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.generators import ParallelGenerator
from seqgan.core.masks import mask_until_end
from seqgan.core.modes import evaluating
from seqgan.core.tree import gather_rows
from seqgan.core.types import Generator, Rollout, SequenceSpace, State, StepOut
from seqgan.decoding import Greedy, PrefixBatch, decode, sample


@torch.no_grad()
def translate(
    generator: Generator,
    space: SequenceSpace,
    cond: Tensor,
    beam: int = 1,
    length: int | None = None,
    length_penalty: float = 1.0,
) -> Rollout:
    """A translation of every row of `cond` (`ids_BS` or `simplex_BSV`), without a gradient.

    `beam` 1 takes the likeliest token each time. With `length` there are exactly so many tokens
    before the end. A `ParallelGenerator` takes the likeliest token everywhere and has no beam.
    Raises `UserError` where `beam` or `length` cannot be had.
    """
    check_beam(generator, beam)
    if length is not None:
        check_length(generator, space, length)
    with evaluating(generator):
        if isinstance(generator, ParallelGenerator):
            return sample(generator, space, len(cond), Greedy(), cond)
        if length is not None:
            generator = _ExactLength(generator, space, length, cond.device)
        if beam == 1:
            ids_BT = _greedy(generator, space, cond)
        else:
            ids_BT = _beam_search(generator, space, cond, beam, length_penalty)
    return Rollout(ids_BT, ids_BT, mask_until_end(ids_BT, space.end_id), cond)


@torch.no_grad()
def copied_columns(
    generator: Generator, ids_BT: Tensor, cond: Tensor, unk_id: int
) -> Tensor | None:
    """See `Generator.copied_columns`; None too where `unk_id` does not occur."""
    if not bool((ids_BT == unk_id).any()):
        return None
    with evaluating(generator):
        return generator.copied_columns(ids_BT, cond, unk_id)


def _greedy(generator: Generator, space: SequenceSpace, cond: Tensor) -> Tensor:
    """`ids_BT`, decoded only until every row has ended."""
    entry = PrefixBatch(0, generator.start(len(cond), cond))
    columns = []
    for column in decode(generator, [entry], space.length, Greedy(), space.end_id):
        columns.append(column.ids_R)
        if space.end_id is not None and bool((column.ids_R == space.end_id).all()):
            columns += columns[-1:] * (space.length - len(columns))
            break
    return torch.stack(columns, 1)


def _beam_search(
    generator: Generator, space: SequenceSpace, cond: Tensor, beam: int, length_penalty: float
) -> Tensor:
    """`ids_BT`. Row b·K + k of the state belongs to hypothesis k of source b."""
    batch, last = len(cond), space.length - 1
    out = generator.start(batch, cond)
    device, vocab = out.logits_BV.device, out.logits_BV.shape[-1]
    first_row_B1 = torch.arange(batch, device=device)[:, None] * beam
    out = _spread(out, beam)
    # Hypotheses start alike, so all but one wait for a better prefix.
    logp_BK = torch.full((batch, beam), float("-inf"), device=device)
    logp_BK[:, 0] = 0.0
    ids_BKT = torch.full((batch, beam, space.length), space.end_id or 0, device=device)
    best = _Best(batch, space, device)
    for time in range(space.length):
        step_RV = out.logits_BV.float().log_softmax(-1)
        logp_BKV = logp_BK[..., None] + step_RV.view(batch, beam, vocab)
        divisor = float(time + 1) ** length_penalty
        if space.end_id is not None:
            ends_BK = logp_BKV[..., space.end_id]
            best.offer(
                ends_BK / divisor, ids_BKT, time, torch.full_like(ids_BKT[..., 0], space.end_id)
            )
            logp_BKV[..., space.end_id] = float("-inf")
        logp_BK, flat_BK = logp_BKV.flatten(1).topk(beam)
        parent_BK, token_BK = flat_BK // vocab, flat_BK % vocab
        ids_BKT = ids_BKT.gather(1, parent_BK[..., None].expand_as(ids_BKT))
        if time == last:
            best.offer(logp_BK / divisor, ids_BKT, time, token_BK)
            break
        ids_BKT[..., time] = token_BK
        if space.end_id is not None:
            kindest = space.length if length_penalty >= 0 else time + 2
            hope_B = logp_BK[:, 0] / float(kindest) ** length_penalty
            if bool((best.score_B >= hope_B).all()):
                break
        rows_R = (first_row_B1 + parent_BK).flatten()
        out = generator.step(token_BK.flatten(), gather_rows(out.state, rows_R))
    return best.ids_BT


def _spread(out: StepOut, copies: int) -> StepOut:
    """Every row `copies` times in a row."""
    rows_R = torch.arange(len(out.logits_BV), device=out.logits_BV.device)
    rows_R = rows_R.repeat_interleave(copies)
    return StepOut(out.logits_BV[rows_R], gather_rows(out.state, rows_R))


class _Best:
    """The best finished hypothesis of each source so far."""

    def __init__(self, batch: int, space: SequenceSpace, device: torch.device) -> None:
        self.score_B = torch.full((batch,), float("-inf"), device=device)
        self.ids_BT = torch.full((batch, space.length), space.end_id or 0, device=device)

    def offer(self, score_BK: Tensor, ids_BKT: Tensor, time: int, token_BK: Tensor) -> None:
        """Hypotheses that `token_BK` completes in column `time`; the columns behind are ends."""
        score_B, k_B = score_BK.max(1)
        row_B = torch.arange(len(k_B), device=k_B.device)
        ids_BT = ids_BKT[row_B, k_B]
        ids_BT[:, time] = token_BK[row_B, k_B]
        better_B = score_B > self.score_B
        self.score_B = torch.where(better_B, score_B, self.score_B)
        self.ids_BT = torch.where(better_B[:, None], ids_BT, self.ids_BT)


def check_beam(generator: Generator, beam: int) -> None:
    """Raises `UserError` where so many hypotheses cannot be kept."""
    if beam < 1:
        raise UserError(f"beam={beam}: at least one hypothesis has to be kept; set it to 1")
    if beam > 1 and isinstance(generator, ParallelGenerator):
        raise UserError(
            f"beam={beam}: this translator writes all tokens at once, the likeliest of each "
            "column; leave it out"
        )


# ── Exact length ──────────────────────────────────────────────────────────────────────────────


def check_length(generator: Generator, space: SequenceSpace, length: int) -> None:
    """Raises `UserError` where translations of exactly this length cannot be had."""
    if isinstance(generator, ParallelGenerator):
        raise UserError(
            f"length={length}: this translator writes one token for one, so lengths are those "
            "of the source; leave it out"
        )
    if space.end_id is None:
        raise UserError(
            f"length={length}: these sequences have no end token and always {space.length} "
            "tokens; leave it out"
        )
    if not 1 <= length < space.length:
        raise UserError(
            f"length={length}: sequences have 1 to {space.length - 1} tokens before the end; "
            "choose one of these"
        )


class _ExactLength(Generator):
    """A generator that cannot end before column `length` and has to end there.

    The state is (columns read, state of the generator).
    """

    def __init__(
        self, generator: Generator, space: SequenceSpace, length: int, device: torch.device
    ) -> None:
        super().__init__()
        assert space.end_id is not None
        self._generator = generator
        self.vocab_size = space.vocab_size
        ban_TV = torch.zeros(space.length, space.vocab_size, device=device)
        ban_TV[:length, space.end_id] = float("-inf")
        ban_TV[length] = float("-inf")
        ban_TV[length, space.end_id] = 0.0
        self._ban_TV = ban_TV

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        out = self._generator.start(batch, cond)
        return StepOut(out.logits_BV.float() + self._ban_TV[0], (0, out.state))

    def step(self, x: Tensor, state: State) -> StepOut:
        column, inner = state
        out = self._generator.step(x, inner)
        return StepOut(out.logits_BV.float() + self._ban_TV[column + 1], (column + 1, out.state))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._generator(tokens, cond).float() + self._ban_TV[: tokens.shape[1]]
