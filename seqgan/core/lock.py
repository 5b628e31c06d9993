"""One writer per folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqgan.core.errors import UserError, warn

LOCK = ".lock"
"""Stays in the folder, and says nothing by itself: the lock is the kernel's."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold an existing folder for this process. The kernel frees it when the process ends,
    however it ends. Raises `UserError` while another process holds it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise UserError(
                f"{folder}: process {number or 'of unknown number'} is writing into it; wait for "
                "it or stop it, or choose another folder"
            ) from None
        except OSError as error:  # a file system without locks
            warn(f"{folder}: cannot be locked ({error.strerror}); let no other process write there")
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
