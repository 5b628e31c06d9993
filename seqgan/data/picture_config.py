"""Configuration of pictures: where they come from, and what is done to them. No torch here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.errors import UserError
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Fraction, Positive, Seed
from seqgan.core.parts import DataPart, Modality
from seqgan.data.picture_source_config import PictureSourceConfig
from seqgan.data.points_config import LEAST_NEIGHBOURS
from seqgan.tasks.corner.config import CornerSourceConfig
from seqgan.tasks.digits.config import DigitsSourceConfig
from seqgan.tasks.faces.config import FacesSourceConfig

if TYPE_CHECKING:
    from seqgan.data.captions import Captions
    from seqgan.data.picture_sources import RawPictures
    from seqgan.data.pictures import Pictures
    from seqgan.evaluation.pictures import Detect
    from seqgan.evaluation.task import Task, TaskSetup


class NpzSourceConfig(PictureSourceConfig):
    """Arrays of an .npz file: pictures (N, H, W) or (N, H, W, 3) of bytes, labels (N,) of integers.

    The defaults are the usual names in files of MNIST and its relatives.
    """

    name: Literal["npz"] = "npz"
    path: str
    """The .npz file."""
    train: str = "x_train"
    """Array of training pictures."""
    train_labels: str | None = "y_train"
    """Array of their classes; null: none."""
    test: str | None = "x_test"
    """Array of test pictures; null: `test_fraction` of the training pictures."""
    test_labels: str | None = "y_test"
    """Array of their classes; null: none."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        from seqgan.data.picture_sources import read_npz

        train, test = (self.train, self.train_labels), (self.test, self.test_labels)
        return read_npz(Path(self.path), train, test, f"{field}.source")


class IdxSourceConfig(PictureSourceConfig):
    """A folder with the IDX files of MNIST: train-images-idx3-ubyte and so on, plain or gzipped.

    Under other names they are known by their content, and by train, t10k or test in the name.
    """

    name: Literal["idx"] = "idx"
    path: str
    """The folder."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        from seqgan.data.picture_sources import read_idx

        return read_idx(Path(self.path))


class HuggingFacePicturesConfig(PictureSourceConfig):
    """A picture corpus of the `datasets` library: a hub id, or a local folder or file."""

    name: Literal["huggingface"] = "huggingface"
    dataset: str
    """Hub id such as `mnist`, or a local path."""
    subset: str | None = None
    """Which part of the dataset; null: the only or default one."""
    column: str = "image"
    """Column that holds the pictures."""
    label_column: str | None = None
    """Column that holds the classes; null: none."""
    train_split: str = "train"
    """Name of the training split."""
    test_split: str | None = "test"
    """Name of the test split; null: `test_fraction` of the training split."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        from seqgan.data.huggingface import Dataset
        from seqgan.data.picture_sources import read_huggingface

        dataset = Dataset(self.dataset, self.subset, self.train_split, f"{field}.source")
        splits = {"train": self.train_split, "test": self.test_split}
        return read_huggingface(dataset, splits, self.column, self.label_column)


class FolderSourceConfig(PictureSourceConfig):
    """Picture files in a folder, in any format that Pillow reads.

    Pictures of 16 bits become bytes by the number of bits (8, 10, … 16) that the largest number in
    the folder needs, so that twelve bits in such a file are not black.
    """

    name: Literal["folder"] = "folder"
    path: str
    """The folder; folders inside it are read too."""
    labels: bool = False
    """Take the name of the folder a file lies in as its class."""

    def build(self, size: int | None, field: str) -> "RawPictures":
        from seqgan.data.picture_sources import read_folder

        return read_folder(Path(self.path), self.labels, f"{field}.source")


SourceConfig = Annotated[
    FacesSourceConfig
    | DigitsSourceConfig
    | CornerSourceConfig
    | NpzSourceConfig
    | IdxSourceConfig
    | HuggingFacePicturesConfig
    | FolderSourceConfig,
    ByName(),
]


