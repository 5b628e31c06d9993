"""Turn an .npz file of packed picture files into a folder that `source.name: folder` reads.

The archive holds the files' bytes one after another in `jpeg` (uint8), and in `offsets` where
each begins, with the total at the end: file i is jpeg[offsets[i]:offsets[i + 1]].

    python scripts/unpack_pictures.py anime_faces64_jpeg.npz data/anime_faces64
"""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from seqgan.core.array_files import array_names, read_array
from seqgan.core.errors import UserError
from seqgan.core.progress import progress_bar


def unpack(archive: Path, folder: Path) -> int:
    """Write 00000.jpg, 00001.jpg, … and return how many. Raises `UserError` for a bad archive."""
    jpeg, offsets = _load(archive)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists and is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    count = len(offsets) - 1
    with progress_bar() as bar:
        task = bar.add_task("unpacking", total=count, note="")
        for i in range(count):
            data = jpeg[offsets[i] : offsets[i + 1]].tobytes()
            (folder / f"{i:05d}.jpg").write_bytes(data)
            bar.advance(task)
    return count


def _load(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    names = array_names(archive)
    if not {"jpeg", "offsets"} <= set(names):
        raise UserError(
            f"{archive}: needs arrays jpeg and offsets, has {', '.join(names)}; "
            f"arrays of pictures need no unpacking, read them with source.name=npz"
        )
    jpeg, offsets = read_array(archive, "jpeg"), read_array(archive, "offsets")
    kinds = jpeg.dtype == np.uint8 and offsets.dtype.kind in "iu"
    if not kinds or (jpeg.ndim, offsets.ndim) != (1, 1):
        raise UserError(
            f"{archive}: jpeg is no row of bytes, or offsets is none of integers; {_AGAIN}"
        )
    edges = (int(offsets[0]), int(offsets[-1])) if len(offsets) > 1 else (0, -1)
    if edges != (0, len(jpeg)) or (offsets[1:] <= offsets[:-1]).any():
        raise UserError(f"{archive}: offsets do not cut jpeg into files; {_AGAIN}")
    return jpeg, offsets


_AGAIN = "fetch it again"


def main(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE.npz")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")],
) -> None:
    """Unpack picture files from an .npz file into a folder."""
    try:
        count = unpack(archive, folder)
    except UserError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    print(f"{count} pictures in {folder}")


if __name__ == "__main__":
    typer.run(main)
