"""What the tests about errors provoke: every `UserError`, and every error, warning and note.

A plugin of pytest picks the tests whose own text is about errors and runs those alone. Nothing is
recorded while fixtures are made: they belong to no test.
"""

import builtins
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seqgan.core.errors import UserError

from .command import plain

_ABOUT_ERRORS = re.compile(r"UserError|refus|== 2\b|[Cc]omplain|\bwarn|ValidationError")
_SLOW = (
    "test_guards.py",
    *("killed_studies", "fuzz", "test_resume", "test_stops", "learn/", "exact/", "test_bench"),
    *("test_layering", "test_samples_of_points", "test_a_study_can_be_narrowed", "of_a_pipe"),
    *(
        "face_detectors",
        "rule_saw_nothing",
        "real_process",
        "two_that_start_at_once",
        "deep_pictures",
    ),
)
"""Parts of names of tests that run for long, or whose messages other tests provoke as well."""
_SAID = re.compile(r"(error|warning|note): ")


@contextmanager
def listening(heard: set[str]) -> Iterator[None]:
    """Add every message of the program to `heard`."""
    make, write = UserError.__init__, builtins.print

    def noticed(self: UserError, *arguments: Any, **words: Any) -> None:
        make(self, *arguments, **words)
        heard.add(str(self))

    def printed(*values: Any, **words: Any) -> None:
        if words.get("file") is sys.stderr and values and _SAID.match(str(values[0])):
            heard.add(_SAID.sub("", str(values[0]), count=1))
        write(*values, **words)

    UserError.__init__, builtins.print = noticed, printed  # type: ignore[method-assign]
    try:
        yield
    finally:
        UserError.__init__, builtins.print = make, write  # type: ignore[method-assign]


class Recorder:
    """The plugin; `found` is test → its messages, in order."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items[:] = [item for item in items if _is_about_errors(item)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        heard: set[str] = set()
        with listening(heard):
            try:
                return (yield)
            finally:
                texts = sorted({_normal(message, item) for message in heard})
                self.found[item.nodeid.removeprefix("tests/")] = texts


def _is_about_errors(item: pytest.Function) -> bool:
    if any(part in item.nodeid for part in _SLOW) or item.get_closest_marker("study"):
        return False
    return bool(_ABOUT_ERRORS.search(inspect.getsource(item.function)))


def _normal(message: str, item: pytest.Item) -> str:
    """Without the names of temporary folders, which hold the test's name and a number."""
    base = str(item.config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
    text = plain(message, {Path.home(): "HOME"} if Path.home() != Path("/") else {})
    return re.sub(rf"{re.escape(base)}/[^/\s'\":;,]+", "TMP", " ".join(text.split()))


def record_messages(tests: Path) -> dict[str, list[str]]:
    """Run the tests about errors. Test → messages. Raises `RuntimeError` if they cannot be run."""
    recorder = Recorder()
    quiet = ("-p", "no:cacheprovider", "-q", "--no-header", "--durations=0", "-W", "ignore")
    status = pytest.main([str(tests), *quiet], plugins=[recorder])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with {status!r}")
    return recorder.found
