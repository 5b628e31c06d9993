"""Read a text file, one sentence a line, and say plainly what is wrong with it if it is no such.

Plain files and gzip (by the ending `.gz`). The encoding is UTF-8, strictly: a replacement
character that slips into a vocabulary is worse than an error. Lines end at "\\n" or "\\r\\n" only,
never at the other characters that `str.splitlines` takes for line ends, so that line numbers
agree with those of an editor. A byte order mark is removed.
"""

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from seqgan.core.errors import UserError


def read_lines(path: Path, *, keep_blank: bool = False, strip: bool = True) -> list[str]:
    """Return the lines of `path` without surrounding whitespace.

    Blank lines are dropped; with `keep_blank` they stay, as empty strings, for files in which
    an empty line is an empty sentence (what a generator wrote). At least one line has text.
    Without `strip` whitespace stays, for text in which a space is a symbol like any other.

    Raises `UserError` if the file is missing, unreadable, binary, not UTF-8 or without text.
    """
    data = _read_bytes(path).removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        raise UserError(
            f"{path}: binary file (NUL bytes); expected text, one sentence a line, UTF-8"
        )
    lines = _decode(path, data).removesuffix("\n").split("\n")
    lines = [line.strip() if strip else line.removesuffix("\r") for line in lines]
    if not any(map(str.strip, lines)):
        raise UserError(f"{path}: empty, no line has text; expected one sentence a line")
    return lines if keep_blank else [line for line in lines if line.strip()]


def stdin_lines() -> Iterator[str]:
    """The lines of stdin as they come, with their whitespace, under the same rules.

    Raises `UserError` at bytes that are not UTF-8.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="\n")
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        raise UserError(
            f"stdin: byte 0x{error.object[error.start]:02x} is not UTF-8; "
            "convert the text, for example with iconv -t UTF-8"
        ) from None


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name a text file in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: not a complete gzip file ({error}); fetch it again, "
            "or drop the ending .gz if it is plain text"
        ) from None


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "convert the file, for example with iconv -t UTF-8"
        ) from None
