"""Files that are written whole or not at all: what is said of those that cannot be."""

import errno
import os
from pathlib import Path

import pytest

from seqgan.core.saved_files import replacing, write_text


def test_errors_name_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the half-written one beside it, nor what a link leads to."""
    path = tmp_path / "report.html"
    path.symlink_to(tmp_path / "target.html")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(path, "page")
    assert caught.value.filename == str(path)

    def in_the_way(partial: Path, target: Path) -> None:
        raise OSError(errno.EISDIR, "Is a directory", str(partial), None, str(target))

    monkeypatch.undo()
    monkeypatch.setattr(Path, "replace", in_the_way)
    with pytest.raises(OSError, match="Is a directory") as caught:
        write_text(path, "page")
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path], "nothing half-written is left"


def test_a_name_that_leaves_no_room_for_the_half_written_one(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250)
    with pytest.raises(OSError, match="too long") as caught, replacing(path):
        pass
    assert caught.value.filename == str(path)
