"""Captions of pictures: the contract of a task that can say its labels in words."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions are `ids_NP` of words; id 0 fills them up behind their end.

    What a caption asks for is `asked_NA`: labels, −1 where it says nothing.
    """

    words: tuple[str, ...]
    """The vocabulary; an id is an index."""
    columns: int
    """Words of the longest one."""
    draw: Callable[[Tensor, int], Tensor]
    """A caption of each row of `labels_NA`, from a seed."""
    read: Callable[[Tensor], Tensor]
    """What captions ask for."""
    wrong: Callable[[Tensor], Tensor]
    """Captions that say one thing of the picture that is not so."""
    examples: Callable[[int], Tensor]
    """So many captions for people, the same at every call."""
    encode: Callable[[str], Tensor]
    """`ids_P` of a person's words. Raises `UserError` for words that it does not know."""

    def text(self, ids_P: Tensor) -> str:
        """A caption as people write it: long blue hair, glasses."""
        return " ".join(self.words[index] for index in ids_P.tolist() if index).replace(" ,", ",")
