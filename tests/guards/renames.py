"""Names that were changed on purpose, old → new: for what is run, and for the older recording.

A key is named by the end of its dotted path, positions in lists left out: `credit.trace` is every
`trace` directly in a `credit`. The longest fitting end counts.
"""

import re
from collections.abc import Callable
from typing import Any

KEYS: dict[str, str] = {}
"""Key of a configuration → its new name, at the same place: {"credit.trace": "gae_lambda"}."""

VALUES: dict[str, dict[Any, Any]] = {}
"""Key, by its old name → {old value: new value}: {"critic.name": {"company": "cooccurrence"}}."""

SHAPES: dict[str, Callable[[Any], Any]] = {}
"""Key, by its old name → what makes the new value of the old one, where that is more than a name.
Is handed the value after the renaming of what is in it; has to leave a new value as it is."""

METRICS: dict[str, str] = {}
"""Metric, or a part of its name between / and @ → its new name: {"usage_kl": "unigram_kl"}. Holds
for logs, results, and the metrics that configurations name."""

PHRASES: dict[str, str] = {}
"""Part of a message or of a name of a parameter → what stands there now; the longest is replaced
first: {"nats a symbol": "nats per token"}."""

TESTS: dict[str, str] = {}
"""Beginning of a test's name (file::test) → its new beginning."""

_METRIC_KEYS = ("select.metric", "sweep_select.metric", "metrics")


def _entry(table: dict[str, Any], path: tuple[str, ...]) -> Any:
    """What the table says of the longest end of the path; None where it says nothing."""
    ends = (".".join(path[first:]) for first in range(len(path)))
    return next((table[end] for end in ends if end in table), None)


def _ends_in(path: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    return any(f".{'.'.join(path)}".endswith(f".{key}") for key in keys)


def rename_config(node: Any, path: tuple[str, ...] = ()) -> Any:
    """A configuration, or the branch of one at `path`, in the new names."""
    if isinstance(node, dict):
        node = {
            _entry(KEYS, (*path, key)) or key: rename_config(value, (*path, key))
            for key, value in node.items()
        }
    elif isinstance(node, list):
        node = [rename_config(value, path) for value in node]
    elif isinstance(node, str) and _ends_in(path, _METRIC_KEYS):
        node = rename_metric(node)
    elif values := _entry(VALUES, path):
        node = values.get(node, node)
    shape = _entry(SHAPES, path)
    return node if shape is None else shape(node)


def rename_key(dotted: str) -> str:
    """A dotted key in the new names, part by part."""
    parts = dotted.split(".")
    named = tuple(part for part in parts if not part.isdigit())
    new = iter(_entry(KEYS, named[: count + 1]) or named[count] for count in range(len(named)))
    return ".".join(part if part.isdigit() else next(new) for part in parts)


def rename_metric(name: str) -> str:
    if name in METRICS:
        return METRICS[name]
    return "".join(METRICS.get(part, part) for part in re.split(r"([/@])", name))


def rename_metrics(node: Any) -> Any:
    """Metrics of logs and results, at any depth."""
    if isinstance(node, dict):
        return {rename_metric(key): rename_metrics(value) for key, value in node.items()}
    if isinstance(node, list):
        return [rename_metrics(value) for value in node]
    return rename_phrases(node) if isinstance(node, str) else node


def rename_phrases(text: str) -> str:
    for old in sorted(PHRASES, key=len, reverse=True):
        text = text.replace(old, PHRASES[old])
    return text


def rename_test(name: str) -> str:
    old = max((old for old in TESTS if name.startswith(old)), key=len, default="")
    return TESTS[old] + name[len(old) :] if old else name