class PictureSetConfig(Config):
    """Pictures of one kind, and what is done to them."""

    source: SourceConfig
    """Where the pictures come from."""
    size: Annotated[int, Field(ge=4)] | None = None
    """Height and width in pixels that every picture is scaled to; null: as they are."""
    colours: Literal["grey", "rgb"] | None = None
    """Convert every picture; null: as they are."""
    invert: bool = False
    """Swap dark and light."""
    shrink: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw each picture at this share of its size, centred on black, before it is inverted."""
    share: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2)
    ] = [0.0, 1.0]
    """Use the training pictures from this share to that one: disjoint shares make unpaired sets."""
    extractor_fraction: Fraction = 0.5
    """Share of the training pictures that only the feature extractor is trained on."""
    valid_fraction: Fraction = 0.05
    """Share of the training pictures held out as validation data."""
    test_fraction: Fraction = 0.1
    """Share of the training pictures held out as test data where none are given."""
    max_train: Positive | None = None
    """Train the players on the first so many pictures only."""
    split_seed: Seed = 0
    """Seed that decides which pictures are held out."""

    def build_detector(self) -> "Detect | None":
        """Rules that read labels off the pixels, where the source has some; they look at colours,
        so grey pictures have none."""
        return None if self.colours == "grey" else self.source.build_detector()

    def build_pictures(self, field: str = "data", least: int = 2) -> "Pictures":
        """The pictures, read or drawn, cut and converted; at least so many in a split.

        `field` is where this stands in the configuration. Raises `UserError` for pictures that
        cannot be used.
        """
        from seqgan.data.pictures import Conversion, SplitRule, load_pictures

        low, high = self.share
        if low >= high:
            raise UserError(
                f"{field}.share={self.share}: is empty; the second number is the larger"
            )
        if self.source.drawn and self.share != [0.0, 1.0]:
            kind = self.source.name
            raise UserError(
                f"{field}.share={self.share}: {kind} are drawn, there is nothing to share; remove "
                f"it, and set {field}.source.seed to get other {kind}"
            )
        fractions = {
            "extractor": self.extractor_fraction,
            "valid": self.valid_fraction,
            "test": self.test_fraction,
        }
        drawn = self.source.drawn
        return load_pictures(
            self.source.build(self.size, field),
            Conversion(self.size, self.colours, self.invert, self.shrink),
            SplitRule(self.share, fractions, self.max_train, self.split_seed, drawn),
            field,
            least,
        )


class PictureDataConfig(PictureSetConfig, DataPart):
    """Pictures of one kind."""

    modality: ClassVar[Modality] = "pictures"
    metrics: ClassVar[tuple[str, ...]] = (
        *("fid", "kid", "precision", "recall", "density", "coverage"),
        *("duplicates", "nearest_ratio", "copy_p_value"),
        # By the feature extractor, where there are labels.
        *("label_accuracy", "label_distance", "modes", "mode_kl", "inception_score"),
        *("valid_attributes", "attribute_distance"),  # by detectors, for cartoon faces
        "caption_match",  # by either, for captions
    )
    least_samples: ClassVar[int] = LEAST_NEIGHBOURS

    name: Literal["pictures"] = "pictures"
    captions: bool = False
    """In a game with labels, say some of each picture's labels in words instead: a caption such as
    'long blue hair, glasses'. Source faces."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.picture_tasks import picture_task

        captions = self.build_captions() if setup.conditional else None
        pictures = self.build_pictures(least=self.least_samples)
        return picture_task(setup, pictures, self.build_detector(), captions)

    def build_captions(self) -> "Captions | None":
        """How the labels are said in words, where they are."""
        if not self.captions:
            return None
        found = self.source.build_captions()
        if found is None:
            raise UserError(
                f"data.captions=true: the labels of source {self.source.name} have no words; "
                "use source faces, or set it to false"
            )
        return found


class UnpairedPicturesConfig(DataPart):
    """Two kinds of pictures that are never paired: what a cycle game translates between."""

    modality: ClassVar[Modality] = "picture_pair"
    metrics: ClassVar[tuple[str, ...]] = (
        *("label_preservation_a2b", "label_preservation_b2a", "fid_a2b", "fid_b2a"),
        *("cycle_a", "cycle_b", "cycle_noisy_a", "cycle_noisy_b", "identity_a", "identity_b"),
    )

    name: Literal["unpaired"] = "unpaired"
    a: PictureSetConfig
    """The first kind."""
    b: PictureSetConfig
    """The second kind, of the same size and colours."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.picture_tasks import picture_pair_task

        detectors = self.a.build_detector(), self.b.build_detector()
        return picture_pair_task(setup, self.build_pictures(), detectors)

    def build_pictures(self) -> "tuple[Pictures, Pictures]":
        """Both kinds. Raises `UserError` where shapes differ, and where both kinds take the same
        pictures of one source."""
        self._check_disjoint()
        a, b = self.a.build_pictures("data.a"), self.b.build_pictures("data.b")
        if a.shape != b.shape:
            raise UserError(
                f"data.b: pictures have shape {b.shape}, those of data.a {a.shape} (colours, "
                f"height, width); set data.a.size and data.b.size, data.a.colours and "
                f"data.b.colours alike"
            )
        return a, b

    def _check_disjoint(self) -> None:
        """Two shares of one source are cut from the same order, and do not overlap."""
        a, b = self.a, self.b
        if a.source != b.source or a.source.drawn:
            return
        if a.split_seed != b.split_seed:
            raise UserError(
                f"data.b.split_seed={b.split_seed}: data.a takes pictures of the same source with "
                f"split_seed={a.split_seed}, so the two overlap; set both alike"
            )
        if max(a.share[0], b.share[0]) < min(a.share[1], b.share[1]):
            raise UserError(
                f"data.b.share={b.share}: overlaps data.a.share={a.share} of the same source, so "
                f"the pictures are paired; set data.a.share=[0,0.5] data.b.share=[0.5,1]"
            )
