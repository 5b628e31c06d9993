"""Translation token by token, from a table.

    logits_t = table[t mod period, x_t]                                     (reach 0)
    p_t = Σ_{|d| ≤ reach} a_d(x_{t−reach}, …, x_{t+reach}) · softmax(table[x_{t+d}])

With one table this is a substitution cipher, with `period` tables taken in turn a Vigenère cipher,
with `reach` 1 a word-by-word translation that may exchange neighbours: a small network on the words
around gives the share a_d of each. Given the source the tokens are independent, so all are drawn at
once.

`bijection` is a penalty of tables that write one token for several others,
mean over target tokens v of (Σ_u softmax(table[u])_v − V_source / V_target)², where end tokens of
either side are left out; a one-to-one table has 0.

A source's end becomes an end, and nothing else does. CipherGAN (Gomez et al. 2018) has convolutions
instead of tables, and embeddings of positions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.generators import ParallelGenerator
from seqgan.core.types import SequenceSpace

_STAY = 2.0
"""First logit of translating a token where it stands; the neighbours have 0."""

_NEVER = -1e4
"""A logit that no noise overcomes and every softmax survives."""


class Lexicon(ParallelGenerator):
    """A table of tokens; see `core.generators.ParallelGenerator` for the contract.

    `period` tables take turns, `reach` is in columns, `width` that of the embedding that decides
    between neighbours. Sources are ids [B, T] or simplices [B, T, U].

        Lexicon(source, space, period=3)(ids_BT, cond_BT)  # logits_BTV
    """

    def __init__(
        self,
        source: SequenceSpace,
        space: SequenceSpace,
        period: int = 1,
        reach: int = 0,
        width: int = 16,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.reach = reach
        self.source_end, self.end = source.end_id, space.end_id
        table = torch.randn(period, source.vocab_size, space.vocab_size)
        self.table_PUV = nn.Parameter(init_std * table)
        if reach:
            offsets = 2 * reach + 1
            self.around = nn.Embedding(source.vocab_size, width)
            self.choose = nn.Conv1d(width, offsets, offsets, padding=reach)
            nn.init.zeros_(self.choose.weight)
            # At first nearly every token is translated where it stands: with equal shares
            # training may end in a table that is shifted by one column.
            bias_D = torch.zeros(offsets)
            bias_D[reach] = _STAY
            self.choose.bias = nn.Parameter(bias_D)

    @torch.no_grad()
    def add_prior_logits(self, logits_UV: Tensor) -> None:
        """Add a prior to the logits of every table."""
        self.table_PUV.add_(logits_UV)

    def emit(self, cond: Tensor) -> Tensor:
        """`logits_BTV` for sources `ids_BT` or `simplex_BTU`."""
        if self.reach:
            logits_BTV = self._exchange(cond, self._look_up(cond, self.table_PUV.softmax(-1)))
        else:
            logits_BTV = self._look_up(cond, self.table_PUV)
        if self.end is None:
            return logits_BTV
        return self._end_where_source_ends(cond, logits_BTV)

    @staticmethod
    def _look_up(cond: Tensor, table_PUV: Tensor) -> Tensor:
        """Each token's row, [B, T, V]; of a soft token the mean of rows."""
        period = len(table_PUV)
        if period == 1:
            table_UV = table_PUV[0]
            return cond @ table_UV if cond.is_floating_point() else F.embedding(cond, table_UV)
        phase_T = torch.arange(cond.shape[1], device=cond.device) % period
        if not cond.is_floating_point():
            return table_PUV[phase_T, cond]
        return torch.einsum("btu,tuv->btv", cond, table_PUV[phase_T])

    def _exchange(self, cond: Tensor, probs_BTV: Tensor) -> Tensor:
        """Log of the mixture over neighbours."""
        soft = cond.is_floating_point()
        e_BTE = cond @ self.around.weight if soft else self.around(cond)
        share_BTD = self.choose(e_BTE.transpose(1, 2)).transpose(1, 2).softmax(-1)
        reach, length = self.reach, cond.shape[1]
        padded = F.pad(probs_BTV, (0, 0, reach, reach))
        mixed_BTV = torch.stack(
            [share_BTD[..., d, None] * padded[:, d : d + length] for d in range(2 * reach + 1)]
        ).sum(0)
        return mixed_BTV.clamp(min=1e-9).log()

    def _end_where_source_ends(self, cond: Tensor, logits_BTV: Tensor) -> Tensor:
        hard_BT = cond.argmax(-1) if cond.is_floating_point() else cond
        ends_BT1 = hard_BT.eq(self.source_end or 0)[..., None]
        is_end_V = torch.arange(self.vocab_size, device=cond.device).eq(self.end or 0)
        return logits_BTV.masked_fill(ends_BT1 != is_end_V, _NEVER)

    def bijection(self) -> Tensor:
        """The penalty of the module's docstring, a scalar."""
        probs_PUV = self.table_PUV.softmax(-1)
        if self.source_end is not None:
            probs_PUV = _without(probs_PUV, self.source_end, 1)
        if self.end is not None:
            probs_PUV = _without(probs_PUV, self.end, 2)
        _, sources, targets = probs_PUV.shape
        return (probs_PUV.sum(1) - sources / targets).square().mean()


def _without(x: Tensor, index: int, dim: int) -> Tensor:
    """`x` without one slice."""
    before, rest = x.split([index, x.shape[dim] - index], dim)
    return torch.cat([before, rest.narrow(dim, 1, rest.shape[dim] - 1)], dim)
