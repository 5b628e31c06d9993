"""Where pictures come from: one function a source. Arrays here are NumPy's; torch stays outside.

A source brings training pictures and perhaps test pictures, as they are; `pictures.py` cuts and
converts them. Files are read one at a time, so that large photos need never lie in memory
together. Classes are whole numbers 0 … K−1, each of which some training picture has.

`field` is where the source's configuration stands, such as `data.source`; messages name it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqgan.core.array_files import array_names, read_array
from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.picture_files import Bytes, list_pictures, read_picture, to_array
from seqgan.data.huggingface import Dataset
from seqgan.data.idx_files import IMAGES, LABELS, find_idx, is_idx, parse_idx


@dataclass(frozen=True, slots=True)
class RawSplit:
    """`count` pictures, each with the place it stands at: bytes [H, W] or [H, W, 3].

    `labels_NA` is long, a column for each kind of label, or None. `names` are the files', without
    folder and ending, or None: pictures of one name in two folders are a pair.
    """

    count: int
    pictures: Iterable[tuple[str, np.ndarray]]
    labels_NA: np.ndarray | None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RawPictures:
    """What a source brings. `name` is what people know it by.

    `splits` has `train` at least; `extractor`, `valid` and `test` that it lacks are cut from it.
    `labels` has the number of classes of each kind of label, and is empty where there are none.
    `as_bytes` knows how many bits pictures of 16 use, once all have been read.
    """

    name: str
    splits: dict[str, RawSplit]
    labels: dict[str, int]
    as_bytes: Bytes | None = None


# ── Drawn in code ─────────────────────────────────────────────────────────────────────────────


Drawn = tuple[np.ndarray, np.ndarray]
"""Bytes [N, H, W] or [N, H, W, 3], and the labels [N, A]."""


def draw_splits(
    kind: str,
    counts: dict[str, int],
    seed: int,
    draw: Callable[[int, int, int], Drawn],
    labels: dict[str, int],
    field: str,
) -> RawPictures:
    """So many pictures of each split. `draw` makes that number from two seeds, which come from
    SeedSequence([seed, the split's place]).

    `field` is where the pictures stand in the configuration. Raises what `draw` does.
    """
    splits = {}
    for place, (name, count) in enumerate(counts.items()):
        first, second = np.random.SeedSequence([seed, place]).generate_state(2).tolist()
        try:
            x_N, labels_NA = draw(count, first, second)
        except UserError as error:
            raise UserError(f"{field}: {error}") from error
        pictures = [(f"{name} {kind} {row}", x) for row, x in enumerate(x_N)]
        splits[name] = RawSplit(count, pictures, labels_NA)
    return RawPictures(f"{field}.source", splits, labels)


# ── Arrays in an .npz file ────────────────────────────────────────────────────────────────────


Names = tuple[str | None, str | None]
"""The array of pictures and that of their classes."""


def read_npz(path: Path, train: Names, test: Names, field: str) -> RawPictures:
    """Arrays by name."""
    if is_idx(path):
        raise UserError(
            f"{path}: is an IDX file and no .npz; use {field}={{name: idx, path: {path.parent}}}"
        )
    names = _npz_names(train, test)
    arrays = _load_npz(path, names, field)

    def read_split(split: str, labels: str | None) -> RawSplit:
        x, y = arrays[split], arrays.get(f"{split}_labels")
        return _array_split(f"{path}: array {names[split]!r}", x, f"array {labels!r}", y)

    splits = {"train": read_split("train", train[1])}
    classes = _count_classes(f"{path}: array {train[1]!r}", splits["train"].labels_NA)
    if test[0] is None:
        return RawPictures(str(path), splits, classes)
    if "train_labels" in names and test[1] is None:
        raise UserError(
            f"{field}.test_labels=null: the training pictures of {path} have classes; name the "
            f"array of the test pictures' classes, or set {field}.train_labels=null"
        )
    splits["test"] = read_split("test", test[1])
    _check_test_classes(f"{path}: array {test[1]!r}", splits["test"].labels_NA, classes)
    return RawPictures(str(path), splits, classes)


def _npz_names(train: Names, test: Names) -> dict[str, str]:
    """The arrays that are wanted, by field; without training labels there are no others."""
    names = {"train": train[0], "train_labels": train[1], "test": test[0]}
    if train[1] is not None and test[0] is not None:
        names["test_labels"] = test[1]
    return {field: name for field, name in names.items() if name is not None}


def _load_npz(path: Path, names: dict[str, str], field: str) -> dict[str, np.ndarray]:
    present = array_names(path)
    for key, name in names.items():
        if name not in present:
            raise UserError(_missing_array(path, present, f"{field}.{key}", name))
    return {key: read_array(path, name) for key, name in names.items()}


def _missing_array(path: Path, present: list[str], field: str, name: str) -> str:
    absent = "" if field.endswith(".train") else f", or set {field}=null"
    return (
        f"{field}={name!r}: {path} has no such array{did_you_mean(name, present)}; "
        f"choose from: {', '.join(present)}{absent}"
    )


def _array_split(where: str, x: np.ndarray, labels: str, y: np.ndarray | None) -> RawSplit:
    """Pictures [N, H, W] or [N, H, W, 3] of bytes with their classes; `labels` names those."""
    if x.dtype != np.uint8:
        remedy = "multiply by 255 if they lie in [0, 1], and " if x.dtype.kind == "f" else ""
        raise UserError(
            f"{where} holds {x.dtype}; expected bytes 0–255: {remedy}store them as uint8"
        )
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] != 3) or 0 in x.shape[1:]:
        raise UserError(
            f"{where} has shape {x.shape}; expected (N, height, width) or (N, height, width, 3)"
        )
    _check_some(where, len(x))
    pictures = ((f"{where}, row {row}", picture) for row, picture in enumerate(x))
    return RawSplit(len(x), pictures, _to_labels(f"{where}, {labels}", y, len(x)))


# ── IDX files ─────────────────────────────────────────────────────────────────────────────────


def read_idx(folder: Path) -> RawPictures:
    """The four files of MNIST, plain or gzipped."""
    splits = {}
    for name, split in (("train", "train"), ("test", "t10k")):
        images, labels = find_idx(folder, split, IMAGES), find_idx(folder, split, LABELS)
        x_NHW, y_N = parse_idx(images, IMAGES), parse_idx(labels, LABELS)
        splits[name] = _array_split(str(images), x_NHW, labels.name, y_N)
    classes = _count_classes(f"{folder}: the training labels", splits["train"].labels_NA)
    _check_test_classes(f"{folder}: the test labels", splits["test"].labels_NA, classes)
    return RawPictures(str(folder), splits, classes)


# ── The datasets library ──────────────────────────────────────────────────────────────────────


def read_huggingface(
    dataset: Dataset, splits: dict[str, str | None], column: str, label_column: str | None
) -> RawPictures:
    """Columns of a dataset; pictures are decoded one at a time. `splits` names `train`, `test`."""
    parts = {
        name: dataset.part(f"{name}_split", split)
        for name, split in splits.items()
        if split is not None
    }
    as_bytes = Bytes(
        lambda: (x for name, part in parts.items() for _, x in _decode(dataset, name, part, column))
    )
    found = {}
    for name, part in parts.items():
        dataset.check_column(part, "column", column)
        _check_some(f"{dataset.name} ({name})", len(part))
        labels_NA = None
        if label_column is not None:
            labels_NA = _read_labels(dataset, name, part, label_column)
        pictures = _as_bytes(_decode(dataset, name, part, column), as_bytes)
        found[name] = RawSplit(len(part), pictures, labels_NA)
    where = f"{dataset.field}.label_column={label_column!r}"
    classes = _count_classes(where, found["train"].labels_NA)
    if "test" in found:
        _check_test_classes(f"{where} ({splits['test']})", found["test"].labels_NA, classes)
    return RawPictures(dataset.name, found, classes, as_bytes)


def _as_bytes(
    pictures: Iterator[tuple[str, np.ndarray]], as_bytes: Bytes
) -> Iterator[tuple[str, np.ndarray]]:
    return ((where, as_bytes(x)) for where, x in pictures)


def _read_labels(dataset: Dataset, split: str, part: Any, column: str) -> np.ndarray | None:
    dataset.check_column(part, "label_column", column)
    where = f"{dataset.field}.label_column={column!r} ({split})"
    with decoding(f"{where}: cannot be read", "give one whole number for each picture"):
        labels = np.asarray(list(part[column]))
    return _to_labels(where, labels, len(part))


def _decode(
    dataset: Dataset, split: str, part: Any, column: str
) -> Iterator[tuple[str, np.ndarray]]:
    examples = iter(part.select_columns([column]))
    for row in range(len(part)):
        where = f"{dataset.name} ({split}), row {row}"
        with decoding(f"{where}: the picture cannot be read", "remove it from the dataset"):
            value = next(examples)[column]
            if isinstance(value, Image.Image):
                value = to_array(value)
        is_picture = isinstance(value, np.ndarray) and value.dtype == np.uint16
        yield where, value if is_picture else _from_array(value, where, dataset.field, column)


def _from_array(value: object, where: str, field: str, column: str) -> np.ndarray:
    """Bytes of an array or of nested lists; `datasets` returns small numbers as large ones."""
    array = np.asarray(value)
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not fits or array.dtype.kind not in "ui" or array.min() < 0 or array.max() > 255:
        what = f"{array.dtype} of shape {array.shape}" if array.ndim else type(value).__name__
        raise UserError(
            f"{field}.column={column!r}: {where} holds {what}, not a picture; expected a picture "
            f"or bytes 0–255 of shape (height, width) or (height, width, 3)"
        )
    return array.astype(np.uint8)


# ── A folder of files ─────────────────────────────────────────────────────────────────────────


def read_folder(folder: Path, labels: bool, field: str) -> RawPictures:
    """Every file in a folder, in the order of their names."""
    paths = list_pictures(folder)
    as_bytes = Bytes(lambda: map(read_picture, paths))
    pictures = ((str(path), as_bytes(read_picture(path))) for path in paths)
    stems = tuple(path.relative_to(folder).with_suffix("").as_posix() for path in paths)
    if not labels:
        splits = {"train": RawSplit(len(paths), pictures, None, stems)}
        return RawPictures(str(folder), splits, {}, as_bytes)
    loose = [path for path in paths if path.parent == folder]
    if loose:
        raise UserError(
            f"{loose[0]}: lies in no folder of its class; move it to {folder}/<class>/, "
            f"or set {field}.labels=false"
        )
    names = sorted({path.parent.name for path in paths})
    number = {name: index for index, name in enumerate(names)}
    labels_NA = np.array([[number[path.parent.name]] for path in paths])
    splits = {"train": RawSplit(len(paths), pictures, labels_NA, stems)}
    return RawPictures(str(folder), splits, {"class": len(names)}, as_bytes)


# ── Checks ────────────────────────────────────────────────────────────────────────────────────


def _check_some(where: str, count: int) -> None:
    if count == 0:
        raise UserError(f"{where}: holds no pictures; name another source")


def _to_labels(where: str, labels: np.ndarray | None, count: int) -> np.ndarray | None:
    """Classes as [N, 1]: whole numbers, none negative, as many as pictures."""
    if labels is None:
        return None
    if labels.ndim != 1 or len(labels) != count:
        raise UserError(
            f"{where}: {count} pictures but labels of shape {labels.shape}; "
            f"give one class for each picture"
        )
    if labels.dtype.kind not in "ui":
        raise UserError(f"{where}: labels are {labels.dtype}; expected whole numbers 0, 1, 2, …")
    if count and labels.min() < 0:
        raise UserError(f"{where}: class {labels.min()} is negative; number the classes from 0")
    return labels.astype(np.int64)[:, None]


def _count_classes(where: str, labels_NA: np.ndarray | None) -> dict[str, int]:
    """{"class": K}, if every class 0 … K−1 occurs; without classes nothing."""
    if labels_NA is None:
        return {}
    present = np.unique(labels_NA).tolist()
    missing = sorted(set(range(len(present))) - set(present))
    if missing:
        raise UserError(
            f"{where}: no picture has class {', '.join(map(str, missing[:5]))} but one has class "
            f"{present[-1]}; number the classes 0 … {len(present) - 1} without gaps"
        )
    return {"class": len(present)}


def _check_test_classes(where: str, labels_NA: np.ndarray | None, classes: dict[str, int]) -> None:
    known = classes.get("class", 0)
    if labels_NA is not None and len(labels_NA) and labels_NA.max() >= known:
        raise UserError(
            f"{where}: a test picture has class {labels_NA.max()}, but the training pictures "
            f"have 0 … {known - 1} only; remove such pictures"
        )
