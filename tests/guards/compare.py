"""Differences of two recordings, in words; the older one is read under the present names."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from .renames import (
    rename_config,
    rename_metrics,
    rename_phrases,
    rename_test,
)

Recording = dict[str, Any]
Lines = Iterator[str]
_SHOWN = 8
"""Differences of one run, or places of one change, that are listed."""


def differences(before: Recording, after: Recording) -> tuple[list[str], list[str]]:
    """What differs, and what is worth knowing though nothing differs: a line each."""
    notes: list[str] = []
    lines = [*_configurations(before["configurations"], after["configurations"])]
    lines += _combinations(before["combinations"], after["combinations"])
    lines += _runs(before["runs"], after["runs"], notes)
    lines += _messages(before["messages"], after["messages"], notes)
    return lines, notes


def _unequal(old: Any, new: Any, place: str = "") -> Lines:
    """Leaves that differ, each with its place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            where = f"{place}.{key}" if place else key
            if key not in new:
                yield f"{where}: was {old[key]!r}, is gone"
            elif key not in old:
                yield f"{where}: is new, {new[key]!r}"
            else:
                yield from _unequal(old[key], new[key], where)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _unequal(left, right, f"{place}[{position}]")
    elif old != new or type(old) is not type(new):
        yield f"{place}: {old!r} → {new!r}"


def _few(title: str, lines: list[str]) -> Lines:
    yield from (f"{title}: {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"{title}: … and {len(lines) - _SHOWN} more differences"


# ── Configurations and what is said of them ───────────────────────────────────────────────────


def _configurations(before: Recording, after: Recording) -> Lines:
    renamed = {rename_phrases(name): _resolved(tree) for name, tree in before.items()}
    for name in [*renamed, *(name for name in after if name not in renamed)]:
        if name not in after or name not in renamed:
            yield f"configuration {name}: {'is gone' if name in renamed else 'is new'}"
        else:
            lines = [*_unequal(renamed[name], after[name])]
            yield from _few(f"configuration {name}", lines)


def _resolved(tree: Any) -> Any:
    return rename_phrases(tree) if isinstance(tree, str) else rename_config(tree)


def _combinations(before: Recording, after: Recording) -> Lines:
    """The same change at many places is one difference."""
    changes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = rename_phrases(before.get(name, "not tried")), after.get(name, "not tried")
        if old != new:
            changes[old, new].append(name)
    for (old, new), names in changes.items():
        more = f", and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"parts together ({names[0]}{more}): {old!r} → {new!r}"


def _messages(before: Recording, after: Recording, notes: list[str]) -> Lines:
    renamed = {
        rename_test(test): {rename_phrases(text) for text in texts}
        for test, texts in before.items()
    }
    changes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for test, old in renamed.items():
        if test not in after:
            yield f"test {test}: is gone, with {len(old)} messages"
            continue
        new = set(after[test])
        lines = [f"no longer says {text!r}" for text in sorted(old - new)]
        lines += [f"now says {text!r}" for text in sorted(new - old)]
        if lines:
            changes[tuple(lines)].append(test)
    for lines, tests in changes.items():
        more = f", and {len(tests) - 1} more" if len(tests) > 1 else ""
        yield f"test {tests[0]}{more}: {'; '.join(lines)}"
    if added := [test for test in after if test not in renamed]:
        notes.append(f"{len(added)} tests about errors are new")


# ── Tiny runs ─────────────────────────────────────────────────────────────────────────────────


def _runs(before: Recording, after: Recording, notes: list[str]) -> Lines:
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after or name not in before:
            yield f"run {name}: {'is gone' if name in before else 'is new'}"
            continue
        yield from _few(f"run {name}", [*_run(name, before[name], after[name], notes)])


def _run(name: str, before: Recording, after: Recording, notes: list[str]) -> Lines:
    for part in [*before, *(part for part in after if part not in before)]:
        old, new = rename_metrics(before.get(part)), after.get(part)
        if part in ("tensors", "state") and old and new:
            yield from _state(f"run {name}: {part}", part, before[part], new, notes)
        else:
            yield from _unequal(old, new, part)


def _state(title: str, part: str, before: Recording, after: Recording, notes: list[str]) -> Lines:
    """Place by place, where the places have the same names; else as heaps without names."""
    before = {rename_phrases(key): rename_metrics(value) for key, value in before.items()}
    if before.keys() == after.keys():
        yield from _unequal(before, after, part)
        return
    old, new = (Counter(map(repr, tree.values())) for tree in (before, after))
    gone, come = old - new, new - old
    names = sorted(before.keys() ^ after.keys())
    if not gone and not come:
        notes.append(f"{title}: equal, but for names such as {names[0]}")
        return
    yield (
        f"{part}: {gone.total()} of {old.total()} values are gone and {come.total()} are new; "
        f"names differ too, such as {names[0]}"
    )
