"""Configuration of the corner's video. No torch here."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.data.picture_source_config import PictureSourceConfig

if TYPE_CHECKING:
    from seqgan.data.picture_sources import RawPictures

Frames = Annotated[int, Field(gt=0, le=1_000_000)]


class CornerSourceConfig(PictureSourceConfig):
    """Next frames of a video in which a walker comes to a corner and goes left or right there. The
    label is what the frames before show: his place on the way. Drawn in code; needs no file."""

    drawn: ClassVar[bool] = True

    name: Literal["corner"] = "corner"
    train: Frames = 6_000
    """Frames to train on."""
    extractor: Frames = 1_000
    """Frames that only the feature extractor is trained on."""
    valid: Frames = 500
    """Validation frames."""
    test: Frames = 1_000
    """Test frames."""
    seed: Seed = 0
    """Seed of the frames."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        """The frames of all splits; `size` is their height and width, 16 where it is left open."""
        from seqgan.tasks.corner.drawing import DEFAULT_SIZE, draw_pictures

        return draw_pictures(self.counts, size or DEFAULT_SIZE, self.seed, field)
