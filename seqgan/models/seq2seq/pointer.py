"""A recurrent translator that may point at the source: the pointer-generator.

Encoder: a GRU in each direction, m_s = [→h_s; ←h_s]. Decoder: a GRU over the tokens written,
h_t, which starts from tanh(W [→h_last; ←h_first]). Then

    α_t  = softmax_s(h_tᵀ W_a m_s)                       attention over the visible columns
    c_t  = Σ_s α_ts m_s,   o_t = tanh(W_o [c_t; h_t])
    g_t  = σ(w · [c_t; h_t; x_t] + b)                    generate, or copy
    p_t  = g_t · softmax(V o_t) + (1 − g_t) · Σ_s α_ts · source_s

with x_t the embedding of the last token and source_s the row of the source (one-hot for ids).

Papers: See, Liu & Manning 2017 (the gate and the mixture); Luong, Pham & Manning 2015 (bilinear
attention from the state *behind* the recurrent layer, so that no context is fed back and a known
sentence is read in one call). Deviations from See et al.: GRU instead of LSTM, bilinear attention
instead of additive, no coverage, no extended vocabulary (both sides have the same tokens). Log
probabilities are log(p + 1e-9) in float32, which bounds gradients.

All words that the vocabulary lacks are one token, `<unk>`, where See et al. have an entry for each.
In printed samples and in scores against references a copied `<unk>` becomes the source's own word
(`copied_columns`): the unknown one with the most attention at that step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import Generator, Hidden, SequenceSpace, State, StepOut
from seqgan.models.layers import Recurrent
from seqgan.models.seq2seq.source import StyleEmbedding, embeddings, visible_columns

FLOOR = 1e-9
"""Added to every probability before its logarithm."""

Memory = Sequence[Tensor]
"""keys_BSH, memory_BSM, the token tensor of the source, visible_BS."""


class PointerGenerator(Generator):
    """A translator that may copy; see `core.types.Generator` for the contract.

    `cond` is the source, ids [B, S] or simplices [B, S, V]; `style` the direction, where the
    network has several. Raises `UserError` where `copy` finds unequal vocabularies.

        PointerGenerator(source, space, hidden=64)(ids_BT, cond=source_BS)  # logits_BTV

    The state is (h_BH, *Memory).
    """

    def __init__(
        self,
        source: SequenceSpace,
        space: SequenceSpace,
        embed: int = 64,
        hidden: int = 64,
        dropout: float = 0.0,
        copy: bool = True,
        joint: bool = True,
        styles: int = 0,
    ) -> None:
        super().__init__()
        if copy and source.vocab_size != space.vocab_size:
            raise UserError(
                f"generator.copy=true: copying needs equal vocabularies, these have "
                f"{source.vocab_size} and {space.vocab_size} tokens; set it to false"
            )
        self.vocab_size = space.vocab_size
        self.styles = styles
        self.source = source
        self.source_embedding, self.embedding = embeddings(source, space, embed, joint)
        self.style = StyleEmbedding(styles, embed)
        self.start_E = nn.Parameter(torch.randn(embed))
        self.rightward = Recurrent("gru", embed, hidden)
        self.leftward = Recurrent("gru", embed, hidden)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.decoder = Recurrent("gru", embed, hidden)
        self.combine = nn.Linear(3 * hidden, hidden)
        self.readout = nn.Linear(hidden, space.vocab_size)
        self.gate = nn.Linear(3 * hidden + embed, 1) if copy else None
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int, cond: Tensor | None = None, style: int | None = None) -> StepOut:
        h_BH, memory = self._read(cond, style)
        x_BE = self.style(self.start_E.expand(batch, -1), style)
        return self._step(x_BE, (h_BH, *memory))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._step(self.embedding(x), state)

    def _step(self, x_BE: Tensor, state: State) -> StepOut:
        h_BH, *memory = state
        x_BE = self.dropout(x_BE)
        h_BH, (after_BH,) = self.decoder.step(x_BE, (h_BH,))
        logits_B1V = self._predict(x_BE[:, None], h_BH[:, None], memory)
        return StepOut(logits_B1V[:, 0], (after_BH, *memory))

    def forward(
        self, tokens: Tensor, cond: Tensor | None = None, style: int | None = None
    ) -> Tensor:
        h_BH, memory = self._read(cond, style)
        return self._predict(*self._decode(tokens, h_BH, style), memory)

    def hidden(
        self, tokens: Tensor, cond: Tensor | None = None, style: int | None = None
    ) -> Hidden:
        return Hidden(self(tokens, cond, style))  # a mixture with copies has no linear last layer

    def repeated_attention(self, tokens: Tensor, cond: Tensor, style: int | None = None) -> Tensor:
        """`coverage_BT`: Σ_s min(a_ts, Σ_{t'<t} a_t's), attention on places attended to before.

        See et al. 2017, as a function of a sequence that has been written; 0 in the first column.
        """
        h_BH, memory = self._read(cond, style)
        start_B1E = self.style(self.start_E.expand(len(tokens), 1, -1), style)
        x_BTE = torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1)
        h_BTH, _ = self.decoder(x_BTE, (h_BH,))
        keys_BSH, _, _, visible_BS = memory
        attention_BTS = attend(h_BTH, keys_BSH, visible_BS)
        before_BTS = attention_BTS.cumsum(1) - attention_BTS
        return torch.minimum(attention_BTS, before_BTS).sum(-1)

    def copied_columns(
        self, ids_BT: Tensor, cond: Tensor, unk_id: int, style: int | None = None
    ) -> Tensor | None:
        """See `Generator.copied_columns`. A token counts as copied where more of its probability
        was copied than generated."""
        if self.gate is None:
            return None
        h_BH, memory = self._read(cond, style)
        x_BTE, h_BTH = self._decode(ids_BT, h_BH, style)
        logits_BTV, attention_BTS, gate_BT1 = self._parts(x_BTE, h_BTH, memory)
        assert gate_BT1 is not None
        unknown_BTS = attention_BTS * (cond == unk_id)[:, None]
        generated_BT = gate_BT1[..., 0] * logits_BTV.softmax(-1)[..., unk_id]
        copied_BT = (1 - gate_BT1[..., 0]) * unknown_BTS.sum(-1)
        shows_BT = (ids_BT == unk_id) & (copied_BT > generated_BT)
        return unknown_BTS.argmax(-1).masked_fill(~shows_BT, -1)

    def _decode(self, tokens: Tensor, h_BH: Tensor, style: int | None) -> tuple[Tensor, Tensor]:
        """The decoder's input `x_BTE` and state `h_BTH` in every column of a known sequence."""
        start_B1E = self.style(self.start_E.expand(len(tokens), 1, -1), style)
        x_BTE = self.dropout(torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1))
        return x_BTE, self.decoder(x_BTE, (h_BH,))[0]

    def _read(self, cond: Tensor | None, style: int | None) -> tuple[Tensor, Memory]:
        """The decoder's first state, `h_BH`, and what it attends to."""
        source, visible_BS = visible_columns(cond, self.source)
        x_BSE = self.dropout(self.style(self.source_embedding(source), style))
        last_B = visible_BS.sum(1) - 1
        order_BS = _reversed_columns(last_B, visible_BS.shape[1])
        right_BSH, _ = self.rightward(x_BSE)
        left_BSH, _ = self.leftward(_reorder(x_BSE, order_BS))
        left_BSH = _reorder(left_BSH, order_BS)
        memory_BSM = torch.cat([right_BSH, left_BSH], 2)
        row_B = torch.arange(len(last_B), device=last_B.device)
        ends_BM = torch.cat([right_BSH[row_B, last_B], left_BSH[:, 0]], 1)
        return self.bridge(ends_BM).tanh(), (self.keys(memory_BSM), memory_BSM, source, visible_BS)

    def _predict(self, x_BTE: Tensor, h_BTH: Tensor, memory: Memory) -> Tensor:
        """`logits_BTV` from the decoder's input and state in every column."""
        logits_BTV, attention_BTS, gate_BT1 = self._parts(x_BTE, h_BTH, memory)
        if gate_BT1 is None:
            return logits_BTV
        copied_BTV = copy_distribution(attention_BTS, memory[2], self.vocab_size)
        return (gate_BT1 * logits_BTV.softmax(-1) + (1 - gate_BT1) * copied_BTV + FLOOR).log()

    def _parts(
        self, x_BTE: Tensor, h_BTH: Tensor, memory: Memory
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits of what is generated, `attention_BTS`, and the gate; None: nothing is copied."""
        keys_BSH, memory_BSM, _, visible_BS = memory
        attention_BTS = attend(h_BTH, keys_BSH, visible_BS)
        read_BTF = torch.cat([attention_BTS.to(memory_BSM.dtype) @ memory_BSM, h_BTH], 2)
        logits_BTV = self.readout(self.dropout(self.combine(read_BTF).tanh())).float()
        if self.gate is None:
            return logits_BTV, attention_BTS, None
        gate_BT1 = self.gate(torch.cat([read_BTF, x_BTE], 2)).float().sigmoid()
        return logits_BTV, attention_BTS, gate_BT1


def attend(h_BTH: Tensor, keys_BSH: Tensor, visible_BS: Tensor) -> Tensor:
    """`attention_BTS` in float32; 0 on columns that are not visible."""
    scores_BTS = (h_BTH @ keys_BSH.mT).float()
    return scores_BTS.masked_fill(~visible_BS[:, None], float("-inf")).softmax(-1)


def copy_distribution(attention_BTS: Tensor, source: Tensor, vocab_size: int) -> Tensor:
    """Σ_s attention_ts · source_s in float32, `probs_BTV`, for `ids_BS` or `simplex_BSV`."""
    if source.is_floating_point():
        with torch.autocast(source.device.type, enabled=False):
            return attention_BTS.float() @ source.float()
    batch, length, _ = attention_BTS.shape
    nothing_BTV = attention_BTS.new_zeros(batch, length, vocab_size)
    return nothing_BTV.scatter_add(2, source[:, None].expand_as(attention_BTS), attention_BTS)


def _reversed_columns(last_B: Tensor, length: int) -> Tensor:
    """`order_BS`: columns last…0, then those behind the end as they are. It is its own inverse."""
    column_S = torch.arange(length, device=last_B.device)
    mirrored_BS = last_B[:, None] - column_S
    return torch.where(mirrored_BS >= 0, mirrored_BS, column_S)


def _reorder(x_BSE: Tensor, order_BS: Tensor) -> Tensor:
    return x_BSE.gather(1, order_BS[..., None].expand_as(x_BSE))
