"""The command line in-process: what a command prints, without what clock or machine decide."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from seqgan.cli import run

Places = dict[Path, str]
"""Folders, and what stands for them in recordings."""

REPOSITORY = Path(__file__).parents[2]
_PROGRESS = re.compile(r" gone(, about .* left)?$")


def seqgan(*arguments: str) -> tuple[int | str, str, str]:
    """Exit status, stdout and stderr of a command; a crash is a status of its own."""
    out, err = io.StringIO(), io.StringIO()
    status: int | str
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = run(list(arguments))
        except Exception as error:
            status = f"{type(error).__name__}: {error}"
    return status, out.getvalue(), err.getvalue()


def plain(text: str, places: Places) -> str:
    """A text with names for folders; the longest path is replaced first."""
    for path in sorted(places, key=lambda path: len(str(path)), reverse=True):
        text = text.replace(str(path), places[path])
    text = text.replace(str(REPOSITORY), "REPOSITORY")
    return re.sub(r"\b(\d+)(?=\.partial\b)|(?<=process )\d+", "N", text)


def said(err: str, places: Places) -> list[str]:
    """The lines of stderr that do not say how far the work is."""
    return [plain(line, places) for line in err.splitlines() if not _PROGRESS.search(line)]
