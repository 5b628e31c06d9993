"""A critic that compares every pair of positions, for constraints that tie distant tokens.

    s_cij = e_iᵀ M_c e_j / √E  for all positions i, j and channels c,   score = mlp(s)

The perceptron reads the table of similarities only, so equality of two positions is one entry of
its input; on palindromes it learns in 300 steps what an MLP over the tokens or a small
transformer does not. The table is the bilinear attention score of Luong (2015), read as a feature
instead of as a weight; no paper uses it as a critic that we know of.

Embeddings behind the end are zeroed, so that a score does not depend on what stands there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.layers import SequenceCritic, TokenEmbedding


class PairwiseCritic(SequenceCritic):
    """A critic of pairs of columns: `score_B` and `features_BF` of ids [B, T] or simplices
    [B, T, V], with all T columns of the space.

        PairwiseCritic(SequenceSpace(vocab_size=8, length=12), channels=4)(ids_BT, mask_BT).score
    """

    counts_from_first = False

    def __init__(
        self, space: SequenceSpace, embed: int = 16, channels: int = 4, hidden: int = 128
    ) -> None:
        super().__init__()
        self.channels = channels
        self.features = hidden
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        # All M_c in one layer: e_j to [M_1 e_j; …; M_C e_j].
        self.bilinear = nn.Linear(embed, channels * embed, bias=False)
        self.hidden = nn.Linear(channels * space.length**2, hidden)
        self.readout = nn.Linear(hidden, 1)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        embedded_BTE = self.embedding(tokens) * mask_BT[..., None]
        table = self._similarities(embedded_BTE)
        features_BF = F.leaky_relu(self.hidden(table.flatten(1)), 0.2)
        return Scores(self.readout(features_BF)[:, 0], features_BF=features_BF)

    def _similarities(self, embedded_BTE: Tensor) -> Tensor:
        """[B, C, T, T]: entry c, i, j compares the tokens of columns i and j."""
        projected = self.bilinear(embedded_BTE).unflatten(-1, (self.channels, -1))
        table = torch.einsum("bie,bjce->bcij", embedded_BTE, projected)
        return table / embedded_BTE.shape[-1] ** 0.5
