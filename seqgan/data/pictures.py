"""Pictures ready for training: bytes and labels of four splits, and an account of them.

    extractor  trains the feature extractor only; no player ever sees it
    train    trains the players
    valid    evaluations during training, and selection
    test     final evaluations

Decisions
- The training pictures of a source are permuted by PCG64(split_seed), once. `share` takes a piece
  of that order, so that two disjoint shares are disjoint sets with all classes in both. Of the
  piece, `extractor_fraction` come first, then `valid_fraction`, then `test_fraction` unless the
  source brings test pictures; the rest trains, cut by `max_train`. Test pictures of a source
  are used whole and in their order, whatever the share.
- Drawn pictures are no file to be cut: their source brings each of the four splits.
- A picture is converted to `colours`, scaled to `size` × `size` (or `shrink` of it, centred on
  black), then inverted. It is scaled once, by Pillow, with antialiasing: averages of whole blocks
  where both sides are multiples of the new ones, bicubic otherwise. A picture that is not square
  is stretched.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from seqgan.core.batches import spread
from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.progress import tracked
from seqgan.data.picture_sources import RawPictures, RawSplit

_MODES: dict[str, Literal["L", "RGB"]] = {"grey": "L", "rgb": "RGB"}


@dataclass(frozen=True, slots=True)
class PictureSet:
    """One split: `uint8` pictures and, where there are any, long labels."""

    x_NCHW: Tensor
    labels_NA: Tensor | None

    def take(self, rows: slice | np.ndarray | Tensor) -> "PictureSet":
        """The pictures of these rows."""
        labels_NA = None if self.labels_NA is None else self.labels_NA[rows]
        return PictureSet(self.x_NCHW[rows], labels_NA)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Four splits of pictures of one shape (C, H, W); `report` is plain JSON.

    `label_names` is ("class",) for digits and the like, the five attributes for faces, and empty
    without labels; `label_sizes` has the number of classes of each.
    """

    shape: tuple[int, int, int]
    label_names: tuple[str, ...]
    label_sizes: tuple[int, ...]
    extractor: PictureSet
    train: PictureSet
    valid: PictureSet
    test: PictureSet
    report: JsonObject
    names: tuple[str, ...] | None = None
    """Of the source's training pictures before they are cut; None where they have none."""

    def held_out(self, split: str, most: int) -> PictureSet:
        """At most so many pictures of valid or test, spread over the split."""
        part = self.valid if split == "valid" else self.test
        return part.take(spread(len(part.x_NCHW), most))


