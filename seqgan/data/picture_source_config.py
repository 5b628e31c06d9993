"""Base of the configurations of where pictures come from. No torch here."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from seqgan.core.parts import Part

if TYPE_CHECKING:
    from seqgan.data.captions import Captions
    from seqgan.data.picture_sources import RawPictures
    from seqgan.evaluation.pictures import Detect


class PictureSourceConfig(Part):
    """Pictures that are cut into splits here, or drawn for each split."""

    drawn: ClassVar[bool] = False
    """Whether each of the four splits is drawn: then the configuration has the number of pictures
    of each, by its name, and there is nothing to share."""

    @abstractmethod
    def build(self, size: int | None, field: str) -> "RawPictures":
        """The pictures as they are, or drawn with height and width `size` (None: left open).

        `field` is where the set's configuration stands, for messages. Raises `UserError` for what
        cannot be used.
        """

    @property
    def counts(self) -> dict[str, int]:
        """Pictures of each split, where they are drawn."""
        return {name: getattr(self, name) for name in ("extractor", "train", "valid", "test")}

    def build_captions(self) -> "Captions | None":
        """How labels are said in words, where that can be done."""
        return None

    def build_detector(self) -> "Detect | None":
        """Rules that read labels off pixels in colour, where there are any."""
        return None
