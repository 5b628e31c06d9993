"""A critic of co-occurrence: which words share a sentence, in any order.

    s_t = e_tᵀ M Σ_{u ≠ t} e_u / √E + bᵀ e_t

A sum over pairs of words: one table of pairs, of rank E, and one of words. A translation gets a
high score where words that share sentences are translated by words that share sentences. Between
languages with different word orders this identifies a lexicon, while windows (`local`) mislead.
`data.lexicons.co_occurrence_lexicon` does the same from counts.

Columns behind the end co-occur with nothing and carry no score; an end is a word like others.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, SequenceSpace
from seqgan.models.layers import TokenEmbedding


class CoOccurrenceCritic(Critic):
    """A critic of pairs of words: `score_BT`, not causal, of ids [B, T] or simplices [B, T, V].

    CoOccurrenceCritic(SequenceSpace(vocab_size=100, length=20), width=32)(ids_BT, mask_BT)
    """

    counts_from_first = False

    def __init__(self, space: SequenceSpace, width: int = 64) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, width)
        self.match = nn.Linear(width, width, bias=False)
        self.alone = nn.Linear(width, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        e_BTE = self.embedding(x) * mask[..., None]
        others_BTE = e_BTE.sum(1, keepdim=True) - e_BTE
        pairs_BT = (self.match(e_BTE) * others_BTE).sum(-1) / e_BTE.shape[-1] ** 0.5
        return Scores(pairs_BT + self.alone(e_BTE).squeeze(-1), mask)
