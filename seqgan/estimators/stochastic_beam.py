"""Sentences without replacement: stochastic beam search (Kool, van Hoof & Welling 2019).

The K sentences with the largest g_s = log p(s) + Gumbel noise are a sample of size K without
replacement, in the order of their g. They are found from the root: a prefix carries the largest g
of its sentences, distributed like its log-probability φ + Gumbel noise. Given that number g, its
children have Gumbel variables of their own, conditioned on g being the largest:

    g̃_c = φ_c + Gumbel noise,   z = max_c g̃_c,   g_c = −log(e^−g − e^−z + e^−g̃_c)

so that the child with g̃_c = z takes over g. The search keeps the K prefixes with the largest g in
each column; a child's g is never above its prefix's. A sentence that has ended goes on as its own
only child.

Every set starts from g = 0 at the root, which shifts all g of a set alike. φ and g are float64
(float32 on mps, which has nothing else), the noise float32.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.budget import count_tokens
from seqgan.core.modes import frozen
from seqgan.core.tree import gather_rows, repeat_rows
from seqgan.core.types import Generator, SequenceSpace, StepOut
from seqgan.decoding import gumbel_noise

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class SentenceSets:
    """G sets of up to K different sentences: [k, g] is the k-th that was drawn for set g."""

    ids_KGT: Tensor
    present_KG: Tensor
    """False where there are fewer than K sentences; what stands there repeats the first one."""


@dataclass(frozen=True, slots=True)
class _Beam:
    """K prefixes of each of G sets, in the order of g; g = −∞: there is no such prefix."""

    ids_KGT: Tensor
    logp_KG: Tensor
    g_KG: Tensor


@torch.no_grad()
def sets_without_replacement(
    generator: Generator, space: SequenceSpace, sets: int, members: int, cond: Tensor | None = None
) -> SentenceSets:
    """`sets` independent sets of `members` sentences each; `cond` has a row for each set."""
    with frozen(generator):
        out = generator.start(sets, cond)
        # Row k·G + g of logits and state belongs to prefix k of set g.
        out = StepOut(out.logits_BV.repeat(members, 1), repeat_rows(out.state, members))
        set_G = torch.arange(sets, device=out.logits_BV.device)
        beam = _root(space, sets, members, out.logits_BV.device)
        for time in range(space.length):
            beam, parent_KG = _grow(beam, out.logits_BV, time, space.end_id)
            count_tokens(members * sets)
            if time + 1 < space.length:
                state = gather_rows(out.state, (parent_KG * sets + set_G).flatten())
                out = generator.step(beam.ids_KGT[..., time].flatten(), state)
    present_KG = beam.g_KG > _NEVER
    ids_KGT = torch.where(present_KG[..., None], beam.ids_KGT, beam.ids_KGT[:1])
    return SentenceSets(ids_KGT, present_KG)


def _root(space: SequenceSpace, sets: int, members: int, device: torch.device) -> _Beam:
    """The empty prefix, once in each set."""
    precise = torch.float32 if device.type == "mps" else torch.float64
    ids_KGT = torch.full((members, sets, space.length), space.end_id or 0, device=device)
    logp_KG = torch.zeros(members, sets, dtype=precise, device=device)
    g_KG = torch.full_like(logp_KG, _NEVER)
    g_KG[0] = 0.0
    return _Beam(ids_KGT, logp_KG, g_KG)


def _grow(beam: _Beam, logits_RV: Tensor, time: int, end_id: int | None) -> tuple[_Beam, Tensor]:
    """The beam with column `time` written, and `parent_KG`: whose child each prefix is."""
    members, sets, _ = beam.ids_KGT.shape
    step_KGV = logits_RV.float().log_softmax(-1).view(members, sets, -1)
    if end_id is not None and time:
        only_end_V = torch.full_like(step_KGV[0, 0], _NEVER)
        only_end_V[end_id] = 0.0
        ended_KG1 = beam.ids_KGT[..., time - 1, None] == end_id
        step_KGV = torch.where(ended_KG1, only_end_V, step_KGV)
    noisy_KGV = step_KGV + gumbel_noise(step_KGV)
    # Conditioning keeps the order of a prefix's children: its best K are all that can be wanted.
    noisy_KGC, token_KGC = noisy_KGV.topk(min(members, step_KGV.shape[-1]))
    logp_KG1 = beam.logp_KG[..., None]
    g_KGC = _children(beam.g_KG[..., None], logp_KG1 + noisy_KGC)
    g_GK, child_GK = _by_set(g_KGC).topk(members)
    logp_GK = _by_set(logp_KG1 + step_KGV.gather(-1, token_KGC)).gather(1, child_GK)
    token_GK = _by_set(token_KGC).gather(1, child_GK)
    parent_KG = child_GK.T // token_KGC.shape[-1]
    ids_KGT = beam.ids_KGT.gather(0, parent_KG[..., None].expand_as(beam.ids_KGT))
    ids_KGT[..., time] = token_GK.T
    return _Beam(ids_KGT, logp_GK.T, g_GK.T), parent_KG


def _by_set(x_KGC: Tensor) -> Tensor:
    """`x_GC`: what belongs to the children of all prefixes of a set, prefix after prefix."""
    return x_KGC.transpose(0, 1).flatten(1)


def _children(g_KG1: Tensor, noisy_KGC: Tensor) -> Tensor:
    """`g_KGC` of the children with g̃ = `noisy_KGC`, largest first, whose prefix has g = `g_KG1`.

    −log(e^−g − e^−z + e^−g̃) without overflow: with v = g − g̃ + log(1 − e^(g̃ − z)) it is
    g − max(v, 0) − log(1 + e^−|v|). A child that cannot come has g̃ = −∞ and so g = −∞.
    """
    v_KGC = g_KG1 - noisy_KGC + log1mexp(noisy_KGC - noisy_KGC[..., :1])
    conditioned_KGC = g_KG1 - v_KGC.clamp(min=0) - (-v_KGC.abs()).exp().log1p()
    return conditioned_KGC.masked_fill(g_KG1 == _NEVER, _NEVER)  # −∞ − −∞ is no number


def log1mexp(x: Tensor) -> Tensor:
    """log(1 − e^x) for x ≤ 0, accurate at both ends; −∞ at 0."""
    return torch.where(x > -0.7, (-x.expm1()).log(), (-x.exp()).log1p())
