"""Configuration of cartoon faces. No torch here."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.data.picture_source_config import PictureSourceConfig

if TYPE_CHECKING:
    from seqgan.data.captions import Captions
    from seqgan.data.picture_sources import RawPictures
    from seqgan.evaluation.pictures import Detect

Faces = Annotated[int, Field(gt=0, le=1_000_000)]


class FacesSourceConfig(PictureSourceConfig):
    """Cartoon faces drawn in code, each with exact attributes. Needs no file."""

    drawn: ClassVar[bool] = True

    name: Literal["faces"] = "faces"
    palette: Literal["day", "night"] = "day"
    """Colours of skin and background; hair and eyes keep theirs."""
    train: Faces = 20_000
    """Faces to train on."""
    extractor: Faces = 10_000
    """Faces that only the feature extractor is trained on."""
    valid: Faces = 2_000
    """Validation faces."""
    test: Faces = 10_000
    """Test faces."""
    seed: Seed = 0
    """Seed of the faces."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        """The faces of all splits; `size` is their height and width, 32 where it is left open."""
        from seqgan.tasks.faces.drawing import DEFAULT_SIZE, draw_pictures

        return draw_pictures(self.counts, size or DEFAULT_SIZE, self.palette, self.seed, field)

    def build_captions(self) -> "Captions":
        from seqgan.tasks.faces.captions import CAPTIONS

        return CAPTIONS

    def build_detector(self) -> "Detect":
        from functools import partial

        from seqgan.tasks.faces.detector import detect

        return partial(detect, palette=self.palette)
