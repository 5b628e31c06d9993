"""SeqGAN's critic: convolutions of many widths, max over time, a highway layer.

    f_w = relu(max_t W_w [e_t; …; e_{t+w−1}] + b_w)     f = [f_w for every width]  (1,720 features)
    g = σ(W_T f),  f ← g ⊙ relu(W_H f) + (1 − g) ⊙ f,   score = wᵀ dropout(f) + b

Papers: Yu et al. 2017 (widths and filter counts of its official code); Kim 2014 (the CNN);
Zhang and LeCun 2015 (the text-CNN GANs start from); Srivastava 2015 (the highway).

Deviations from the official code: one logit instead of two softmax classes; no L2 weight of 0.2
on the read-out; torch's initialisation (but for the gate's bias, −2 there and here) instead of
truncated normals.

Embeddings behind the end are zeroed, so that a score does not depend on what stands there. Windows
that begin in the fill in front of a prompt are left out.

Speed. All windows of one width are the rows of one matrix product: for 512 sequences of 20 tokens
on two CPU cores 70 ms where `conv1d` takes 85, with gradients 230 ms where it takes 350. The
maximum is taken before the ReLU, with which it commutes.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace, SharedPrefix
from seqgan.models.fill import begun_columns, without_fill
from seqgan.models.layers import (
    CHUNK_ROWS,
    Highway,
    SequenceCritic,
    Stack,
    TokenEmbedding,
    score_in_chunks,
)


class CnnCritic(SequenceCritic):
    """SeqGAN's critic: `score_B` and `features_BF` of ids [B, T] or simplices [B, T, V].

    There are as many `filters` as `widths`. Sequences must be as long as the widest window.

        critic = CnnCritic(SequenceSpace(vocab_size=100, length=20), 32, (1, 2, 3), (50, 50, 50))
        critic(ids_BT, mask_BT).score
    """

    counts_from_first = False

    def __init__(
        self,
        space: SequenceSpace,
        embed: int = 64,
        widths: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20),
        filters: Sequence[int] = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160),
        highways: int = 1,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        # Linear layers over windows laid out token by token.
        self.filters = Stack[nn.Linear](
            nn.Linear(width * embed, count) for width, count in zip(widths, filters, strict=True)
        )
        self.features = sum(filters)
        self.highways = nn.Sequential(*[Highway(self.features) for _ in range(highways)])
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(self.features, 1)

    def score_continuations(
        self, ids_RT: Tensor, mask_RT: Tensor, shared: SharedPrefix, cond: Tensor | None = None
    ) -> Scores:
        """Windows that lie wholly inside a shared prefix are convolved once for all its copies."""
        batch = shared.batch
        prefix_BTE = self._embed(ids_RT[:batch], mask_RT[:batch])[:, : shared.columns]
        begun_BT = self._begun(mask_RT[:batch])
        maxima = [
            self._strongest(layer, prefix_BTE, begun_BT)
            if self._width(layer) <= shared.columns
            else None
            for layer in self.filters
        ]
        score = partial(self._score_behind, shared.columns, maxima)
        blocks = max(1, CHUNK_ROWS // batch)
        return score_in_chunks(score, ids_RT, mask_RT, rows=blocks * batch)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        embedded_BTE, begun_BT = self._embed(tokens, mask_BT), self._begun(mask_BT)
        pooled = [self._strongest(layer, embedded_BTE, begun_BT) for layer in self.filters]
        return self._read(pooled)

    def _score_behind(
        self, columns: int, maxima: list[Tensor | None], ids_RT: Tensor, mask_RT: Tensor
    ) -> Scores:
        """Scores from the maxima over the first columns and the windows that reach behind them."""
        embedded_RTE, begun_RT = self._embed(ids_RT, mask_RT), self._begun(mask_RT)
        pooled = []
        for layer, maximum_BF in zip(self.filters, maxima, strict=True):
            first = max(0, columns - self._width(layer) + 1)
            begun = None if begun_RT is None else begun_RT[:, first:]
            strongest_RF = self._strongest(layer, embedded_RTE[:, first:], begun)
            if maximum_BF is not None:
                copies = len(ids_RT) // len(maximum_BF)
                strongest_RF = torch.maximum(strongest_RF, maximum_BF.repeat(copies, 1))
            pooled.append(strongest_RF)
        return self._read(pooled)

    def _embed(self, tokens: Tensor, mask_BT: Tensor) -> Tensor:
        return self.embedding(tokens) * mask_BT[..., None]

    def _begun(self, mask_BT: Tensor) -> Tensor | None:
        """Where windows may begin; None: everywhere."""
        return begun_columns(mask_BT) if self.filled_in_front else None

    def _width(self, layer: nn.Linear) -> int:
        return layer.in_features // self.embedding.embedding_dim

    def _read(self, pooled: list[Tensor]) -> Scores:
        features_BF = self.highways(torch.cat(pooled, 1).relu())
        score_B = self.readout(self.dropout(features_BF))[:, 0]
        return Scores(score_B, features_BF=features_BF)

    def _strongest(self, layer: nn.Linear, embedded_BTE: Tensor, begun_BT: Tensor | None) -> Tensor:
        """The largest response of each filter over all windows: [B, filters]."""
        windows = embedded_BTE.flatten(1).unfold(1, layer.in_features, embedded_BTE.shape[2])
        response_BTF = layer(windows)
        return without_fill(response_BTF, begun_BT).amax(1)
