"""Read a text file, one sentence a line, and say plainly what is wrong with it if it is no such.

Files may be gzipped; their content says so. The encoding is UTF-8, strictly: a replacement
character that slips into a vocabulary is worse than an error. Lines end at "\\n" or "\\r\\n" only,
as in editors, not at the other line ends of `str.splitlines`. A byte order mark is removed.

Text has one spelling: accents are composed (NFC), and invisible characters are dropped: zero
width space, word joiner, byte order mark and soft hyphen. Two words that look alike are then one
entry of a vocabulary, and two such lines duplicates. The joiners U+200C and U+200D stay: they make
words of Persian and Indic scripts, and emoji; so do marks of direction.
"""

import io
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from seqgan.core.errors import UserError
from seqgan.core.files import decode, read_bytes

_UNSEEN = "\u00ad\u200b\u2060\ufeff"


def read_lines(
    path: Path, *, keep_blank: bool = False, strip: bool = True, respell: bool = True
) -> list[str]:
    """Return the lines of `path` without surrounding whitespace.

    Blank lines are dropped; with `keep_blank` they stay, as empty strings, for files in which
    an empty line is an empty sentence (what a generator wrote). At least one line has text.
    Without `strip` whitespace stays, for text in which a space is a token like any other. Without
    `respell` text keeps the spelling that it has.

    Raises `UserError` if the file is missing, unreadable, binary, not UTF-8 or without text, and if
    its lines end as on no system of today.
    """
    data = read_bytes(path)
    if b"\0" in data:
        number = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UserError(
            f"{path}, line {number}: a NUL byte, as in a binary file or UTF-16; expected text, one "
            "sentence a line, UTF-8"
        )
    text = decode(data, path)
    if respell:
        text = one_spelling(text)
    _check_line_ends(text, path)
    lines = text.removesuffix("\n").split("\n")
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
        yield from map(one_spelling, sys.stdin)
    except UnicodeDecodeError as error:
        raise UserError(
            f"stdin: byte 0x{error.object[error.start]:02x} is not UTF-8; "
            "convert the text, for example with iconv -t UTF-8"
        ) from None


def one_spelling(text: str) -> str:
    """Composed (NFC), without invisible characters."""
    if text.isascii():
        return text
    for character in _UNSEEN:
        text = text.replace(character, "")
    return unicodedata.normalize("NFC", text)


def clean_text(text: str, what: str) -> str:
    """Text that came from elsewhere than a text file, in one spelling.

    Raises `UserError`, beginning with `what`, for what no text file could hold: a run would be
    trained on it, and could then not be saved.
    """
    if "\0" in text:
        raise UserError(f"{what} holds a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise UserError(f"{what} holds half a character ({half}); write both halves") from None
    return one_spelling(text)


def _check_line_ends(text: str, path: Path) -> None:
    alone = text.count("\r") - text.count("\r\n")
    if alone > text.count("\n") / 10:  # a stray one among many lines is a blank
        raise UserError(
            f"{path}: lines end in a carriage return alone ({alone} of them), as on old Macs; "
            "convert the file, for example with tr '\\r' '\\n'"
        )
