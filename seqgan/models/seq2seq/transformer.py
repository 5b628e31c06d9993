"""An encoder-decoder transformer with a key-value cache.

Encoder: pre-norm blocks over token plus position embeddings, in which nothing attends behind the
source's end; a last norm. Decoder blocks add, each from a normed input, causal self-attention,
attention to the encoder's output, and a perceptron; p(y_t | y_<t, x) = softmax(E norm(h_t))
with E the target's embedding. Keys and values of the source are computed once, in `start`; those
of the tokens written are kept.

Papers: Vaswani et al. 2017 (embeddings of standard deviation width^-½ are multiplied by √width and
shared with the read-out); pre-norm and the last norm as in Radford et al. 2019. Deviations:
learned positions, no dropout on attention weights, a learned start vector.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Generator, Hidden, SequenceSpace, State, StepOut
from seqgan.models.layers import Block, KeyValue, Positions, Stack, TokenEmbedding
from seqgan.models.seq2seq.source import StyleEmbedding, embeddings, visible_columns


class MemoryBlock(nn.Module):
    """A pre-norm decoder block: x + self-attention, x + attention to a memory, x + perceptron.

    Dropout acts on what each part adds.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_self = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project_self = nn.Linear(width, width)
        self.norm_query = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project_memory = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def remember(self, memory_BSE: Tensor) -> KeyValue:
        """Keys and values of a memory, each [B, heads, S, d]."""
        key, value = self._split_heads(self.key_value(memory_BSE), 2)
        return key, value

    def forward(self, x_BTE: Tensor, memory: KeyValue, visible_BS: Tensor) -> Tensor:
        """[B, T, width] to the same shape."""
        query, key, value = self._split_heads(self.query_key_value(self.norm_self(x_BTE)), 3)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._finish(x_BTE, attended, memory, visible_BS)

    def step(
        self, x_BE: Tensor, past: KeyValue, memory: KeyValue, visible_BS: Tensor
    ) -> tuple[Tensor, KeyValue]:
        """The next column, [B, width], and the cache with it; `past` itself is not touched."""
        x_B1E = x_BE[:, None]
        query, key, value = self._split_heads(self.query_key_value(self.norm_self(x_B1E)), 3)
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self._finish(x_B1E, attended, memory, visible_BS)[:, 0], (key, value)

    def _finish(
        self, x_BTE: Tensor, attended: Tensor, memory: KeyValue, visible_BS: Tensor
    ) -> Tensor:
        """Add what was attended, [B, heads, T, d], what is found in the memory, the perceptron."""
        x_BTE = x_BTE + self.dropout(self.project_self(attended.transpose(1, 2).flatten(2)))
        (query,) = self._split_heads(self.query(self.norm_query(x_BTE)), 1)
        found = F.scaled_dot_product_attention(query, *memory, attn_mask=visible_BS[:, None, None])
        x_BTE = x_BTE + self.dropout(self.project_memory(found.transpose(1, 2).flatten(2)))
        return x_BTE + self.dropout(self.mlp(self.norm_mlp(x_BTE)))

    def _split_heads(self, joint: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[B, T, parts · width] as so many [B, heads, T, d]."""
        return joint.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()


class EncoderDecoder(Generator):
    """A transformer translator; see `core.types.Generator` for the contract.

    `cond` is the source, ids [B, S] or simplices [B, S, V]; `style` the direction, where the
    network has several. `heads` divides `width`; `layers` are those of each half.

        EncoderDecoder(source, space, width=32)(ids_BT, cond=source_BS)  # logits_BTV

    The state is (columns read, ((keys, values) of each decoder block), the same of the memory,
    visible_BS).
    """

    def __init__(
        self,
        source: SequenceSpace,
        space: SequenceSpace,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        joint: bool = True,
        styles: int = 0,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.styles = styles
        self.source = source
        self.scale = width**0.5
        self.source_embedding, self.embedding = embeddings(source, space, width, joint)
        # Not a set: its order hangs on addresses, and with it which table draws first.
        for table in dict.fromkeys((self.source_embedding, self.embedding)):
            nn.init.normal_(table.weight, std=1 / self.scale)
        self.source_positions = Positions(source.length, width)
        self.positions = Positions(space.length, width)
        self.style = StyleEmbedding(styles, width)
        self.start_E = nn.Parameter(torch.randn(width))
        self.encoder = Stack[Block](
            Block(width, heads, dropout, causal=False) for _ in range(layers)
        )
        self.norm_memory = nn.LayerNorm(width)
        self.decoder = Stack[MemoryBlock](MemoryBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int, cond: Tensor | None = None, style: int | None = None) -> StepOut:
        memories, visible_BS = self._read(cond, style)
        # The cache before the first column: no columns of what a memory has S of.
        caches = tuple((key[:, :, :0], value[:, :, :0]) for key, value in memories)
        x_BE = self.style(self.start_E.expand(batch, -1), style)
        return self._step(x_BE, (0, caches, memories, visible_BS))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._step(self._embed(self.embedding, x), state)

    def _step(self, x_BE: Tensor, state: State) -> StepOut:
        column, caches, memories, visible_BS = state
        h_BE = self.dropout(self.positions.at(x_BE, column))
        after = []
        for block, past, memory in zip(self.decoder, caches, memories, strict=True):
            h_BE, cache = block.step(h_BE, past, memory, visible_BS)
            after.append(cache)
        logits_BV = self._hidden(h_BE).logits().float()
        return StepOut(logits_BV, (column + 1, tuple(after), memories, visible_BS))

    def forward(
        self, tokens: Tensor, cond: Tensor | None = None, style: int | None = None
    ) -> Tensor:
        return self.hidden(tokens, cond, style).logits().float()

    def hidden(
        self, tokens: Tensor, cond: Tensor | None = None, style: int | None = None
    ) -> Hidden:
        memories, visible_BS = self._read(cond, style)
        start_B1E = self.style(self.start_E.expand(len(tokens), 1, -1), style)
        x_BTE = torch.cat([start_B1E, self._embed(self.embedding, tokens[:, :-1])], 1)
        h_BTE = self.dropout(self.positions(x_BTE))
        for block, memory in zip(self.decoder, memories, strict=True):
            h_BTE = block(h_BTE, memory, visible_BS)
        return self._hidden(h_BTE)

    def _read(self, cond: Tensor | None, style: int | None) -> tuple[tuple[KeyValue, ...], Tensor]:
        """Keys and values of the source for each decoder block, and `visible_BS`."""
        source, visible_BS = visible_columns(cond, self.source)
        x_BSE = self.style(self._embed(self.source_embedding, source), style)
        h_BSE = self.dropout(self.source_positions(x_BSE))
        for block in self.encoder:
            h_BSE = block(h_BSE, visible_BS)
        memory_BSE = self.norm_memory(h_BSE)
        return tuple(block.remember(memory_BSE) for block in self.decoder), visible_BS

    def _embed(self, table: TokenEmbedding, x: Tensor) -> Tensor:
        return table(x) * self.scale

    def _hidden(self, h: Tensor) -> Hidden:
        return Hidden(self.norm(h), self.embedding.weight)
