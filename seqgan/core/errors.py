"""Errors that are for people: one line naming field, value and remedy."""

import difflib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import NoReturn


class UserError(Exception):
    """Bad input or configuration. The command line prints it on one line and exits with 2.

    What a message quotes may be of any length, and hold anything: its middle is left out where it
    fills a screen, and what would break the line or command the terminal is spelled out.
    """

    def __str__(self) -> str:
        message = super().__str__()
        if len(message) > 1_200:
            message = f"{message[:900]} … {message[-200:]}"
        if message.isprintable():
            return message
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)


class Terminated(BaseException):
    """SIGTERM came. No handler of errors holds it up, as none does Ctrl-C."""


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """The handler of SIGTERM that ends what is going on, as Python's own one of SIGINT does."""
    raise Terminated


def refuse_string(values: object, field: str) -> None:
    """Raise `UserError` for a string in place of a list: its characters would be read."""
    if isinstance(values, str):
        raise UserError(f"{field}={values!r}: is one string; give a list, e.g. [{values!r}]")


def as_path(value: object, field: str, wanted: str) -> Path:
    """A path that was given in Python. Raises `UserError` for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{field}={value!r}: is no path; give {wanted}")
    return Path(value)


def warn(message: str) -> None:
    """Say on one line of stderr what is likely wrong, though the work goes on."""
    _say("warning", message)


def note(message: str) -> None:
    """Say on one line of stderr what a person should know, though nothing is wrong."""
    _say("note", message)


def _say(kind: str, message: str) -> None:
    print(f"{kind}: " + " ".join(message.split()), file=sys.stderr)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for a known name that begins with the word, else for the
    closest one; the empty string where none is close."""
    names = list(known)
    alike = [name for name in names if len(word) > 4 and name.startswith(word[:-1])]
    close = alike or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
