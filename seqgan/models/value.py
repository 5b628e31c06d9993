"""Networks of learned baselines and control variates."""

import torch
from torch import Tensor, nn

from seqgan.core.types import SequenceSpace
from seqgan.models.fill import count_fill, move_left, take_columns
from seqgan.models.layers import Recurrent, TokenEmbedding


class PrefixReader(nn.Module):
    """`h_BTH`, [:, t] of the tokens before t."""

    def __init__(self, space: SequenceSpace, embed: int, hidden: int) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.zeros(embed))
        self.recurrent = Recurrent("gru", embed, hidden)
        self.fill_id = space.end_id

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        """A condition, ids `cond` [B, P], is read first, without its fill."""
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        read_BTE = torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1)
        if cond is None:
            return self.recurrent(read_BTE)[0]
        read_BTE = torch.cat([self.embedding(cond), read_BTE], 1)
        fill_B = count_fill(cond, self.fill_id)
        if fill_B is None:
            return self.recurrent(read_BTE)[0][:, cond.shape[1] :]
        h_BTH, _ = self.recurrent(move_left(read_BTE, fill_B))
        return take_columns(h_BTH, cond.shape[1] - fill_B, tokens.shape[1])


class PrefixValue(nn.Module):
    """A predicted return before each token: the learned baseline of score functions."""

    def __init__(self, space: SequenceSpace, embed: int, hidden: int) -> None:
        super().__init__()
        self.reader = PrefixReader(space, embed, hidden)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        """`value_BT` of the prefixes, under conditions where there are any."""
        return self.readout(self.reader(tokens, cond)).squeeze(-1)


class RelaxedValue(nn.Module):
    """RELAX's control variate: hard tokens before column t and a relaxed one at t, to a number.

        c_t = wᵀ tanh(A h_t + B softmax(z_t / λ) + b) + a

    λ is learned too. w and a are 0 at first, so that training starts as REINFORCE.
    """

    def __init__(self, space: SequenceSpace, embed: int, hidden: int) -> None:
        super().__init__()
        self.reader = PrefixReader(space, embed, hidden)
        self.of_prefix = nn.Linear(hidden, hidden)
        self.of_token = TokenEmbedding(space.vocab_size, hidden)
        self.log_temperature = nn.Parameter(torch.zeros(()))
        self.readout = nn.Linear(hidden, 1)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(self, ids_BT: Tensor, z_BTV: Tensor, cond: Tensor | None = None) -> Tensor:
        """`c_BT`; `z_BTV` are perturbed log-probabilities, of which column t reads z[:, t] only."""
        soft_BTV = (z_BTV / self.log_temperature.exp()).softmax(-1)
        h_BTH = self.of_prefix(self.reader(ids_BT, cond)) + self.of_token(soft_BTV)
        return self.readout(h_BTH.tanh()).squeeze(-1)
