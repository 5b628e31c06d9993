"""RelGAN's critic: many narrow embeddings of one sentence, all read by the same convolutions.

    e^r_t = E^r x_t   for r = 1 … R                                    (R = 64 of width 1)
    f^r_w = relu(max_t W_w [e^r_t; …; e^r_{t+w−1}] + b_w)              filters shared by all r
    f^r = highway([f^r_w for every width]),   h^r = V dropout(f^r) + c,   d^r = uᵀ h^r + b
    score = 1/R Σ_r d^r

Paper: Nie et al. 2019, RelGAN (widths 2–5 with 300 filters each, 64 representations of 64 numbers
together, keep .75, a linear layer of 100 and a linear read-out, as in its official code); Kim
2014 (the CNN); Srivastava 2015 (the highway).

Deviations. The official code has a logit per representation and averages *losses*, 1/R Σ_r ℓ(d^r);
here the loss is that of their mean, so that one critic serves every objective and every estimator.
By Jensen's inequality ours is the smaller loss where ℓ is convex; both agree where ℓ is linear
(Wasserstein). The highway's gate starts at −2 instead of 0; torch's initialisation; dropout is off
while the critic rewards.

Since everything behind the highway is linear, the score is the read-out of the mean of h^r, which
is `features_BF`. Embeddings behind the end are zeroed, so that a score does not depend on what
stands there. Windows that begin in the fill in front of a prompt are left out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.fill import begun_columns, without_fill
from seqgan.models.layers import CHUNK_ROWS, Highway, SequenceCritic, Stack, TokenEmbedding


class RelganCritic(SequenceCritic):
    """RelGAN's critic: `score_B` and `features_BF` of ids [B, T] or simplices [B, T, V].

    There are as many `filters` as `widths`. Sequences must be as long as the widest window.

        RelganCritic(SequenceSpace(vocab_size=100, length=20), hidden=64)(soft_BTV, mask_BT).score
    """

    counts_from_first = False

    def __init__(
        self,
        space: SequenceSpace,
        representations: int = 64,
        embed: int = 1,
        widths: Sequence[int] = (2, 3, 4, 5),
        filters: Sequence[int] = (300, 300, 300, 300),
        hidden: int = 100,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.representations = representations  # a sentence is read so many times
        self.chunk_rows = max(1, CHUNK_ROWS // representations)
        self.features = hidden
        self.embedding = TokenEmbedding(space.vocab_size, representations * embed)
        self.filters = Stack[nn.Linear](
            nn.Linear(width * embed, count) for width, count in zip(widths, filters, strict=True)
        )
        self.highway = Highway(sum(filters))
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(sum(filters), hidden)
        self.readout = nn.Linear(hidden, 1)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        rows_RTE, begun_RT = self._embed(tokens, mask_BT), None
        if self.filled_in_front:
            begun_RT = begun_columns(mask_BT).repeat_interleave(self.representations, 0)
        strongest = [_strongest(layer, rows_RTE, begun_RT) for layer in self.filters]
        pooled_RF = torch.cat(strongest, 1).relu()
        hidden_RF = self.hidden(self.dropout(self.highway(pooled_RF)))
        features_BF = hidden_RF.unflatten(0, (len(tokens), -1)).mean(1)
        return Scores(self.readout(features_BF)[:, 0], features_BF=features_BF)

    def _embed(self, tokens: Tensor, mask_BT: Tensor) -> Tensor:
        """[B · representations, T, embed], the representations of a sentence side by side."""
        embedded_BTE = self.embedding(tokens) * mask_BT[..., None]
        split = embedded_BTE.unflatten(-1, (self.representations, -1))
        return split.transpose(1, 2).flatten(0, 1)


def _strongest(layer: nn.Linear, rows_RTE: Tensor, begun_RT: Tensor | None) -> Tensor:
    """The largest response of each filter over all windows: [R, filters]."""
    windows = rows_RTE.flatten(1).unfold(1, layer.in_features, rows_RTE.shape[2])
    # For the gradient `max` keeps where it was found, `amax` all responses: T times as much.
    return without_fill(layer(windows), begun_RT).max(1).values
