"""Find picture files in a folder, open one, and say plainly what is wrong with it.

Content decides what is a picture, not the name. The first of several frames counts, and a photo is
turned as its camera says. Grey stays grey; all other colours become RGB on white. 16 bits, grey or
in PNG and TIFF of colours, become bytes, all pictures of a set by one rule (`Bytes`).
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PLANAR_CONFIGURATION, TiffImageFile

from seqgan.core.decoders import UnusableError, decoding
from seqgan.core.errors import UserError
from seqgan.core.files import check_file
from seqgan.core.saved_files import replacing

_SIDE_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}
_SIDE_FOLDERS = {"__MACOSX"}


def list_pictures(folder: Path) -> list[Path]:
    """All files in `folder` and the folders inside it, sorted by name.

    Hidden files and folders are passed over, and so is what file managers leave behind.
    Raises `UserError` if the folder is missing, a file, empty, or holds links in a circle.
    """
    if folder.is_file():
        raise UserError(f"{folder}: is a file; name the folder that holds the pictures")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path")
    files = list(_files_below(folder))
    if not files:
        raise UserError(f"{folder}: holds no files; name a folder with pictures in it")
    return sorted(files, key=lambda path: path.parts)


def _files_below(folder: Path) -> Iterator[Path]:
    """Links are followed, but not back to a folder that they were reached through."""
    waiting = [(folder, frozenset(map(_identity, folder.resolve().parents)))]
    while waiting:
        inner, above = waiting.pop()
        try:
            here = _identity(inner)
            entries = [entry for entry in os.scandir(inner) if not _is_aside(entry.name)]
        except OSError as error:
            raise UserError(
                f"{inner}: cannot be read ({error.strerror}); check its rights, or move it away"
            ) from None
        if here in above:
            raise UserError(f"{inner}: is a link back to a folder that it lies in; remove it")
        for entry in entries:
            if entry.is_dir():
                waiting.append((inner / entry.name, above | {here}))
            else:
                yield inner / entry.name


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SIDE_FILES or name in _SIDE_FOLDERS


def read_picture(path: Path) -> np.ndarray:
    """The picture in a file: [H, W] if it is grey and [H, W, 3] otherwise.

    Bytes, or uint16 where there are 16 bits. Raises `UserError` if the file is missing, no picture,
    damaged, or of unusual numbers.
    """
    check_file(path)
    with decoding(f"{path}: the picture cannot be read", "remove or replace the file"):
        try:
            image = Image.open(path)
        except UnidentifiedImageError:
            raise UserError(
                f"{path}: is no picture that Pillow can read; remove it, or replace it if it is "
                "damaged"
            ) from None
        with image:
            if _has_deep_colours(image):
                return _deep_colours(path)
            return to_array(image)


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG."""
    with replacing(path) as file:
        image.save(file, "PNG")


def _has_deep_colours(image: Image.Image) -> bool:
    return (
        isinstance(image, PngImageFile | TiffImageFile)
        and bool(image.tile)
        and image.mode == "RGB"
        and not image.has_transparency_data
        and not _has_deep_planes(image)
        and all(_layout(tile)[:-1].endswith(";16") for tile in image.tile)
    )


def _deep_colours(path: Path) -> np.ndarray:
    """Colours of 16 bits. Pillow reads the upper byte only; with the order of bytes swapped, the
    lower one."""
    halves = []
    for swapped in (False, True):
        with Image.open(path) as image:
            assert isinstance(image, PngImageFile | TiffImageFile)
            if swapped:
                image.tile = [_swapped(tile) for tile in image.tile]
            halves.append(np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16))
    return halves[0] << 8 | halves[1]


def _layout(tile: Any) -> str:
    """Pillow's name for how numbers lie in a file, such as RGB;16B."""
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _swapped(tile: Any) -> Any:
    layout = _layout(tile)
    own = "L" if sys.byteorder == "little" else "B"
    order = layout[-1].replace("N", own)  # "native"
    layout = layout[:-1] + ("L" if order == "B" else "B")
    return tile._replace(args=layout if isinstance(tile.args, str) else (layout, *tile.args[1:]))


def _has_deep_planes(image: Image.Image) -> bool:
    """Whether a TIFF has more than 8 bits and keeps each colour apart. Pillow takes bytes of such
    numbers for pixels."""
    if not isinstance(image, TiffImageFile):
        return False
    apart = image.tag_v2.get(PLANAR_CONFIGURATION) == 2
    return apart and max(image.tag_v2.get(BITSPERSAMPLE, (8,))) > 8


def to_array(image: Image.Image) -> np.ndarray:
    """The numbers of a picture, as `read_picture` has them.

    Raises `UnusableError` where they are unusual, and whatever Pillow does for damaged pictures.
    """
    if _has_deep_planes(image):
        raise UnusableError("it holds a plane of 16 bits for each colour; save it pixel by pixel")
    image = ImageOps.exif_transpose(image)
    if 0 in image.size:
        raise UnusableError("it has no pixels")
    if image.mode == "F":
        raise UnusableError("it holds numbers of mode F, not bytes 0–255")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _sixteen_bits(np.asarray(image))
    if image.has_transparency_data:
        image = _on_white(image)
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _sixteen_bits(deep_HW: np.ndarray) -> np.ndarray:
    low, high = int(deep_HW.min()), int(deep_HW.max())
    if low < 0 or high > 0xFFFF:
        raise UnusableError(f"it holds numbers from {low} to {high}, not of 8 or 16 bits")
    return deep_HW.astype(np.uint16)


class Bytes:
    """Makes bytes of the pictures of one set.

    A file of 16 bits may hold numbers of 8, 10, 12, 14 or 16 bits, and does not say so. The largest
    number in the set decides, so that black and white mean the same in all its pictures.
    `pictures` gives all of them; it is asked once, and only if one has 16 bits. `least` is how many
    bits a former set had whose scale holds here too; 0: there was none.
    """

    def __init__(self, pictures: Callable[[], Iterable[np.ndarray]], least: int = 0) -> None:
        self.bits = 0
        """How many bits count; 0 as long as no picture of 16 bits has come."""
        self._pictures = pictures
        self._least = least

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        if picture.dtype == np.uint8:
            return picture
        if not self.bits:
            self.bits = max(bits_in_use(self._pictures()), self._least)
        return (picture >> (self.bits - 8)).astype(np.uint8)


def bits_in_use(pictures: Iterable[np.ndarray]) -> int:
    """The even number of bits, 8 at least, that the pictures of 16 bits need."""
    largest = max(
        (int(picture.max()) for picture in pictures if picture.dtype != np.uint8), default=0
    )
    return max(8, (largest.bit_length() + 1) // 2 * 2)


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")
