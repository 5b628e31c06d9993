"""Names of earlier versions and what they are called today: the one table.

A configuration that uses an old name is refused with the new one. Run folders of earlier versions
are read as if they had been written today: `config.yaml`, metrics, budgets and data reports.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqgan.core.plain import JsonObject


@dataclass(frozen=True, slots=True)
class _Key:
    """A key that moved, or whose value is written differently now."""

    path: str
    """Regular expression of the dotted path, without positions in lists."""
    now: str | None
    """What to write now, for messages; None: the key stays, and only its value is upgraded."""
    change: Callable[[JsonObject, str], None]
    """Changes the mapping that has the old key, given as the second argument."""


def _called(name: str) -> Callable[[JsonObject, str], None]:
    def change(node: JsonObject, old: str) -> None:
        node[name] = node.pop(old)

    return change


def _falling_rate(node: JsonObject, old: str) -> None:
    decay = node.pop(old)
    if decay is not None:
        first, last = map(int, decay)
        node["lr_decay"] = {"start": 1, "end": 0, "after": first, "steps": last - first}


def _temperature(node: JsonObject, old: str) -> None:
    value = node[old]
    if isinstance(value, dict) and value.get("shape") == "constant":
        node[old] = value.get("value", 0.7)


def _demonstrations(node: JsonObject, old: str) -> None:
    node["share"] = {"start": node.get("share", 0.2), "end": 0, "steps": node.pop(old)}


def _from_zero(node: JsonObject, old: str) -> None:
    value = node[old]
    if isinstance(value, dict):
        value.setdefault("start", 0)


_TEMPERATURE = (
    "temperature: 0.7, or temperature: {start: 1.0, end: 0.3, steps: 300, shape: exponential}"
)

_KEYS = (
    _Key(r".*\bcredit\.trace", "gae_lambda", _called("gae_lambda")),
    _Key(r"objective\.value", "reward", _called("reward")),
    _Key(r"generator\.company_prior", "co_occurrence_prior", _called("co_occurrence_prior")),
    _Key(r"evaluation\.judge", "feature_extractor", _called("feature_extractor")),
    _Key(r"data\.(.*\.)?judge_fraction", "extractor_fraction", _called("extractor_fraction")),
    _Key(r"data\.(.*\.)?source\.judge", "extractor", _called("extractor")),
    _Key(
        r"players\.\w+\.decay",
        "lr_decay: {start: 1, end: 0, after: 100, steps: 400} for decay: [100, 500]",
        _falling_rate,
    ),
    _Key(r".*\btemperature\.name", _TEMPERATURE, _called("shape")),
    _Key(r".*\btemperature\.value", _TEMPERATURE, _called("value")),
    _Key(r".*\bestimator\.temperature", None, _temperature),
    _Key(
        r"game\.demonstrations\.steps",
        "share: {start: 0.2, end: 0, steps: 100} for share: 0.2 and steps: 100",
        _demonstrations,
    ),
    _Key(r"game\.scheduled_sampling", None, _from_zero),
)

_NAMES = {("critic", "company"): "co_occurrence"}
"""Values of `name` by the key of the part."""

_METRICS = (
    (r"usage_kl_(\w+)", r"unigram_kl_\1"),
    (r"kept_(a2b|b2a)(@.*)?", r"label_preservation_\1\2"),
    (r"symbols(_\w+)?", r"tokens\1"),
    (r"scored(_\w+)?", r"critic_calls\1"),
)
_STATISTICS = {
    "ahead": "manager_alignment",
    "followed": "worker_reward",
    "way_back_gradient": "backward_gradient",
}
_REPORT = {"judge": "extractor", "common_symbols": "common_tokens"}
_BUDGET = {"symbols": "tokens", "scored": "critic_calls"}


def new_key(path: str) -> str | None:
    """What to write in place of a dotted key of an earlier version; None where it was none.

    >>> new_key("estimator.credit.trace")
    'gae_lambda'
    """
    plain = re.sub(r"\[\d+\]|\.\d+(?=\.|$)", "", path)
    return next((key.now for key in _KEYS if key.now and re.fullmatch(key.path, plain)), None)


def new_name(part: str, name: str) -> str | None:
    """The present `name` of a part, e.g. `co_occurrence` for critic `company`."""
    return _NAMES.get((part.rpartition(".")[2], name))


def new_metric(name: str, data: str | None = None) -> str:
    """The present name of a metric; `data` is the run's data.name.

    `copied` was two things: on text the share of sentences that stand in the training text. So was
    `kept_…`: of pictures the share that keep their label, of events the share of slots.
    """
    if name == "copied" and data in ("text", "huggingface"):
        return "in_train"
    if name.startswith("kept_") and data != "unpaired":
        return "slot_recall_b2a" if (name, data) == ("kept_b2a", "events") else name
    for old, new in _METRICS:
        if re.fullmatch(old, name):
            return re.sub(old, new, name)
    return name


def upgrade_config(tree: JsonObject) -> JsonObject:
    """A run folder's configuration under today's names; a new tree."""
    upgraded: JsonObject = _upgrade_node(tree, "")
    data = upgraded.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    evaluation = upgraded.get("evaluation")
    for rule in ("select", "sweep_select"):
        selection = evaluation.get(rule) if isinstance(evaluation, dict) else None
        if isinstance(selection, dict) and isinstance(selection.get("metric"), str):
            selection["metric"] = new_metric(selection["metric"], name)
    return upgraded


def new_statistic(name: str) -> str:
    """The present name of a logged statistic.

    >>> new_statistic("generator/b/way_back_gradient")
    'generator/b/backward_gradient'
    """
    return "/".join(_STATISTICS.get(part, part) for part in name.split("/"))


def upgrade_report(report: Any) -> Any:
    """A data report under today's names."""
    if not isinstance(report, dict):
        return report
    return {_REPORT.get(key, key): upgrade_report(value) for key, value in report.items()}


def upgrade_budget(budget: JsonObject) -> JsonObject:
    """What a run has spent, under today's names."""
    return {_BUDGET.get(key, key): value for key, value in budget.items()}


def _upgrade_node(node: Any, path: str) -> Any:
    if isinstance(node, list):
        return [_upgrade_node(item, path) for item in node]
    if not isinstance(node, dict):
        return node
    below = {
        key: _upgrade_node(value, f"{path}.{key}" if path else str(key))
        for key, value in node.items()
    }
    for old in list(below):
        for key in _KEYS:
            if re.fullmatch(key.path, f"{path}.{old}" if path else str(old)):
                key.change(below, old)
    name = below.get("name")
    if isinstance(name, str):
        below["name"] = new_name(path, name) or name
    return below
