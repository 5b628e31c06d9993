"""A causal recurrent critic: one score per step, of the sentence up to and including that token.

Per-step critics give dense rewards: MaskGAN (Fedus 2018), ScratchGAN (de Masson d'Autume 2019).
Deviations from ScratchGAN: no position features, no layer normalisation, no pretrained word
vectors; from MaskGAN: an unconditional critic.

With `from_generator` it reads a start vector first, as a generator does, and can begin as a copy
of one (`start.py`): its layers then know what a language model knows, as MaskGAN's and those of
Caccia et al. 2020 do.

What stands behind the end comes too late to influence a score that counts.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, SequenceSpace
from seqgan.models.config import RnnCriticConfig
from seqgan.models.layers import Recurrent, Stack, TokenEmbedding, score_in_chunks


class RnnCritic(Critic):
    """See `core.types.Critic` for the contract."""

    def __init__(self, space: SequenceSpace, config: RnnCriticConfig) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, config.embed)
        self.start_E = nn.Parameter(torch.randn(config.embed)) if config.from_generator else None
        widths = [config.embed] + [config.hidden] * config.layers
        self.layers = Stack[Recurrent](
            Recurrent(config.cell, width, config.hidden) for width in widths[:-1]
        )
        self.dropout = nn.Dropout(config.dropout)
        self.readout = nn.Linear(config.hidden, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        """`score_BT`: logits."""
        assert mask is not None, "sequences have a mask"
        return score_in_chunks(self._score, x, mask)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        h_BTH = self.embedding(tokens)
        if self.start_E is not None:
            h_BTH = torch.cat([self.start_E.expand(len(tokens), 1, -1), h_BTH], 1)
        h_BTH = self.dropout(h_BTH)
        for layer in self.layers:
            h_BTH, _ = layer(h_BTH)
            h_BTH = self.dropout(h_BTH)
        return Scores(self.readout(h_BTH[:, -tokens.shape[1] :])[..., 0], mask_BT)
