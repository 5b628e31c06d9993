"""LSTM and GRU generators: p(x_t | x_<t) = softmax(W h_t), h_t = cell(embed(x_{t-1}), h_{t-1}).

Deviations from SeqGAN's generator (Yu et al. 2017): the start token is a learned vector instead
of the embedding of word 0, so every id is an ordinary word; gates have one bias.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seqgan.core.types import Generator, Hidden, SequenceSpace, State, StepOut
from seqgan.models.layers import Recurrent, Stack, TokenEmbedding


class RnnGenerator(Generator):
    """A recurrent generator; see `core.types.Generator` for the contract.

    With `init_std` all parameters are drawn from N(0, init_std²). With `tied` the embedding, of
    N(0, 1/embed) at first, is the read-out's matrix too.

        generator = RnnGenerator(SequenceSpace(vocab_size=100, length=20), "lstm", hidden=32)
        generator(ids_BT)  # logits_BTV
    """

    def __init__(
        self,
        space: SequenceSpace,
        cell: Literal["lstm", "gru"] = "gru",
        embed: int = 32,
        hidden: int = 32,
        layers: int = 1,
        dropout: float = 0.0,
        init_std: float | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.randn(embed))
        widths = [embed] + [hidden] * layers
        self.layers = Stack[Recurrent](Recurrent(cell, width, hidden) for width in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        self.readout: nn.Linear | TiedReadout
        if tied:
            nn.init.normal_(self.embedding.weight, std=embed**-0.5)
            self.readout = TiedReadout(hidden, embed, space.vocab_size)
        else:
            self.readout = nn.Linear(hidden, space.vocab_size)
        if init_std is not None:
            _draw_parameters(self, init_std)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self._step(self.start_E.expand(batch, -1), (None,) * len(self.layers))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._step(self.embedding(x), state)

    def _step(self, h_BH: Tensor, state: State) -> StepOut:
        h_BH = self.dropout(h_BH)
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            h_BH, layer_state = layer.step(h_BH, before)
            h_BH = self.dropout(h_BH)
            after.append(layer_state)
        return StepOut(self._read_out(h_BH).logits(), tuple(after))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.hidden(tokens).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        h_BTH = self.dropout(torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1))
        for layer in self.layers:
            h_BTH, _ = layer(h_BTH)
            h_BTH = self.dropout(h_BTH)
        return self._read_out(h_BTH)

    def _read_out(self, h: Tensor) -> Hidden:
        if isinstance(self.readout, TiedReadout):
            return self.readout(h, self.embedding.weight)
        return Hidden(h, self.readout.weight, self.readout.bias)


class TiedReadout(nn.Module):
    """Logits by the vectors of the embedding, W P h + b; P only where the widths differ.

    Paper: Press & Wolf 2017. W is handed in, so that one module owns it.
    """

    def __init__(self, hidden: int, embed: int, vocab_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, embed, bias=False) if hidden != embed else nn.Identity()
        self.bias_V = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, h: Tensor, weight_VE: Tensor) -> Hidden:
        """What is left to multiply with the embedding."""
        return Hidden(self.project(h), weight_VE, self.bias_V)


def _draw_parameters(module: nn.Module, std: float) -> None:
    for parameter in module.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=std)
