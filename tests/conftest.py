"""Fixtures that tests of several packages share."""

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import text_data, train
from torch import Tensor

from seqgan.tasks.cipher import windows
from seqgan.tasks.faces import drawing

torch.set_num_threads(1)  # tests are tiny and run side by side
os.fsync = lambda descriptor: None  # no test is about power cuts, and each call waits for the disk
# What is kept between runs is kept between tests too, and nowhere else.
os.environ["SEQGAN_CACHE"] = os.path.join(tempfile.gettempdir(), f"seqgan-tests-{os.getuid()}")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run on an oracle. To be read only."""
    return train(tmp_path_factory.mktemp("finished") / "tiny")


@pytest.fixture(scope="session")
def finished_text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run on text whose file is gone since. To be read only."""
    folder = tmp_path_factory.mktemp("text")
    run = train(folder / "tiny", text_data(folder / "corpus.txt"))
    (folder / "corpus.txt").unlink()
    return run


# What is drawn from seeds is the same in every test: half a second less for the text of a cipher,
# and a twentieth of one for a few faces. Copies, so that nothing is handed from test to test.


@pytest.fixture(scope="module")
def drawn_once() -> Iterator[None]:
    """For modules in which it does not matter that text and faces are drawn anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw_faces", _faces)
        patch.setattr(windows, "split_sentences", _sentences)
        yield


_draw_faces, _split_sentences = drawing.draw_faces, windows.split_sentences
_DRAWN: dict[tuple[Any, ...], Tensor] = {}


def _faces(labels_NA: Tensor, size: int, palette: str, seed: int) -> Tensor:
    key = (*labels_NA.flatten().tolist(), size, palette, seed)
    if key not in _DRAWN:
        _DRAWN[key] = _draw_faces(labels_NA, size, palette, seed)
    return _DRAWN[key].clone()


def _sentences(
    path: str | None, length: int, sizes: dict[str, int], seed: int
) -> dict[str, list[str]]:
    if path is not None:
        return _split_sentences(path, length, sizes, seed)
    written = _written(length, tuple(sizes.items()), seed)
    return {split: list(lines) for split, lines in written.items()}


@cache
def _written(length: int, sizes: tuple[tuple[str, int], ...], seed: int) -> dict[str, list[str]]:
    return _split_sentences(None, length, dict(sizes), seed)
