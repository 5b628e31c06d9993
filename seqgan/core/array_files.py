"""Arrays in an .npz file, whatever its name; nothing is unpickled."""

import zipfile
from pathlib import Path

import numpy as np

from seqgan.core.decoders import decoding
from seqgan.core.errors import UserError
from seqgan.core.files import check_file


def array_names(path: Path) -> list[str]:
    """The arrays of a file. Raises `UserError` if it is none, or damaged."""
    check_file(path)
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is no .npz file, or a damaged one; write it with numpy.savez")
    with (
        decoding(f"{path}: cannot be read", _REMEDY, quoted=()),
        np.load(path, allow_pickle=False) as archive,
    ):
        return list(archive.files)


def read_array(path: Path, name: str) -> np.ndarray:
    """An array that the file has. Raises `UserError` if it is damaged or no array of numbers."""
    with (
        decoding(f"{path}: the array {name!r} cannot be read", _REMEDY, quoted=()),
        np.load(path, allow_pickle=False) as archive,
    ):
        array = archive[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        held = array.dtype if isinstance(array, np.ndarray) else "bytes without a header"
        raise UserError(f"{path}: the array {name!r} holds {held}, not numbers; {_REMEDY}")
    return array


_REMEDY = "write the file again with numpy.savez, from arrays of numbers"
