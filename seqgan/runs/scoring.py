"""What a generator and its critic say about given sequences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import index

import torch
from torch import Tensor

from seqgan.core.errors import UserError, refuse_string
from seqgan.core.masks import mask_until_end
from seqgan.core.types import Critic, Generator, Scores, SequenceSpace
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.decoding import held_out_log_probs
from seqgan.runs.transforming import SourceReader

AT_ONCE = 100
"""Sequences of a block."""


@dataclass(frozen=True, slots=True)
class SequenceScore:
    """One sequence under a trained generator and its critic."""

    ids: list[int]
    """Its tokens, the end token included where there is one."""
    log_likelihoods: list[float]
    """ln p(token | those before it) of each token, in nats."""
    critic_scores: list[float]
    """One for each token where the critic scores tokens, else one of the whole sequence; empty
    without a critic."""

    @property
    def tokens(self) -> int:
        """How many tokens it has, the end token included."""
        return len(self.ids)

    @property
    def log_likelihood(self) -> float:
        """ln p(sequence) in nats."""
        return sum(self.log_likelihoods)

    @property
    def log_likelihood_per_token(self) -> float:
        """The mean over its tokens."""
        return self.log_likelihood / self.tokens

    @property
    def critic_score(self) -> float | None:
        """The critic's score, where it scores tokens their mean; None without a critic."""
        scores = self.critic_scores
        return sum(scores) / len(scores) if scores else None


@dataclass(frozen=True, slots=True)
class Scorer:
    """A generator of sequences and its critic, for given sequences."""

    generator: Generator
    critic: Critic | None
    space: SequenceSpace
    tokenizer: Tokenizer | None = None
    """Of the sequences; None where they are ids."""
    sources: SourceReader | None = None
    """Of what the sequences answer, where they answer something."""
    blanks: bool = False
    """Whether the critic reads a version with blanks, too: here all is blank."""

    def score(
        self,
        sequences: Sequence[str] | Sequence[Sequence[int]],
        sources: Sequence[str] | Sequence[Sequence[int]] | None = None,
    ) -> list[SequenceScore]:
        """See `SavedRun.score`."""
        rows = _encode(sequences, self.tokenizer, "sequences")
        if not rows:
            return []
        device = next(self.generator.parameters()).device
        ids_BT = _padded(rows, self.space, "sequence").to(device)
        cond = self._conditions(len(rows), sources)
        cond = critic_cond = None if cond is None else cond.to(device)
        if self.blanks:
            critic_cond = torch.full_like(ids_BT, self.space.vocab_size)
        found: list[SequenceScore] = []
        for first in range(0, len(rows), AT_ONCE):
            block = slice(first, first + AT_ONCE)
            conditions = [None if c is None else c[block] for c in (cond, critic_cond)]
            found += self._score_block(ids_BT[block], *conditions)
        return found

    @torch.no_grad()
    def _score_block(
        self, ids_BT: Tensor, cond: Tensor | None, critic_cond: Tensor | None
    ) -> list[SequenceScore]:
        mask_BT = mask_until_end(ids_BT, self.space.end_id)
        logp_BT = held_out_log_probs(self.generator, ids_BT, mask_BT, cond=cond)
        scores = None if self.critic is None else self.critic(ids_BT, mask_BT, critic_cond)
        listed = _listed(scores, len(ids_BT))
        counts = mask_BT.sum(1).tolist()
        rows = zip(ids_BT.tolist(), logp_BT.tolist(), listed, counts, strict=True)
        return [SequenceScore(ids[:n], logp[:n], critic) for ids, logp, critic, n in rows]

    def _conditions(
        self, rows: int, sources: Sequence[str] | Sequence[Sequence[int]] | None
    ) -> Tensor | None:
        """`ids_BS` of the sources, a row for each sequence; None where there are none."""
        if self.sources is None:
            if sources is not None:
                raise UserError("sources: this run writes without any; leave them out")
            return None
        reader = self.sources
        read = [] if sources is None else _encode(sources, reader.tokenizer, "sources")
        if len(read) != rows:
            given = len(read) or "none"
            raise UserError(f"sources: {given} for {rows} sequences; give one for each")
        if not self.space.conditional:
            return _padded(read, reader.space, "source")
        prompts = replace(reader.space, length=reader.columns)
        if self.space.end_id is None:
            return _padded(read, prompts, "source")
        for number, ids in enumerate(read, start=1):
            _check(ids, prompts, f"source {number}")
        return reader.batch(read)


def _encode(
    sequences: Sequence[str] | Sequence[Sequence[int]], tokenizer: Tokenizer | None, field: str
) -> list[list[int]]:
    """Ids of lines; ids stay as they are."""
    refuse_string(sequences, field)
    if not isinstance(sequences, Iterable):
        raise UserError(f"{field}={sequences!r}: give a list of lines, or of lists of ids")
    return [_encode_one(sequence, tokenizer, field) for sequence in sequences]


def _encode_one(
    sequence: str | Sequence[int], tokenizer: Tokenizer | None, field: str
) -> list[int]:
    if isinstance(sequence, str):
        if tokenizer is None:
            raise UserError(f"{sequence!r}: this run has no words; give lists of ids")
        return tokenizer.encode(sequence)
    try:
        return [index(token) for token in sequence]
    except TypeError:
        raise UserError(
            f"{field}: {sequence!r} is neither a line nor a list of ids; "
            "give a list of these, as in [[1, 2, 3]]"
        ) from None


def _padded(rows: list[list[int]], space: SequenceSpace, what: str) -> Tensor:
    """`ids_BT` of sequences with or without their end token, as `space` has them.

    Raises `UserError`, which calls them `what`, for those that it cannot hold.
    """
    end = space.end_id
    ids_BT = torch.full((len(rows), space.length), end or 0)
    for number, ids in enumerate(rows, start=1):
        _check(ids, space, f"{what} {number}")
        if end in ids[:-1]:
            raise UserError(f"{what} {number}: goes on after its end token ({end}); cut it there")
        ids_BT[number - 1, : len(ids)] = torch.tensor(ids, dtype=torch.long)
    return ids_BT


def _check(ids: list[int], space: SequenceSpace, what: str) -> None:
    """Raise `UserError` unless these are so many tokens as `space` holds, each one of it."""
    if len(ids) > space.length or (space.end_id is None and len(ids) < space.length):
        limit = "exactly" if space.end_id is None else "at most"
        raise UserError(
            f"{what}: has {len(ids)} tokens, but those of this run have {limit} {space.length}; "
            "give one of that length"
        )
    for token in ids:
        if not 0 <= token < space.vocab_size:
            raise UserError(
                f"{what}: {token} is no token; they go from 0 to {space.vocab_size - 1}"
            )


def _listed(scores: Scores | None, rows: int) -> list[list[float]]:
    """A critic's scores, row by row."""
    if scores is None:
        return [[] for _ in range(rows)]
    if scores.mask_BT is None:
        return [[score] for score in scores.score.tolist()]
    mask_BT = scores.mask_BT
    return [scores.score[row][mask_BT[row]].tolist() for row in range(rows)]
