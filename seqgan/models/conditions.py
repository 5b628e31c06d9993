"""How networks of pictures read their conditions: labels, or a caption.

    generator   [z; e(c)]
    critic      wᵀ f(x) + b + ⟨W e(c), f(x)⟩          (projection, Miyato & Koyama 2018)

Of labels e(c) is a learned vector of each, and W the identity. A caption is read by a sentence
encoder: a GRU over its words, whose last state is e(c) (Reed et al. 2016 have a convolutional and
recurrent one, which is trained beforehand on pictures and captions; here generator and critic train
one each, with themselves).
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import ArraySpace, Space
from seqgan.models.layers import LabelEmbeddings, LabelProjection, Recurrent

WORD_WIDTH = 16
"""Numbers in the vector of a word."""
SENTENCE_WIDTH = 48
"""Units of the GRU: numbers in the vector of a caption."""


class SentenceEncoder(nn.Module):
    """`sentence_BH` of captions `ids_BP`, which id 0 fills up behind their end."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, WORD_WIDTH)
        self.gru = Recurrent("gru", WORD_WIDTH, SENTENCE_WIDTH)

    def forward(self, ids_BP: Tensor) -> Tensor:
        h_BPH, _ = self.gru.rnn(self.embedding(ids_BP))
        last_B = (ids_BP != 0).sum(1).clamp(min=1) - 1
        return h_BPH[torch.arange(len(ids_BP), device=ids_BP.device), last_B]


class CaptionBeside(nn.Module):
    """Puts the vector of a caption beside what a network reads."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.encoder = SentenceEncoder(words)
        self.width = SENTENCE_WIDTH

    def forward(self, x_BL: Tensor, cond_BP: Tensor | None) -> Tensor:
        """[B, L + width]."""
        assert cond_BP is not None, "made with captions, so it needs them"
        return torch.cat([x_BL, self.encoder(cond_BP)], 1)


class CaptionProjection(nn.Module):
    """Adds ⟨W e(caption), features⟩ to a score."""

    def __init__(self, words: int, features: int) -> None:
        super().__init__()
        self.encoder = SentenceEncoder(words)
        self.to_features = nn.Linear(SENTENCE_WIDTH, features, bias=False)

    def forward(self, score_B: Tensor, features_BF: Tensor, cond_BP: Tensor | None) -> Tensor:
        """`score_B`."""
        assert cond_BP is not None, "made with captions, so it needs them"
        return score_B + (self.to_features(self.encoder(cond_BP)) * features_BF).sum(1)


def beside(space: ArraySpace) -> LabelEmbeddings | CaptionBeside:
    """What a generator of a space puts beside its noise."""
    if space.caption:
        return CaptionBeside(space.caption[0])
    return LabelEmbeddings(space.label_sizes)


def projection(space: Space, features: int) -> LabelProjection | CaptionProjection:
    """What a critic of a space adds to its score."""
    if isinstance(space, ArraySpace) and space.caption:
        return CaptionProjection(space.caption[0], features)
    return LabelProjection(space.label_sizes, features)
