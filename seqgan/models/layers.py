"""Parts that generators and critics share."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, Literal, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores

LayerT = TypeVar("LayerT", bound=nn.Module)

RecurrentState = tuple[Tensor, ...]
"""(h_BH, c_BH) of an LSTM, (h_BH,) of a GRU."""

CHUNK_ROWS = 512
"""Rows a critic scores at once where no gradient is wanted."""

LABEL_WIDTH = 16
"""Numbers in the vector of a label."""

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of the columns read so far, each [B, heads, t, d]."""


class Stack(nn.ModuleList, Generic[LayerT]):
    """A list of layers with a type for the type checker."""

    def __iter__(self) -> Iterator[LayerT]:
        return cast(Iterator[LayerT], super().__iter__())


class Trunk(Protocol):
    """A module that turns samples into `features_BF`: a critic without its read-out, an encoder."""

    features: int

    def __call__(self, x: Tensor) -> Tensor: ...


def with_minibatch_std(x: Tensor) -> Tensor:
    """One number more for each sample, the same for all: how much the batch varies (Karras 2018).

        s = mean over features (and places) of the standard deviation over the batch

    [B, F + 1] of [B, F], or maps [B, C + 1, H, W] of [B, C, H, W]. A batch of equal samples has
    s = 0, which no critic overlooks: so a generator that makes one sample over and over is told.
    The score of a sample then depends on those beside it; let a batch be real, or generated.
    """
    # A little more than 0 under the root, which has no slope there.
    std = (x.var(0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([x, std.expand(len(x), 1, *x.shape[2:])], 1)


class TokenEmbedding(nn.Embedding):
    """A vector for each token; a point of the simplex gets the mean of its tokens' vectors."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., E] of ids [...] (long) or simplices [..., V] (float)."""
        if x.is_floating_point():
            return x @ self.weight
        return super().forward(x)


class Positions(nn.Embedding):
    """A learned vector for each column."""

    def forward(self, x_BTE: Tensor) -> Tensor:
        """Add the vectors of columns 0…T−1."""
        return x_BTE + self.weight[: x_BTE.shape[1]]

    def at(self, x_BE: Tensor, column: int | Tensor) -> Tensor:
        """Add the vector of one column, or of one for each row (`column_B`). Raises `IndexError`
        behind the last one."""
        return x_BE + self.weight[column]


class Highway(nn.Module):
    """g ⊙ relu(W_H f) + (1 − g) ⊙ f with the gate g = σ(W_T f)  (Srivastava 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        # A negative bias lets the input pass at first, as the paper advises.
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] to the same shape."""
        return torch.lerp(x, self.transform(x).relu(), self.gate(x).sigmoid())


class Recurrent(nn.Module):
    """One LSTM or GRU layer that reads a whole sequence or one token at a time.

    Each gate has *one* trainable bias; torch's second one stays at zero, so that in a GRU the bias
    of the candidate stands outside the reset gate's product.
    """

    def __init__(self, cell: Literal["lstm", "gru"], inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = cell
        self.hidden = hidden
        layer = nn.LSTM if cell == "lstm" else nn.GRU
        self.rnn = layer(inputs, hidden, batch_first=True)
        bias_hh = self.weights[3]
        nn.init.zeros_(bias_hh)
        bias_hh.requires_grad_(False)

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W_ih, W_hh, b_ih, b_hh in torch's order of gates: i, f, g, o and r, z, n."""
        weight_ih, weight_hh, bias_ih, bias_hh = self.rnn.all_weights[0]
        return weight_ih, weight_hh, bias_ih, bias_hh

    def train(self, mode: bool = True) -> "Recurrent":
        """The layer inside stays in training mode: cuDNN differentiates it in no other, pathwise
        estimators differentiate an evaluating critic, and both modes compute the same."""
        super().train(mode)
        self.rnn.train()
        return self

    def zero_state(self, batch: int) -> RecurrentState:
        """The state before the first token."""
        h_BH = self.weights[1].new_zeros(batch, self.hidden)
        return (h_BH, h_BH) if self.cell == "lstm" else (h_BH,)

    def forward(
        self, x_BTE: Tensor, state: RecurrentState | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """`h_BTH` and the state behind the last column; None starts from zeros."""
        if state is None:
            state = self.zero_state(len(x_BTE))
        layered = [part[None].contiguous() for part in state]  # torch's leading axis of layers
        if self.cell == "lstm":
            h_BTH, (h_1BH, c_1BH) = self.rnn(x_BTE, (layered[0], layered[1]))
            return h_BTH, (h_1BH[0], c_1BH[0])
        h_BTH, h_1BH = self.rnn(x_BTE, layered[0])
        return h_BTH, (h_1BH[0],)

    def step(
        self, x_BE: Tensor, state: RecurrentState | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """`h_BH` and the state after one more token; None starts from zeros."""
        if state is None:
            state = self.zero_state(len(x_BE))
        if self.cell == "lstm":
            h_BH, c_BH = torch.lstm_cell(x_BE, state, *self.weights)
            return h_BH, (h_BH, c_BH)
        h_BH = torch.gru_cell(x_BE, state[0], *self.weights)
        return h_BH, (h_BH,)


class Block(nn.Module):
    """A pre-norm transformer block: x + attention(norm(x)), then x + mlp(norm(x)).

    Dropout acts on what each half adds (Vaswani 2017), not on the attention weights.
    """

    def __init__(self, width: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTE: Tensor, visible_BT: Tensor | None = None) -> Tensor:
        """[B, T, width] to the same shape; nothing attends to columns that are not visible.

        A causal block takes no `visible_BT`: padding stands behind the sentence.
        """
        query, key, value = self._split_heads(x_BTE)
        visible = None if visible_BT is None else visible_BT[:, None, None]
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, is_causal=self.causal
        )
        return self._finish(x_BTE, attended)

    def step(
        self, x_BE: Tensor, past: KeyValue, visible_BT: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """The next column, [B, width], and the cache with it; `past` itself is not touched.
        `visible_BT` are the columns it attends to, its own among them; None: all."""
        visible = None if visible_BT is None else visible_BT[:, None, None]
        x_B1E = x_BE[:, None]
        query, key, value = self._split_heads(x_B1E)
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
        return self._finish(x_B1E, attended)[:, 0], (key, value)

    def empty_cache(self, batch: int) -> KeyValue:
        """The cache before the first column."""
        weight = self.project.weight
        nothing = weight.new_zeros(batch, self.heads, 0, len(weight) // self.heads)
        return nothing, nothing

    def _split_heads(self, x_BTE: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, each [B, heads, T, d]."""
        joint = self.query_key_value(self.norm_attention(x_BTE))
        return joint.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()

    def _finish(self, x_BTE: Tensor, attended: Tensor) -> Tensor:
        """Add what was attended, [B, heads, T, d], and what the perceptron makes of it."""
        x_BTE = x_BTE + self.dropout(self.project(attended.transpose(1, 2).flatten(2)))
        return x_BTE + self.dropout(self.mlp(self.norm_mlp(x_BTE)))


def score_in_chunks(
    score: Callable[..., Scores], x: Tensor, *others: Tensor | None, rows: int = CHUNK_ROWS
) -> Scores:
    """Apply `score(x, *others)` to `rows` rows at a time where no gradient is wanted.

    `others`, a mask or a condition or both, are cut as `x` is; None stays None. A rollout reward
    scores 20,480 sequences: in chunks the activations stay in cache. Gradients need all of them.
    """
    if torch.is_grad_enabled() or len(x) <= rows:
        return score(x, *others)
    chunks = x.split(rows)
    columns = [[None] * len(chunks) if o is None else o.split(rows) for o in others]
    parts = [score(*chunk) for chunk in zip(chunks, *columns, strict=True)]
    masks = [part.mask_BT for part in parts if part.mask_BT is not None]
    features = [part.features_BF for part in parts if part.features_BF is not None]
    actions = [part.q_BTV for part in parts if part.q_BTV is not None]
    labels = [part.log_labels_B for part in parts if part.log_labels_B is not None]
    return Scores(
        torch.cat([part.score for part in parts]),
        torch.cat(masks) if masks else None,
        torch.cat(features) if features else None,
        torch.cat(actions) if actions else None,
        torch.cat(labels) if labels else None,
    )


class SequenceCritic(Critic):
    """Base of critics of sequences that score them chunk by chunk."""

    chunk_rows: int = CHUNK_ROWS

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert mask is not None, "sequences have a mask"
        return score_in_chunks(self._score, x, mask, rows=self.chunk_rows)

    @abstractmethod
    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        """The scores of `ids_BT` or `simplex_BTV`."""


# ── Labels ────────────────────────────────────────────────────────────────────────────────────


class LabelEmbeddings(nn.Module):
    """Puts a learned vector of each label beside what a network reads; N(0, 1) at first."""

    def __init__(self, label_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.tables = Stack[nn.Embedding](nn.Embedding(size, LABEL_WIDTH) for size in label_sizes)
        self.width = LABEL_WIDTH * len(label_sizes)

    def forward(self, x_BL: Tensor, cond_BA: Tensor | None) -> Tensor:
        """[B, L + width]."""
        return torch.cat([x_BL, *_look_up(self.tables, cond_BA)], 1)


class LabelProjection(nn.Module):
    """Adds Σ_a ⟨embed_a(label_a), features⟩ to a score (Miyato & Koyama 2018).

    Entries are N(0, 1/F) at first, so that labels weigh about as much as the linear read-out.
    """

    def __init__(self, label_sizes: tuple[int, ...], features: int) -> None:
        super().__init__()
        self.tables = Stack[nn.Embedding](nn.Embedding(size, features) for size in label_sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=features**-0.5)

    def forward(self, score_B: Tensor, features_BF: Tensor, cond_BA: Tensor | None) -> Tensor:
        """`score_B`."""
        for vector_BF in _look_up(self.tables, cond_BA):
            score_B = score_B + (vector_BF * features_BF).sum(1)
        return score_B


def _look_up(tables: Stack[nn.Embedding], cond_BA: Tensor | None) -> list[Tensor]:
    if not len(tables):
        return []
    assert cond_BA is not None, "made with labels, so it needs them"
    return [table(label_B) for table, label_B in zip(tables, cond_BA.unbind(1), strict=True)]
