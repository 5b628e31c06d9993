"""A network that predicts a return before each symbol: the learned baseline of score functions."""

import torch
from torch import Tensor, nn

from seqgan.core.types import SequenceSpace
from seqgan.models.layers import Recurrent, TokenEmbedding


class PrefixValue(nn.Module):
    """`value_BT`; column t has read the symbols before t, never symbol t itself."""

    def __init__(self, space: SequenceSpace, embed: int, hidden: int) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.zeros(embed))
        self.recurrent = Recurrent("gru", embed, hidden)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        h_BTH, _ = self.recurrent(torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1))
        return self.readout(h_BTH).squeeze(-1)
