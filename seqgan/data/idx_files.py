"""IDX files, the format of MNIST, known by their content. Plain or gzipped."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from seqgan.core.errors import UserError
from seqgan.core.files import read_bytes

IMAGES, LABELS = 0x0803, 0x0801
"""Magic numbers: 0x08 for bytes, then the number of dimensions."""

_NAMES = {IMAGES: "images-idx3-ubyte", LABELS: "labels-idx1-ubyte"}
_KINDS = {IMAGES: "pictures", LABELS: "labels"}
_WORDS = {"train": ("train",), "t10k": ("t10k", "test")}


def find_idx(folder: Path, split: str, magic: int) -> Path:
    """The file of a split, `train` or `t10k`.

    By MNIST's own name, else the only one of such content whose name says which split it is.

    Raises `UserError` if there is none, or several.
    """
    if is_idx(folder):
        raise UserError(
            f"{folder}: is one IDX file; name the folder that holds all four, such as "
            f"train-{_NAMES[IMAGES]}"
        )
    if folder.is_file():
        raise UserError(f"{folder}: is a file; name the folder with train-{_NAMES[IMAGES]}")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one with train-images-idx3-ubyte")
    name = f"{split}-{_NAMES[magic]}"
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    found = [
        path for path in sorted(folder.iterdir()) if _says(path, split) and _begins(path, magic)
    ]
    if not found:
        words = " or ".join(map(repr, _WORDS[split]))
        raise UserError(
            f"{folder / name}: no such file, nor another IDX file of {_KINDS[magic]} with {words} "
            "in its name; fetch all four files"
        )
    if len(found) > 1:
        raise UserError(
            f"{folder}: {found[0].name} and {found[1].name} both hold {_KINDS[magic]} of the split "
            f"{split}; move one away, or name the right one {name}"
        )
    return found[0]


def _says(path: Path, split: str) -> bool:
    name = path.name.lower()
    said = next((s for s, words in _WORDS.items() if any(word in name for word in words)), None)
    return said == split and path.is_file()


def is_idx(path: Path) -> bool:
    """Whether `path` is a file of pictures or labels in this format."""
    return path.is_file() and any(_begins(path, magic) for magic in _NAMES)


def _begins(path: Path, magic: int) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return int.from_bytes(head, "big") == magic


def parse_idx(path: Path, magic: int) -> np.ndarray:
    """The bytes of one file: magic number, then each dimension as a big-endian 32-bit number."""
    data = read_bytes(path)
    found = int.from_bytes(data[:4], "big")
    if len(data) < 4 or found != magic:
        raise UserError(
            f"{path}: is no IDX file of {_KINDS[magic]}: its magic number is 0x{found:08x}, "
            f"expected 0x{magic:08x}; fetch the file again"
        )
    ndim = magic & 0xFF
    header = 4 + 4 * ndim
    shape = struct.unpack(f">{ndim}I", data[4:header]) if len(data) >= header else (0,)
    expected = header + math.prod(shape)
    if len(data) != expected:
        raise UserError(
            f"{path}: has {len(data)} bytes where its header promises {expected}; "
            f"fetch the file again"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)
