"""Configuration of pictures that are pairs. No torch here."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.errors import UserError
from seqgan.core.extensions import ByName
from seqgan.core.parts import DataPart, Modality, Part, Words
from seqgan.data.picture_config import PictureSetConfig, SourceConfig

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.data.pictures import Pictures
    from seqgan.evaluation.task import Task, TaskSetup


class PartnerConfig(Part):
    """Base of the configurations of where the partners of pictures come from."""

    @abstractmethod
    def build_partners(self, b: PictureSetConfig, pictures: "Pictures") -> "Pictures":
        """The partners of `pictures`, which were read as `b` says: row for row, of one shape."""


class _SketchConfig(PartnerConfig):
    """Base of those that are made of the pictures themselves."""

    @abstractmethod
    def sketch(self, x_NCHW: "Tensor") -> "Tensor":
        """The partners of pictures, bytes of the same shape."""

    def build_partners(self, b: PictureSetConfig, pictures: "Pictures") -> "Pictures":
        from seqgan.data.pictures import sketched

        return sketched(pictures, self.sketch)


class EdgesConfig(_SketchConfig):
    """The edges of each picture, black on white."""

    name: Literal["edges"] = "edges"
    threshold: Annotated[int, Field(gt=0, le=255)] = 96
    """Least difference between neighbouring pixels, in levels (0–255) of some colour, that is an
    edge."""

    def sketch(self, x_NCHW: "Tensor") -> "Tensor":
        from seqgan.data.sketches import edges

        return edges(x_NCHW, self.threshold)


class GreyConfig(_SketchConfig):
    """Each picture without its colours: what a2b learns is to colour pictures."""

    name: Literal["grey"] = "grey"

    def sketch(self, x_NCHW: "Tensor") -> "Tensor":
        from seqgan.data.sketches import grey

        return grey(x_NCHW)


class AlignedConfig(PartnerConfig):
    """Pictures of another source, row for row; those of folders have the same file names."""

    name: Literal["aligned"] = "aligned"
    source: SourceConfig
    """Where they come from. They are cut, scaled and converted as those of `b`."""

    def build_partners(self, b: PictureSetConfig, pictures: "Pictures") -> "Pictures":
        colours = "grey" if pictures.shape[0] == 1 else "rgb"
        alike = b.model_copy(update={"source": self.source, "colours": colours})
        partners = alike.build_pictures("data.a")
        self._check_names(partners, pictures)
        if partners.shape != pictures.shape:
            raise UserError(
                f"data.a: pictures have shape {partners.shape}, those of data.b {pictures.shape} "
                "(colours, height, width); set data.b.size"
            )
        return partners

    def _check_names(self, partners: "Pictures", pictures: "Pictures") -> None:
        ours, theirs = partners.names, pictures.names
        if ours is not None and theirs is not None and ours != theirs:
            alone = sorted(set(ours) ^ set(theirs))[0]
            side, other = ("a", "b") if alone in ours else ("b", "a")
            raise UserError(
                f"data.{side}.source: has a picture {alone!r}, data.{other}.source has none of "
                "this name; pairs are files of the same name, whatever the ending: add or remove it"
            )
        counts = [
            {name: len(getattr(side, name).x_NCHW) for name in ("train", "valid", "test")}
            for side in (partners, pictures)
        ]
        if counts[0] != counts[1]:
            raise UserError(
                f"data.a.source: brings {counts[0]} pictures, data.b.source {counts[1]}; give two "
                "sources whose pictures are pairs, row for row"
            )


AnyPartnerConfig = Annotated[EdgesConfig | GreyConfig | AlignedConfig, ByName()]


class PairedPicturesConfig(DataPart):
    """Pairs of pictures of one shape: what game paired translates between."""

    modality: ClassVar[Modality] = "picture_pair"
    metrics: ClassVar[tuple[str, ...]] = ()
    direction_metrics: ClassVar[tuple[str, ...]] = (
        *("l1", "sharpness", "fid", "label_preservation"),
    )

    name: Literal["paired_pictures"] = "paired_pictures"
    a: AnyPartnerConfig
    """The partner of each picture of b: its edges, its lightness, or a picture of another
    source."""
    b: PictureSetConfig
    """The pictures."""

    @property
    def gives(self) -> Words:
        return super().gives | {"training rows that are pairs"}

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.picture_tasks import paired_pictures_task

        return paired_pictures_task(setup, self.build_pairs(), (None, self.b.build_detector()))

    def build_pairs(self) -> "tuple[Pictures, Pictures]":
        """Pictures of a and of b, row for row. Raises `UserError` for those that cannot be used."""
        b = self.b.build_pictures("data.b")
        return self.a.build_partners(self.b, b), b
