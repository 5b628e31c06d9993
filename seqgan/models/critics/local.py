"""A critic of windows: one score per column, from the tokens around it.

    embed → (convolution of width w → leaky ReLU) for each w in `windows` → wᵀ h_t + b

The text counterpart of a PatchGAN (Isola et al. 2017): it learns which short stretches of tokens
occur, and nothing of the sentence as a whole. A score depends on Σ (w − 1) / 2 columns to either
side (`reach`), end tokens among them. Columns behind the end carry no score. The fill in front of
a prompt is like the edge of the row: zeros, in every layer.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, SequenceSpace
from seqgan.models.fill import begun_columns
from seqgan.models.layers import TokenEmbedding


class LocalCritic(Critic):
    """A critic of windows: `score_BT`, not causal, of ids [B, T] or simplices [B, T, V].

    `windows` are the widths of the convolutions, in columns; odd.

        LocalCritic(SequenceSpace(vocab_size=100, length=20), windows=(3, 3))(ids_BT, mask_BT)
    """

    counts_from_first = False

    def __init__(
        self, space: SequenceSpace, width: int = 64, windows: Sequence[int] = (3, 3)
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(space.vocab_size, width)
        widths = [width] * (len(windows) + 1)
        layers: list[nn.Module] = []
        for (inputs, outputs), window in zip(pairwise(widths), windows, strict=True):
            convolution = nn.Conv1d(inputs, outputs, window, padding=window // 2)
            layers += [convolution, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv1d(width, 1, 1))

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        h_BET = self.embedding(x).transpose(1, 2)
        begun_B1T = begun_columns(mask)[:, None] if self.filled_in_front else None
        for layer in self.layers:
            h_BET = layer(h_BET if begun_B1T is None else h_BET * begun_B1T)
        return Scores(h_BET.squeeze(1), mask)
