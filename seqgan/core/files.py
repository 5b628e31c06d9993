"""Open a file that a person named, and say plainly what is wrong where there is none.

Only regular files are read: a pipe without a writer would be waited for without end, and a device
has no end. A pipe that the shell has opened (`<(command)`) comes with a writer, and is read.
"""

import codecs
import gzip
import os
import stat
import zlib
from pathlib import Path

from seqgan.core.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"
_OPENED_BY_THE_SHELL = {"/dev/fd", "/proc/self/fd"}


def check_file(path: Path) -> None:
    """Raise `UserError` unless `path` is a file that can be opened and read to its end."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except OSError as error:  # a folder on the way that is none, links in a circle
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except ValueError:
        raise UserError(
            f"{str(path)!r}: is no path, a character in it cannot be part of one"
        ) from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: is a folder; name a file in it")
    if stat.S_ISFIFO(mode) and str(path.parent) in _OPENED_BY_THE_SHELL:
        return
    if not stat.S_ISREG(mode):
        raise UserError(f"{path}: is a pipe or a device; write what it holds into a file first")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: cannot be read (Permission denied); check its rights")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; of a gzip file (by its content), those inside.

    Raises `UserError` if there is no such file, or what it holds is cut off or damaged.
    """
    check_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise UserError(f"{path}: not a complete gzip file; fetch or write it again") from None


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises `UserError` as `read_bytes`."""
    return decode(read_bytes(path), path)


def decode(data: bytes, path: Path) -> str:
    """The text that the bytes of a file spell; a byte order mark is none of it."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "convert the file, for example with iconv -t UTF-8"
        ) from None
