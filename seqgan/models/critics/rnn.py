"""A causal recurrent critic: one score per step, of the sentence up to and including that token.

Per-step critics give dense rewards: MaskGAN (Fedus 2018), ScratchGAN (de Masson d'Autume 2019).
Deviations from ScratchGAN: no position features, no layer normalisation, no pretrained word
vectors; from MaskGAN: an unconditional critic.

What stands behind the end comes too late to influence a score that counts.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.critics.start import copy_layers, copy_start
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.layers import Recurrent, SequenceCritic, Stack, TokenEmbedding


class RnnCritic(SequenceCritic):
    """A recurrent critic: causal `score_BT` of ids [B, T] or simplices [B, T, V].

    With `from_generator` it reads a start vector first, so that it can start from a generator's
    layers, as the critics of MaskGAN and of Caccia et al. 2020 do (`start.py`).

        RnnCritic(SequenceSpace(vocab_size=100, length=20), "gru", hidden=32)(ids_BT, mask_BT).score
    """

    def __init__(
        self,
        space: SequenceSpace,
        cell: Literal["lstm", "gru"] = "gru",
        embed: int = 64,
        hidden: int = 64,
        layers: int = 1,
        dropout: float = 0.0,
        from_generator: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.randn(embed)) if from_generator else None
        widths = [embed] + [hidden] * layers
        self.layers = Stack[Recurrent](Recurrent(cell, width, hidden) for width in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden, 1)

    def start_from(self, generator: nn.Module) -> None:
        """From an `RnnGenerator` of the same cell, embed, hidden and layers."""
        if not isinstance(generator, RnnGenerator):
            return super().start_from(generator)
        copy_layers(self.embedding, generator.embedding)
        copy_layers(self.layers, generator.layers)
        copy_start(self.start_E, generator.start_E)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        h_BTH = self.embedding(tokens)
        if self.start_E is not None:
            h_BTH = torch.cat([self.start_E.expand(len(tokens), 1, -1), h_BTH], 1)
        h_BTH = self.dropout(h_BTH)
        for layer in self.layers:
            h_BTH, _ = layer(h_BTH)
            h_BTH = self.dropout(h_BTH)
        return Scores(self.readout(h_BTH[:, -tokens.shape[1] :])[..., 0], mask_BT)
