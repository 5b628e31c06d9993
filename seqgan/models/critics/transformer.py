"""A transformer critic: a summary position reads the sentence, or every step gets a score.

A pre-norm encoder (Vaswani 2017) whose first column is a learned summary vector, as BERT's
[CLS] (Devlin 2019). With `causal` there is no summary: column t attends to columns 0…t and gets a
score of its own. Deviations from BERT: pre-norm, no segments, no pretraining, no pooler.

Columns behind the end are hidden from the summary; in the causal critic they come too late.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.critics.start import copy_layers, copy_start
from seqgan.models.generators.transformer import TransformerGenerator
from seqgan.models.layers import Block, Positions, SequenceCritic, Stack, TokenEmbedding


class TransformerCritic(SequenceCritic):
    """A transformer critic of ids [B, T] or simplices [B, T, V]: `score_B` and `features_BF`, or
    with `causal` a `score_BT`.

    With `from_generator` (causal only) it reads a start vector first, so that it can start from a
    generator's layers (`start.py`); its last position starts as the one before, as a generator
    never reads its last token.

        TransformerCritic(SequenceSpace(vocab_size=100, length=20), width=32)(ids_BT, mask_BT).score
    """

    def __init__(
        self,
        space: SequenceSpace,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        causal: bool = False,
        from_generator: bool = False,
    ) -> None:
        super().__init__()
        self.causal = causal
        self.features = 0 if causal else width
        self.embedding = TokenEmbedding(space.vocab_size, width)
        self.start_E = nn.Parameter(torch.randn(width)) if from_generator else None
        self.positions = Positions(space.length + from_generator, width)
        if not self.causal:
            self.summary_E = nn.Parameter(torch.randn(width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = Stack[Block](Block(width, heads, dropout, causal) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, 1)

    @torch.no_grad()
    def start_from(self, generator: nn.Module) -> None:
        """From a `TransformerGenerator` of the same width, layers and heads."""
        if not isinstance(generator, TransformerGenerator):
            return super().start_from(generator)
        copy_layers(self.embedding, generator.embedding)
        copy_layers(self.blocks, generator.blocks)
        copy_layers(self.norm, generator.norm)
        copy_start(self.start_E, generator.start_E)
        read = generator.positions.weight
        self.positions.weight.copy_(torch.cat([read, read[-1:]]))

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        if not self.causal:
            return self._score_summary(tokens, mask_BT)
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
