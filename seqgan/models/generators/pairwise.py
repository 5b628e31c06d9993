"""A recurrent generator that compares with every earlier column, as the pairwise critic does.

    logits_t[v] = W h_t [v] + Σ_{s<t} Σ_c a_cts · e_vᵀ M_c e(x_s) / √E

The first term is the GRU of `rnn.py`; the second weighs, for every pair of columns, the bilinear
similarity of the token there with the next one, as `critics/pairwise.py` does for whole sentences.
It is the control for claims that only a critic can compare columns: this generator can write "the
same as six columns ago" without one. No paper uses it that we know of. a starts at zero, so that
the network starts as its recurrent part.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Generator, SequenceSpace, State, StepOut
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.layers import TokenEmbedding


class PairwiseGenerator(Generator):
    """A GRU that also compares columns; see `core.types.Generator` for the contract.

    `compare` is the width of the embedding that is compared, by `channels` bilinear forms.

        PairwiseGenerator(SequenceSpace(vocab_size=8, length=12), channels=4)(ids_BT)  # logits_BTV

    The state is (the recurrent one, columns read, `fill_B`, M_c e of each column), where the first
    `fill_B` columns of a row only fill it up and have zeros; None: there are none.
    """

    def __init__(
        self,
        space: SequenceSpace,
        embed: int = 32,
        hidden: int = 64,
        dropout: float = 0.0,
        compare: int = 16,
        channels: int = 4,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.channels = channels
        self.recurrent = RnnGenerator(space, "gru", embed, hidden, dropout=dropout)
        self.symbols = TokenEmbedding(space.vocab_size, compare)
        # All M_c in one layer: e to [M_1 e; …; M_C e].
        self.bilinear = nn.Linear(compare, channels * compare, bias=False)
        self.weight_CTT = nn.Parameter(torch.zeros(channels, space.length, space.length))

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        out = self.recurrent.start(batch)
        width = self.bilinear.in_features
        nothing = self.weight_CTT.new_zeros(batch, 0, self.channels, width)
        return StepOut(out.logits_BV, (out.state, 0, None, nothing))

    def step(self, x: Tensor, state: State) -> StepOut:
        before, columns, fill_B, past = state
        out = self.recurrent.step(x, before)
        read = torch.cat([past, self._projected(x)[:, None]], 1)
        return self._out(out, columns + 1, fill_B, read)

    def read_prompt(self, ids_BP: Tensor, fill_B: Tensor | None, before: StepOut) -> StepOut:
        """Columns are counted without the fill."""
        state, *_ = before.state
        logits_BV = before.logits_BV  # of the recurrent part alone: nothing stands before
        out = self.recurrent.read_prompt(ids_BP, fill_B, StepOut(logits_BV, state))
        read, columns = self._projected(ids_BP), ids_BP.shape[1]
        if fill_B is not None:
            filled_BT = torch.arange(columns, device=fill_B.device) < fill_B[:, None]
            read = read.masked_fill(filled_BT[..., None, None], 0)
        return self._out(out, columns, fill_B, read)

    def _out(self, out: StepOut, columns: int, fill_B: Tensor | None, read: Tensor) -> StepOut:
        """The recurrent part's logits, plus the comparisons with all columns read."""
        if fill_B is None:
            weight_Ct = self.weight_CTT[:, columns, :columns]
            mixed_BE = torch.einsum("btce,ct->be", read, weight_Ct)
        else:
            earlier_BT = torch.arange(columns, device=fill_B.device) - fill_B[:, None]
            own_B1 = (columns - fill_B)[:, None]
            weight_CBt = self.weight_CTT[:, own_B1, earlier_BT.clamp(min=0)]
            mixed_BE = torch.einsum("btce,cbt->be", read, weight_CBt)
        logits_BV = out.logits_BV + self._similarity(mixed_BE)
        return StepOut(logits_BV, (out.state, columns, fill_B, read))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        length = tokens.shape[1]
        weight_CTT = self.weight_CTT[:, :length, :length].tril(-1)
        mixed_BTE = torch.einsum("bsce,cts->bte", self._projected(tokens), weight_CTT)
        return self.recurrent(tokens) + self._similarity(mixed_BTE)

    def _projected(self, x: Tensor) -> Tensor:
        """[..., C, E]: M_c e of each token."""
        return self.bilinear(self.symbols(x)).unflatten(-1, (self.channels, -1))

    def _similarity(self, mixed: Tensor) -> Tensor:
        """[..., V]: what every token has in common with a mixture of M_c e."""
        return (mixed / self.bilinear.in_features**0.5) @ self.symbols.weight.T
