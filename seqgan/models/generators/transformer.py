"""A decoder-only transformer generator with a key-value cache.

p(x_t | x_<t) = softmax(W norm(h_t)), pre-norm blocks over token plus position embeddings
(Vaswani 2017; pre-norm and the last norm as in GPT-2, Radford 2019). A learned vector stands in
column 0 as the start token. Deviation from GPT-2: the read-out does not share the embedding's
weights, and there is no dropout on the attention weights.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Generator, Hidden, SequenceSpace, State, StepOut, after_prompt
from seqgan.models.layers import Block, Positions, Stack, TokenEmbedding


class TransformerGenerator(Generator):
    """A decoder-only transformer; see `core.types.Generator` for the contract.

    `heads` divides `width`.

        TransformerGenerator(SequenceSpace(vocab_size=100, length=20), width=32)(ids_BT)

    The state is (columns read, `fill_B`, ((keys, values) of each block)). Behind the start token
    `fill_B` columns of a row only fill it up: nothing attends to them, and they have no position.
    None: there are none.
    """

    def __init__(
        self,
        space: SequenceSpace,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.embedding = TokenEmbedding(space.vocab_size, width)
        self.start_E = nn.Parameter(torch.randn(width))
        self.positions = Positions(space.length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = Stack[Block](Block(width, heads, dropout, causal=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, space.vocab_size)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        caches = tuple(block.empty_cache(batch) for block in self.blocks)
        return self._step(self.start_E.expand(batch, -1), (0, None, caches))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._step(self.embedding(x), state)

    def read_prompt(self, ids_BP: Tensor, fill_B: Tensor | None, before: StepOut) -> StepOut:
        """Columns of fill are read like the others, and hidden afterwards."""
        column, _, caches = before.state
        out = StepOut(before.logits_BV, (column, fill_B, caches))
        for ids_B in ids_BP.unbind(1):
            out = self.step(ids_B, out.state)
        return after_prompt(before, out, fill_B, ids_BP.shape[1])

    def _step(self, x_BE: Tensor, state: State) -> StepOut:
        column, fill_B, caches = state
        visible_BT, position = None, column
        if fill_B is not None:
            column_T = torch.arange(column + 1, device=fill_B.device)
            visible_BT = (column_T == 0) | (column_T > fill_B[:, None])
            position = (column - fill_B).clamp(min=0)
        h_BE = self.dropout(self.positions.at(x_BE, position))
        after = []
        for block, past in zip(self.blocks, caches, strict=True):
            h_BE, cache = block.step(h_BE, past, visible_BT)
            after.append(cache)
        return StepOut(self.readout(self.norm(h_BE)), (column + 1, fill_B, tuple(after)))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.hidden(tokens).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        x_BTE = torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1)
        h_BTE = self.dropout(self.positions(x_BTE))
        for block in self.blocks:
            h_BTE = block(h_BTE)
        return Hidden(self.norm(h_BTE), self.readout.weight, self.readout.bias)
