"""What a generator of pictures is told: nothing, labels, or captions."""

import torch
from torch import Tensor

from seqgan.core.types import ArraySpace
from seqgan.data.captions import Captions
from seqgan.data.pictures import Pictures, PictureSet

CAPTION_SEED = 5
"""Seed of the captions of every split: they are part of the data."""


def space_of(pictures: Pictures, captions: Captions | None, told: bool) -> ArraySpace:
    """That of pictures whose generator is `told` captions where there are any, else labels."""
    if not told:
        return ArraySpace(pictures.shape)
    if captions is None:
        return ArraySpace(pictures.shape, pictures.label_sizes)
    return ArraySpace(pictures.shape, caption=(len(captions.words), captions.columns))


class Conditions:
    """The conditions of the pictures of a space."""

    def __init__(self, space: ArraySpace, captions: Captions | None) -> None:
        self.captions = captions if space.caption else None
        self._space = space

    def of(self, split: PictureSet, rows: int | None = None) -> Tensor | None:
        """Those of the first pictures of a split, from the first again behind the last; None where
        the generator is told nothing."""
        if not self._space.conditional:
            return None
        assert split.labels_NA is not None, "a space with conditions has labelled pictures"
        count = len(split.labels_NA) if rows is None else rows
        row_N = torch.arange(count) % len(split.labels_NA)
        if self.captions is None:
            return split.labels_NA[row_N]
        return self.captions.draw(split.labels_NA, CAPTION_SEED)[row_N]

    def listed(self, rows: int) -> Tensor | None:
        """For people, the same at every call."""
        return listed_conditions(self._space, self.captions, rows)


def listed_conditions(space: ArraySpace, captions: Captions | None, rows: int) -> Tensor | None:
    """Captions, or every combination of labels in turn; None where there are neither."""
    if captions is not None:
        return captions.examples(rows)
    return listed_labels(space.label_sizes, rows) if space.label_sizes else None


def listed_labels(sizes: tuple[int, ...], rows: int) -> Tensor:
    """`labels_NA`: every combination in turn, the last label changing fastest, over and over."""
    combinations = torch.cartesian_prod(*[torch.arange(size) for size in sizes])
    combinations = combinations.view(-1, len(sizes))
    return combinations[torch.arange(rows) % len(combinations)]


def caption_match(captions: Captions, ids_NP: Tensor, read_NA: Tensor) -> float:
    """Share of what captions ask for that is read in their pictures."""
    asked_NA = captions.read(ids_NP.cpu())
    mentioned_NA = asked_NA >= 0
    return float((read_NA.cpu() == asked_NA)[mentioned_NA].float().mean())
