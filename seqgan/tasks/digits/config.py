"""Configuration of drawn digits. No torch here."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.data.picture_source_config import PictureSourceConfig

if TYPE_CHECKING:
    from seqgan.data.picture_sources import RawPictures

Digits = Annotated[int, Field(gt=0, le=1_000_000)]


class DigitsSourceConfig(PictureSourceConfig):
    """Digits drawn in code as strokes of known slant, thickness, height and place, in grey, with
    the digit as label. Needs no file."""

    drawn: ClassVar[bool] = True

    name: Literal["digits"] = "digits"
    train: Digits = 10_000
    """Digits to train on."""
    extractor: Digits = 5_000
    """Digits that only the feature extractor is trained on."""
    valid: Digits = 2_000
    """Validation digits."""
    test: Digits = 5_000
    """Test digits."""
    stacked: bool = False
    """Three digits in a picture, one in red, one in green and one in blue, each with its label:
    1,000 combinations to count modes by (stacked MNIST)."""
    seed: Seed = 0
    """Seed of the digits."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        """The digits of all splits; `size` is their height and width, 16 where it is left open."""
        from seqgan.tasks.digits.drawing import DEFAULT_SIZE, draw_pictures

        return draw_pictures(self.counts, size or DEFAULT_SIZE, self.seed, field, self.stacked)
