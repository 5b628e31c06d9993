"""Which ideas there are, and how long each took when it was recorded. No torch here."""

from importlib import import_module

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.progress import duration
from seqgan.core.saved_files import read_json_object
from seqgan.lectures import MODULES, REPOSITORY
from seqgan.lectures.idea import Idea

RESULTS = REPOSITORY / "docs" / "lectures" / "results.json"
"""The number of an idea → what it measured when it was last recorded."""


def ideas() -> list[Idea]:
    """All of them, in the order of the course."""
    modules = [import_module(f"seqgan.lectures.{name}") for name in MODULES]
    found = [idea for module in modules for idea in module.IDEAS]
    return sorted(found, key=lambda idea: idea.number)


def find_idea(number: int) -> Idea:
    """Raises `UserError` where there is none of this number."""
    by_number = {idea.number: idea for idea in ideas()}
    if number not in by_number:
        known = ", ".join(map(str, by_number))
        raise UserError(f"lecture {number}: there is no idea of this number; choose from: {known}")
    return by_number[number]


def recorded_results() -> JsonObject:
    """The recorded result of each idea that has one, by its number as text."""
    if not RESULTS.exists():
        return {}
    return read_json_object(RESULTS, "restore it from the repository")


def list_lines() -> list[str]:
    """A line per idea: number, time as recorded (empty where nothing is), title."""
    recorded = recorded_results()
    rows = []
    for idea in ideas():
        result = recorded.get(str(idea.number))
        time = "" if result is None else duration(result["seconds"])
        rows.append(f"{idea.number:3}  {time:>12}  {idea.title.en} · {idea.title.zh}")
    return rows
