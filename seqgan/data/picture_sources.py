"""Where pictures come from: one function a source. Arrays here are NumPy's; torch stays outside.

A source brings training pictures and perhaps test pictures, as they are; `pictures.py` cuts and
converts them. Files are read one at a time, so that large photos need never lie in memory
together. Classes are whole numbers 0 … K−1, each of which some training picture has.

`field` is where the set's configuration stands, such as `data` or `data.a`; messages name it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqgan.core.array_files import array_names, read_array
from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.picture_files import Bytes, list_pictures, read_picture, to_array
from seqgan.data.huggingface import check_column, load_parts, pick_part
from seqgan.data.idx_files import IMAGES, LABELS, find_idx, is_idx, parse_idx
from seqgan.data.picture_config import (
    FolderSourceConfig,
    HuggingFacePicturesConfig,
    IdxSourceConfig,
    NpzSourceConfig,
)


@dataclass(frozen=True, slots=True)
class RawSplit:
    """`count` pictures, each with the place it stands at: bytes [H, W] or [H, W, 3].

    `classes_N` is long, or None.
    """

    count: int
    pictures: Iterable[tuple[str, np.ndarray]]
    classes_N: np.ndarray | None


@dataclass(frozen=True, slots=True)
class RawPictures:
    """What a source brings. `name` is what people know it by; `classes` counts them, 0 for none.

    `as_bytes` knows how many bits pictures of 16 use, once all have been read.
    """

    name: str
    train: RawSplit
    test: RawSplit | None
    classes: int
    as_bytes: Bytes | None = None


# ── Arrays in an .npz file ────────────────────────────────────────────────────────────────────


def read_npz(config: NpzSourceConfig, field: str) -> RawPictures:
    """Arrays by name."""
    path, field = Path(config.path), f"{field}.source"
    if is_idx(path):
        raise UserError(
            f"{path}: is an IDX file and no .npz; use {field}={{name: idx, path: {path.parent}}}"
        )
    arrays = _load_npz(path, _npz_names(config), field)
    x, y = arrays["train"], arrays.get("train_labels")
    train = _array_split(f"{path}: array {config.train!r}", x, f"array {config.train_labels!r}", y)
    classes = _count_classes(f"{path}: array {config.train_labels!r}", train.classes_N)
    if config.test is None:
        return RawPictures(str(path), train, None, classes)
    if y is not None and config.test_labels is None:
        raise UserError(
            f"{field}.test_labels=null: the training pictures of {path} have classes; name the "
            f"array of the test pictures' classes, or set {field}.train_labels=null"
        )
    x, y = arrays["test"], arrays.get("test_labels")
    test = _array_split(f"{path}: array {config.test!r}", x, f"array {config.test_labels!r}", y)
    _check_test_classes(f"{path}: array {config.test_labels!r}", test.classes_N, classes)
    return RawPictures(str(path), train, test, classes)


def _npz_names(config: NpzSourceConfig) -> dict[str, str]:
    """The arrays that are wanted, by field; without training labels there are no others."""
    names = {"train": config.train, "train_labels": config.train_labels, "test": config.test}
    if config.train_labels is not None and config.test is not None:
        names["test_labels"] = config.test_labels
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
    return RawSplit(len(x), pictures, _to_classes(f"{where}, {labels}", y, len(x)))


# ── IDX files ─────────────────────────────────────────────────────────────────────────────────


def read_idx(config: IdxSourceConfig) -> RawPictures:
    """The four files of MNIST, plain or gzipped."""
    folder = Path(config.path)
    splits = {}
    for split in ("train", "t10k"):
        images, labels = find_idx(folder, split, IMAGES), find_idx(folder, split, LABELS)
        x_NHW, y_N = parse_idx(images, IMAGES), parse_idx(labels, LABELS)
        splits[split] = _array_split(str(images), x_NHW, labels.name, y_N)
    classes = _count_classes(f"{folder}: the training labels", splits["train"].classes_N)
    _check_test_classes(f"{folder}: the test labels", splits["t10k"].classes_N, classes)
    return RawPictures(str(folder), splits["train"], splits["t10k"], classes)


# ── The datasets library ──────────────────────────────────────────────────────────────────────


def read_huggingface(config: HuggingFacePicturesConfig, field: str) -> RawPictures:
    """Columns of a dataset; pictures are decoded one at a time."""
    field = f"{field}.source"
    parts = load_parts(config, field)
    keys = ("train",) if config.test_split is None else ("train", "test")
    picked = {key: pick_part(config, parts, field, f"{key}_split") for key in keys}
    as_bytes = Bytes(
        lambda: (x for key in keys for _, x in _decode(config, picked[key], field, key))
    )
    splits = {key: _dataset_split(config, picked[key], field, key, as_bytes) for key in keys}
    where = f"{field}.label_column={config.label_column!r}"
    classes = _count_classes(where, splits["train"].classes_N)
    if config.test_split is not None:
        where = f"{where} ({config.test_split})"
        _check_test_classes(where, splits["test"].classes_N, classes)
    return RawPictures(config.dataset, splits["train"], splits.get("test"), classes, as_bytes)


def _dataset_split(
    config: HuggingFacePicturesConfig, part: Any, field: str, split: str, as_bytes: Bytes
) -> RawSplit:
    check_column(config, part, field, "column")
    _check_some(f"{config.dataset} ({split})", len(part))
    classes_N = None
    if config.label_column is not None:
        label_column = check_column(config, part, field, "label_column")
        where = f"{field}.label_column={label_column!r} ({split})"
        with decoding(f"{where}: cannot be read", "give one whole number for each picture"):
            labels = np.asarray(list(part[label_column]))
        classes_N = _to_classes(where, labels, len(part))
    pictures = ((where, as_bytes(x)) for where, x in _decode(config, part, field, split))
    return RawSplit(len(part), pictures, classes_N)


def _decode(
    config: HuggingFacePicturesConfig, part: Any, field: str, split: str
) -> Iterator[tuple[str, np.ndarray]]:
    examples = iter(part.select_columns([config.column]))
    for row in range(len(part)):
        where = f"{config.dataset} ({split}), row {row}"
        with decoding(f"{where}: the picture cannot be read", "remove it from the dataset"):
            value = next(examples)[config.column]
            if isinstance(value, Image.Image):
                value = to_array(value)
        is_picture = isinstance(value, np.ndarray) and value.dtype == np.uint16
        yield where, value if is_picture else _from_array(value, where, field, config.column)


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


def read_folder(config: FolderSourceConfig, field: str) -> RawPictures:
    """Every file in a folder, in the order of their names."""
    folder = Path(config.path)
    paths = list_pictures(folder)
    as_bytes = Bytes(lambda: map(read_picture, paths))
    pictures = ((str(path), as_bytes(read_picture(path))) for path in paths)
    if not config.labels:
        return RawPictures(str(folder), RawSplit(len(paths), pictures, None), None, 0, as_bytes)
    loose = [path for path in paths if path.parent == folder]
    if loose:
        raise UserError(
            f"{loose[0]}: lies in no folder of its class; move it to {folder}/<class>/, "
            f"or set {field}.source.labels=false"
        )
    names = sorted({path.parent.name for path in paths})
    number = {name: index for index, name in enumerate(names)}
    classes_N = np.array([number[path.parent.name] for path in paths])
    split = RawSplit(len(paths), pictures, classes_N)
    return RawPictures(str(folder), split, None, len(names), as_bytes)


# ── Checks ────────────────────────────────────────────────────────────────────────────────────


def _check_some(where: str, count: int) -> None:
    if count == 0:
        raise UserError(f"{where}: holds no pictures; name another source")


def _to_classes(where: str, labels: np.ndarray | None, count: int) -> np.ndarray | None:
    """Whole numbers, none negative, as many as pictures."""
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
    return labels.astype(np.int64)


def _count_classes(where: str, classes_N: np.ndarray | None) -> int:
    """K, if every class 0 … K−1 occurs."""
    if classes_N is None:
        return 0
    present = np.unique(classes_N).tolist()
    missing = sorted(set(range(len(present))) - set(present))
    if missing:
        raise UserError(
            f"{where}: no picture has class {', '.join(map(str, missing[:5]))} but one has class "
            f"{present[-1]}; number the classes 0 … {len(present) - 1} without gaps"
        )
    return len(present)


def _check_test_classes(where: str, classes_N: np.ndarray | None, classes: int) -> None:
    if classes_N is not None and len(classes_N) and classes_N.max() >= classes:
        raise UserError(
            f"{where}: a test picture has class {classes_N.max()}, but the training pictures "
            f"have 0 … {classes - 1} only; remove such pictures"
        )