SPLITS = ("extractor", "train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is done to each picture: see `PictureSetConfig`."""

    size: int | None
    colours: str | None
    invert: bool
    shrink: float


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How the training pictures of a source are cut: see `PictureSetConfig`."""

    share: list[float]
    fractions: dict[str, float]
    """Of `extractor`, `valid` and `test`, in this order."""
    max_train: int | None
    seed: int
    drawn: bool
    """Each split is drawn: nothing is cut."""


def load_pictures(
    raw: RawPictures, conversion: Conversion, rule: SplitRule, field: str = "data", least: int = 2
) -> Pictures:
    """Split, convert and count. `field` is where the set is configured, for messages.

    Raises `UserError` for pictures that cannot be read or do not agree in size or colours, an
    extractor's split of fewer than two pictures, and others of fewer than `least`.
    """
    splits = _cut(raw, conversion, rule, field)
    splits["train"] = splits["train"].take(slice(rule.max_train))
    _check_counts(rule, splits, raw.name, field, least)
    channels, height, width = splits["train"].x_NCHW.shape[1:]
    shape = (channels, height, width)
    report = _report(splits, shape, raw.labels)
    if raw.as_bytes is not None and raw.as_bytes.bits:
        report["bits"] = raw.as_bytes.bits  # of files of 16; 'transform' scales by them
    return Pictures(
        shape,
        tuple(raw.labels),
        tuple(raw.labels.values()),
        **splits,
        report=report,
        names=raw.splits["train"].names,
    )


def sketched(pictures: Pictures, sketch: Callable[[Tensor], Tensor]) -> Pictures:
    """What `sketch` makes of all splits, bytes of the same shape, with the same labels."""

    def made_of(split: PictureSet) -> PictureSet:
        return PictureSet(sketch(split.x_NCHW), split.labels_NA)

    splits = {name: made_of(getattr(pictures, name)) for name in SPLITS}
    labels = dict(zip(pictures.label_names, pictures.label_sizes, strict=True))
    return Pictures(
        pictures.shape,
        pictures.label_names,
        pictures.label_sizes,
        **splits,
        report=_report(splits, pictures.shape, labels),
        names=pictures.names,
    )


def _cut(
    raw: RawPictures, conversion: Conversion, rule: SplitRule, field: str
) -> dict[str, PictureSet]:
    """Convert what the source brings, and cut the splits that it lacks from its training part."""
    splits, first = {}, None
    for name, part in raw.splits.items():
        x_NCHW, first = _collect(conversion, part, field, first)
        labels_NA = None if part.labels_NA is None else torch.from_numpy(part.labels_NA)
        splits[name] = PictureSet(torch.from_numpy(x_NCHW), labels_NA)
    if rule.drawn:
        return splits
    whole = splits["train"]
    order_N = np.random.Generator(np.random.PCG64(rule.seed)).permutation(len(whole.x_NCHW))
    low, high = (round(edge * len(order_N)) for edge in rule.share)
    pool, start = whole.take(order_N[low:high]), 0
    for name, fraction in rule.fractions.items():
        if name not in splits:
            stop = start + round(fraction * (high - low))
            splits[name] = pool.take(slice(start, stop))
            start = stop
    splits["train"] = pool.take(slice(start, None))
    return splits


# ── Conversion ────────────────────────────────────────────────────────────────────────────────

_First = tuple[str, tuple[int, ...]]
"""Where the first picture stands, and its shape [C, H, W] once it is converted."""


def _collect(
    conversion: Conversion, raw: RawSplit, field: str, first: _First | None = None
) -> tuple[np.ndarray, _First | None]:
    """Convert all pictures of a split; they must agree with the first of the source."""
    x_NCHW = np.empty((0, 0, 0, 0), dtype=np.uint8)
    for row, (where, picture) in enumerate(tracked(raw.pictures, "reading pictures", raw.count)):
        x_CHW = _convert(picture, conversion)
        first = first or (where, x_CHW.shape)
        if x_CHW.shape != first[1]:
            raise UserError(_disagreement(first, (where, x_CHW.shape), field))
        if row == 0:
            x_NCHW = np.empty((raw.count, *x_CHW.shape), dtype=np.uint8)
        x_NCHW[row] = x_CHW
    return x_NCHW, first


def _convert(picture: np.ndarray, how: Conversion) -> np.ndarray:
    """Bytes [C, H, W] of bytes [H, W] or [H, W, 3]."""
    image = Image.fromarray(picture)
    if how.colours is not None:
        image = image.convert(_MODES[how.colours])
    width, height = (how.size, how.size) if how.size else image.size
    inner = (max(1, round(width * how.shrink)), max(1, round(height * how.shrink)))
    x = np.asarray(_scale(image, inner))
    if inner != (width, height):
        top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
        canvas = np.zeros((height, width, *x.shape[2:]), dtype=np.uint8)
        canvas[top : top + inner[1], left : left + inner[0]] = x
        x = canvas
    x_CHW = x[None] if x.ndim == 2 else x.transpose(2, 0, 1)
    return 255 - x_CHW if how.invert else x_CHW


def _scale(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    if image.width % size[0] == 0 and image.height % size[1] == 0:
        return image.reduce((image.width // size[0], image.height // size[1]))
    return image.resize(size, Image.Resampling.BICUBIC)


def _disagreement(first: _First, other: _First, field: str) -> str:
    (where, shape), (other_where, other_shape) = first, other
    if shape[0] != other_shape[0]:
        kinds = {1: "grey", 3: "coloured"}
        return (
            f"{other_where}: is {kinds[other_shape[0]]}, but {where} is {kinds[shape[0]]}; "
            f"convert all with {field}.colours=rgb (or grey)"
        )
    return (
        f"{where} is {shape[2]}×{shape[1]} pixels, but {other_where} is {other_shape[2]}×"
        f"{other_shape[1]}; scale all with {field}.size={min(*shape[1:], *other_shape[1:])}"
    )


# ── Checks ────────────────────────────────────────────────────────────────────────────────────


def _check_counts(
    rule: SplitRule, splits: dict[str, PictureSet], where: str, field: str, least: int
) -> None:
    counts = {name: len(part.x_NCHW) for name, part in splits.items()}
    for name in ("train", "extractor", "valid", "test"):
        needed = 2 if name == "extractor" else least
        if counts[name] < needed:
            raise UserError(
                f"{where}: the {name} split has {counts[name]} pictures and needs at least "
                f"{needed}; {_remedy(rule, name, field, needed, sum(counts.values()))}"
            )


def _remedy(rule: SplitRule, name: str, field: str, needed: int, total: int) -> str:
    if name == "train" and rule.max_train is not None and rule.max_train < needed:
        return f"raise {field}.max_train"
    if rule.drawn:
        return f"raise {field}.source.{name}"
    if name == "train":
        fractions = [f"{field}.{part}_fraction" for part in ("extractor", "valid", "test")]
        return f"give more pictures, or lower {', '.join(fractions)}"
    share = f" to {math.ceil(100 * needed / total) / 100}" if total > needed else ""
    if name == "test":
        return f"give more of them, or where the source has none raise {field}.test_fraction{share}"
    return f"give more pictures, or raise {field}.{name}_fraction{share}"


# ── Account ───────────────────────────────────────────────────────────────────────────────────


def _report(
    splits: dict[str, PictureSet], shape: tuple[int, ...], labels: dict[str, int]
) -> JsonObject:
    """Counts by split, of pictures as they are after conversion. The hash of the bytes (pictures,
    then labels) tells a resumed run whether the data are still the same."""
    keys = {name: _picture_keys(split) for name, split in splits.items()}
    train_keys = set(keys["train"])
    report: JsonObject = {"shape": list(shape), "labels": labels}
    for name in SPLITS:
        report[name] = {
            "pictures": len(keys[name]),
            "duplicates": len(keys[name]) - len(set(keys[name])),
            "sha256": _sha256(splits[name]),
        }
        if name != "train":
            report[name]["in_train"] = sum(key in train_keys for key in keys[name])
    return report


def _picture_keys(split: PictureSet) -> list[bytes]:
    return [hashlib.blake2b(x.data, digest_size=16).digest() for x in split.x_NCHW.numpy()]


def _sha256(split: PictureSet) -> str:
    digest = hashlib.sha256(split.x_NCHW.numpy().data)
    if split.labels_NA is not None:
        digest.update(split.labels_NA.numpy().astype("<i8").tobytes())
    return digest.hexdigest()
