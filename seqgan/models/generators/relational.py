"""A relational memory core: p(x_t | x_<t) = softmax(W vec(M_t)), a memory of slots M_t.

    e = W_e embed(x_{t−1}) + b                                        the input, as wide as a slot
    A = attention(queries from M_{t−1}, keys and values from [M_{t−1}; e])            (heads H)
    N = norm(M_{t−1} + A),   N ← norm(N + mlp(N))                     row by row
    i, f = σ(W_i e + U_i tanh M_{t−1}), σ(W_f e + U_f tanh M_{t−1} + 1)
    M_t = i ⊙ tanh N + f ⊙ M_{t−1},   M_{−1} = rows of the identity

Papers: Santoro et al. 2018 (the core); Nie et al. 2019, RelGAN (the core as a text generator: one
slot, two heads of 256). `gates: unit` has gates for every number of the memory, as RelGAN's code;
`slot` one pair per slot.

Deviations from RelGAN's official code: no normalisation of queries, keys and values (theirs spans
slots and input together), and products are divided by the root of the head's width, not of three
times that; the row for the input is not computed where it would be thrown away; the perceptron is
linear, ReLU, linear, as in Santoro's paper; the start token is a learned vector instead of the
embedding of word 0. Both gates have a trainable bias that starts at the published constants, 0
and 1.

What depends on the input alone (keys, values, gates) is computed for all columns at once.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Generator, Hidden, SequenceSpace, State, StepOut
from seqgan.models.layers import TokenEmbedding


class RelationalGenerator(Generator):
    """A relational memory; see `core.types.Generator` for the contract.

    The state is the memory, [B, slots, heads · head_size].

        RelationalGenerator(SequenceSpace(vocab_size=100, length=20), heads=2, head_size=64)
    """

    def __init__(
        self,
        space: SequenceSpace,
        embed: int = 32,
        slots: int = 1,
        heads: int = 2,
        head_size: int = 256,
        gates: Literal["unit", "slot"] = "unit",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.randn(embed))
        self.core = RelationalCore(embed, slots, heads, head_size, gates)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(slots * heads * head_size, space.vocab_size)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self._step(self.start_E.expand(batch, -1), self.core.empty_memory(batch))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._step(self.embedding(x), state)

    def _step(self, x_BE: Tensor, memory: Tensor) -> StepOut:
        memory = self.core.step(self.core.read(self.dropout(x_BE)), memory)
        return StepOut(self.readout(self.dropout(memory.flatten(-2))), memory)

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.hidden(tokens).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        x_BTE = self.dropout(torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1))
        memory = self.core.empty_memory(len(tokens))
        memories = []
        for column in self.core.read(x_BTE).unbind(1):
            memory = self.core.step(column, memory)
            memories.append(memory)
        h_BTH = self.dropout(torch.stack(memories, 1).flatten(-2))
        return Hidden(h_BTH, self.readout.weight, self.readout.bias)


class RelationalCore(nn.Module):
    """The memory's update. A memory is [B, slots, width]."""

    def __init__(
        self, embed: int, slots: int, heads: int, head_size: int, gates: Literal["unit", "slot"]
    ) -> None:
        super().__init__()
        self.heads = heads
        width = heads * head_size
        size = width if gates == "unit" else 1
        self.project = nn.Linear(embed, width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.norm_attention = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.norm_mlp = nn.LayerNorm(width)
        self.gates_of_input = nn.Linear(width, 2 * size)
        self.gates_of_memory = nn.Linear(width, 2 * size, bias=False)
        with torch.no_grad():  # remember at first: the forget gate's bias is 1
            self.gates_of_input.bias.copy_(torch.arange(2).repeat_interleave(size))
        self.register_buffer("identity", torch.eye(slots, width), persistent=False)

    def empty_memory(self, batch: int) -> Tensor:
        """The memory before the first token, another row of the identity in every slot."""
        return self.get_buffer("identity").expand(batch, -1, -1)

    def read(self, x: Tensor) -> Tensor:
        """What a step needs of its input [..., E]: key, value and gates side by side, [..., G]."""
        e = self.project(x)
        width = e.shape[-1]
        key_value = F.linear(e, self.query_key_value.weight[width:])
        return torch.cat([key_value, self.gates_of_input(e)], -1)

    def step(self, read_BG: Tensor, memory: Tensor) -> Tensor:
        """The next memory, from what `read` made of the token."""
        width = memory.shape[-1]
        key_BM, value_BM, gates_BG = read_BG.split([width, width, read_BG.shape[-1] - 2 * width], 1)
        query, key, value = self.query_key_value(memory).chunk(3, -1)
        key, value = torch.cat([key, key_BM[:, None]], 1), torch.cat([value, value_BM[:, None]], 1)
        new = self.norm_attention(memory + self._attend(query, key, value))
        new = self.norm_mlp(new + self.mlp(new))
        gates = gates_BG[:, None] + self.gates_of_memory(memory.tanh())
        write, keep = gates.sigmoid().chunk(2, -1)
        return write * new.tanh() + keep * memory

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries [B, S, width] over keys and values [B, S + 1, width], head by head."""
        split = [x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value)]
        return F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
