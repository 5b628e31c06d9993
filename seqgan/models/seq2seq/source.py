"""What encoders read: the source, the mask of its sentences, and the style (direction)."""

import torch
from torch import Tensor, nn

from seqgan.core.masks import mask_until_end
from seqgan.core.types import SequenceSpace
from seqgan.models.layers import TokenEmbedding


def visible_columns(cond: Tensor | None, source: SequenceSpace) -> tuple[Tensor, Tensor]:
    """`cond` itself and `visible_BS`: True up to the first end token, of simplices their peak."""
    assert cond is not None, "needs something to translate"
    hard_BS = cond.argmax(-1) if cond.is_floating_point() else cond
    return cond, mask_until_end(hard_BS, source.end_id)


def embeddings(
    source: SequenceSpace, space: SequenceSpace, width: int, joint: bool
) -> tuple[TokenEmbedding, TokenEmbedding]:
    """Of the source and of the target: one module twice if `joint` and equally many tokens."""
    table = TokenEmbedding(space.vocab_size, width)
    if joint and source.vocab_size == space.vocab_size:
        return table, table
    return TokenEmbedding(source.vocab_size, width), table


class StyleEmbedding(nn.Module):
    """Adds a learned vector of the style (of the direction) of a whole batch, N(0, 1) at first."""

    def __init__(self, styles: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(styles, width)) if styles else None

    def forward(self, x: Tensor, style: int | None) -> Tensor:
        """[..., E] to the same shape; without styles `x` itself."""
        if self.vectors is None:
            assert style is None, "made without styles"
            return x
        assert style is not None, "made with styles, so it needs one"
        return x + self.vectors[style]
