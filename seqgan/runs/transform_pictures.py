"""`seqgan transform` for pictures: every picture of a folder, translated into another folder."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from seqgan.core.errors import UserError, warn
from seqgan.core.picture_files import Bytes, list_pictures, read_picture, save_picture
from seqgan.core.pictures import to_bytes, to_unit
from seqgan.core.progress import progress_bar
from seqgan.core.saved_files import read_json_object
from seqgan.core.types import ArraySpace, SpacePair
from seqgan.runs.folder import FROM_A_COPY
from seqgan.runs.saved import SavedRun

AT_ONCE = 1_000
"""Pictures of a block."""


def transform_folder(run: SavedRun, source: Path, output: Path, direction: str) -> int:
    """Translate every picture of a folder; returns how many. File names stay, endings become .png.

    Pictures are scaled to the size and converted to the colours that the run was trained on; those
    of 16 bits by the bits that its training pictures used, or more where these need more.
    The run has to be one that translates pictures. Raises `UserError` for files that cannot be
    read; nothing is written before every file has been read.
    """
    pair = run.space
    assert isinstance(pair, SpacePair)
    space = pair.a
    assert isinstance(space, ArraySpace)
    paths = list_pictures(source)
    targets = [output / path.relative_to(source).with_suffix(".png") for path in paths]
    _check_targets(paths, targets)
    trained = _bits_of_training(run.folder, direction[0])
    as_bytes = Bytes(lambda: map(read_picture, paths), trained)
    x_NCHW = torch.stack([_fit(as_bytes(read_picture(path)), space) for path in paths])
    if trained and as_bytes.bits > trained:
        warn(
            f"--input={str(source)!r}: pictures use {as_bytes.bits} bits, the run was trained on "
            f"{trained}; all are scaled by {as_bytes.bits}, so they are darker than in training"
        )
    with progress_bar() as bar:
        task = bar.add_task("translating", total=len(paths), note="")
        for first in range(0, len(paths), AT_ONCE):
            block = slice(first, first + AT_ONCE)
            made = to_bytes(run.transform_pictures(to_unit(x_NCHW[block]), direction))
            for target, picture in zip(targets[block], made, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                save_picture(Image.fromarray(_as_array(picture)), target)
                bar.advance(task)
    return len(paths)


def _bits_of_training(folder: Path, side: str) -> int:
    """How many bits the training pictures of 16 used; 0: there were none, or it is not recorded."""
    path = folder / "data.json"
    if not path.exists():
        return 0
    report = read_json_object(path, FROM_A_COPY).get(side)
    bits = report.get("bits") if isinstance(report, dict) else None
    return bits if isinstance(bits, int) and 8 <= bits <= 16 else 0


def _check_targets(paths: list[Path], targets: list[Path]) -> None:
    first_of: dict[Path, Path] = {}
    for path, target in zip(paths, targets, strict=True):
        if target in first_of:
            raise UserError(
                f"{path}: would overwrite the translation of {first_of[target]} (both become "
                f"{target.name}); rename one"
            )
        first_of[target] = path


def _fit(picture: np.ndarray, space: ArraySpace) -> torch.Tensor:
    channels, height, width = space.shape
    image = Image.fromarray(picture).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    array = np.asarray(image)
    return torch.from_numpy(array.reshape(height, width, channels).transpose(2, 0, 1).copy())


def _as_array(picture_CHW: torch.Tensor) -> np.ndarray:
    array = picture_CHW.permute(1, 2, 0).numpy()
    return array[..., 0] if array.shape[2] == 1 else array
