"""A transformer critic: a summary position reads the sentence, or every step gets a score.

A pre-norm encoder (Vaswani 2017) whose first column is a learned summary vector, as BERT's
[CLS] (Devlin 2019). With `causal` there is no summary: column t attends to columns 0…t and gets a
score of its own. Deviations from BERT: pre-norm, no segments, no pretraining, no pooler.

With `from_generator` a start vector stands in front of the causal critic's sentence, as in the
generator, so that it can begin as a copy of one (`start.py`).

Columns behind the end are hidden from the summary; in the causal critic they come too late.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, SequenceSpace
from seqgan.models.config import TransformerCriticConfig
from seqgan.models.layers import Block, Positions, Stack, TokenEmbedding, score_in_chunks


class TransformerCritic(Critic):
    """See `core.types.Critic` for the contract."""

    def __init__(self, space: SequenceSpace, config: TransformerCriticConfig) -> None:
        super().__init__()
        self.causal = config.causal
        self.embedding = TokenEmbedding(space.vocab_size, config.width)
        self.start_E = nn.Parameter(torch.randn(config.width)) if config.from_generator else None
        self.positions = Positions(space.length + config.from_generator, config.width)
        if not self.causal:
            self.summary_E = nn.Parameter(torch.randn(config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = Stack[Block](
            Block(config.width, config.heads, config.dropout, config.causal)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.readout = nn.Linear(config.width, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        """One logit a sequence, the features behind it; with `causal`, `score_BT` instead."""
        assert mask is not None, "sequences have a mask"
        score = self._score_steps if self.causal else self._score_summary
        return score_in_chunks(score, x, mask)

    def _score_steps(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        h_BTE = self._embed(tokens)
        for block in self.blocks:
            h_BTE = block(h_BTE)
        h_BTE = h_BTE[:, -tokens.shape[1] :]
        return Scores(self.readout(self.norm(h_BTE))[..., 0], mask_BT)

    def _score_summary(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        summary_B1E = self.summary_E.expand(len(tokens), 1, -1)
        h_BTE = torch.cat([summary_B1E, self._embed(tokens)], 1)
        visible_BT = torch.cat([torch.ones_like(mask_BT[:, :1]), mask_BT], 1)
        for block in self.blocks:
            h_BTE = block(h_BTE, visible_BT)
        features_BF = self.norm(h_BTE[:, 0])
        return Scores(self.readout(features_BF)[:, 0], features_BF=features_BF)

    def _embed(self, tokens: Tensor) -> Tensor:
        x_BTE = self.embedding(tokens)
        if self.start_E is not None:
            x_BTE = torch.cat([self.start_E.expand(len(tokens), 1, -1), x_BTE], 1)
        return self.dropout(self.positions(x_BTE))
