"""Read a text file, one sentence a line, and say plainly what is wrong with it if it is no such.

Plain files and gzip, told by their content. The encoding is UTF-8, strictly: a replacement
character that slips into a vocabulary is worse than an error. Lines end at "\\n" or "\\r\\n" only,
never at the other characters that `str.splitlines` takes for line ends, so that line numbers
agree with those of an editor. A byte order mark is removed.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from seqgan.core.errors import UserError
from seqgan.core.files import decode, read_bytes


def read_lines(path: Path, *, keep_blank: bool = False, strip: bool = True) -> list[str]:
    """Return the lines of `path` without surrounding whitespace.

    Blank lines are dropped; with `keep_blank` they stay, as empty strings, for files in which
    an empty line is an empty sentence (what a generator wrote). At least one line has text.
    Without `strip` whitespace stays, for text in which a space is a symbol like any other.

    Raises `UserError` if the file is missing, unreadable, binary, not UTF-8 or without text.
    """
    data = read_bytes(path)
    if b"\0" in data:
        raise UserError(
            f"{path}: binary file (NUL bytes); expected text, one sentence a line, UTF-8"
        )
    lines = decode(data, path).removesuffix("\n").split("\n")
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
