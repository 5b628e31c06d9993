"""Find picture files in a folder, open one, and say plainly what is wrong with it.

Whatever Pillow reads is a picture, by its content and not by its name. One of several frames is
the first. A photo is turned as its camera says. Grey stays grey; every other kind of colour
becomes RGB, and what is transparent becomes white.
"""

import glob
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from seqgan.core.errors import UserError
from seqgan.core.saved_files import replacing

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for a file that is damaged, or too large to be meant."""

_SIDE_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db"}
_SIDE_FOLDERS = {"__MACOSX"}


def list_pictures(folder: Path) -> list[Path]:
    """All files in `folder` and the folders inside it, sorted by name.

    Hidden files and folders are passed over, and so is what file managers leave behind. Whether
    the others are pictures shows when they are read.

    Raises `UserError` if the folder is missing, a file, or empty.
    """
    if folder.is_file():
        raise UserError(f"{folder}: is a file; name the folder that holds the pictures")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path")
    found = [Path(name) for name in glob.glob("**", root_dir=folder, recursive=True)]
    paths = [folder / path for path in found if not _is_side_file(path)]
    files = [path for path in paths if path.is_file() or (path.is_symlink() and not path.is_dir())]
    if not files:
        raise UserError(f"{folder}: holds no files; name a folder with pictures in it")
    return sorted(files, key=lambda path: path.parts)


def read_picture(path: Path) -> np.ndarray:
    """The picture in a file: bytes, [H, W] if it is grey and [H, W, 3] otherwise.

    Raises `UserError` if the file is missing, no picture, damaged, or of unusual numbers.
    """
    try:
        with Image.open(path) as image:
            return to_array(image)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name a picture file in it") from None
    except UnidentifiedImageError:
        raise UserError(
            f"{path}: is no picture that Pillow can read; remove it, or replace it if it is damaged"
        ) from None
    except DECODING_ERRORS as error:
        raise UserError(
            f"{path}: the picture cannot be read ({reason(error)}); remove or replace the file"
        ) from None


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG."""
    with replacing(path) as file:
        image.save(file, "PNG")


def to_array(image: Image.Image) -> np.ndarray:
    """Bytes [H, W] of a grey picture, [H, W, 3] of any other. May raise `DECODING_ERRORS`."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        raise ValueError(f"it holds numbers of mode {image.mode}, not bytes 0–255")
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    if image.has_transparency_data:
        image = _on_white(image)
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def reason(error: Exception) -> str:
    """What a library says, on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def _is_side_file(path: Path) -> bool:
    return path.name.lower() in _SIDE_FILES or not _SIDE_FOLDERS.isdisjoint(path.parts)
