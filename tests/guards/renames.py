"""Names that were changed on purpose, old → new: for what is run, and for the older recording.

A key is named by the end of its dotted path, positions in lists left out: `credit.trace` is every
`trace` directly in a `credit`. The longest fitting end counts.
"""

import re
from collections.abc import Callable
from typing import Any

KEYS: dict[str, str] = {
    "credit.trace": "gae_lambda",
    "objective.value": "reward",
    "generator.company_prior": "co_occurrence_prior",
    "evaluation.judge": "feature_extractor",
    "judge_fraction": "extractor_fraction",
    "source.judge": "extractor",
    **{
        f"players.{player}.decay": "lr_decay"
        for player in ("generator", "critic", "baseline", "language_model")
    },
}
"""Key of a configuration → its new name, at the same place: {"credit.trace": "gae_lambda"}."""

VALUES: dict[str, dict[Any, Any]] = {"critic.name": {"company": "co_occurrence"}}
"""Key, by its old name → {old value: new value}: {"critic.name": {"company": "cooccurrence"}}."""


def _schedule(value: Any) -> Any:
    """A plain number, or all fields of one that changes."""
    if not isinstance(value, dict):
        return value
    if value.get("name") == "constant":
        return value.get("value", 0.7)
    shape = value.get("shape") or value.get("name", "linear")
    whole = {"start": value.get("start", 0.0), "end": value["end"], "steps": value["steps"]}
    if whole["start"] == whole["end"]:
        return whole["end"]
    return {**whole, "shape": shape, "after": value.get("after", 0)}


def _rate(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    first, last = value
    return {"start": 1.0, "end": 0.0, "steps": last - first, "shape": "linear", "after": first}


def _demonstrations(value: Any) -> Any:
    if not isinstance(value, dict) or "steps" not in value:
        return value
    share = {"start": value.get("share", 0.2), "end": 0.0, "steps": value["steps"]}
    return {**{k: v for k, v in value.items() if k != "steps"}, "share": _schedule(share)}


SHAPES: dict[str, Callable[[Any], Any]] = {
    "temperature": _schedule,
    "scheduled_sampling": _schedule,
    "cycle_weight": _schedule,
    "identity_weight": _schedule,
    "demonstrations": _demonstrations,
    **{
        f"players.{player}.decay": _rate
        for player in ("generator", "critic", "baseline", "language_model")
    },
}
"""Key, by its old name → what makes the new value of the old one, where that is more than a name.
Is handed the value after the renaming of what is in it; has to leave a new value as it is."""

METRICS: dict[str, str] = {
    "symbols": "tokens",
    "scored": "critic_calls",
    "common_symbols": "common_tokens",
    "judge": "extractor",
    "judge_a": "extractor_a",
    "judge_b": "extractor_b",
    "judge_accuracy": "extractor_accuracy",
    "company_lexicon": "co_occurrence_lexicon",
    "company_counted": "co_occurrence_counted",
    "ahead": "manager_alignment",
    "followed": "worker_reward",
    "way_back_gradient": "backward_gradient",
    **{f"usage_kl_{way}": f"unigram_kl_{way}" for way in ("a2b", "b2a")},
    **{f"kept_{way}": f"label_preservation_{way}" for way in ("a2b", "b2a")},
}
"""Metric, or a part of its name between / and @ → its new name: {"usage_kl": "unigram_kl"}. Holds
for logs, results, and the metrics that configurations name."""

PHRASES: dict[str, str] = {
    "symbol": "token",
    "score a sequence": "score per sequence",
    "company_prior": "co_occurrence_prior",
    "company_lexicon": "co_occurrence_lexicon",
    "usage_kl": "unigram_kl",
    "evaluation.judge": "evaluation.feature_extractor",
    "judge_fraction": "extractor_fraction",
    "objective.value": "objective.reward",
    "credit.trace": "credit.gae_lambda",
    "the judge": "the feature extractor",
}
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
        # `kept_b2a` of pictures is about labels, of headlines (which have lengths) about slots.
        own = {"kept_b2a": "slot_recall_b2a"} if "length_b2a" in node else {}
        return {own.get(key) or rename_metric(key): rename_metrics(node[key]) for key in node}
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
