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

    With `init_std` all parameters are drawn from N(0, init_std²).

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
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.randn(embed))
        widths = [embed] + [hidden] * layers
        self.layers = Stack[Recurrent](Recurrent(cell, width, hidden) for width in widths[:-1])
        self.dropout = nn.Dropout(dropout)
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
        return StepOut(self.readout(h_BH), tuple(after))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.hidden(tokens).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        h_BTH = self.dropout(torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1))
        for layer in self.layers:
            h_BTH, _ = layer(h_BTH)
            h_BTH = self.dropout(h_BTH)
        return Hidden(h_BTH, self.readout.weight, self.readout.bias)


def _draw_parameters(module: nn.Module, std: float) -> None:
    for parameter in module.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=std)
