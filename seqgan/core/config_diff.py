"""What sets configurations apart, by dotted keys."""

import json
from typing import Any

from seqgan.core.plain import JsonObject

ABSENT = "–"
"""Stands where a configuration lacks a key."""


def flatten(tree: JsonObject | list[Any], prefix: str = "") -> JsonObject:
    """Dotted key → leaf. Lists of mappings get an index; other lists are leaves."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    flat: JsonObject = {}
    for key, value in items:
        dotted = f"{prefix}{key}"
        is_list_of_mappings = isinstance(value, list) and any(isinstance(v, dict) for v in value)
        if is_list_of_mappings or (isinstance(value, dict) and value):
            flat |= flatten(value, f"{dotted}.")
        else:
            flat[dotted] = value
    return flat


def config_diff(configs: list[JsonObject]) -> dict[str, list[str]]:
    """Keys on which flat configurations differ → their values, one per configuration, as text."""
    keys = list(dict.fromkeys(key for config in configs for key in config))
    values = {key: [value_as_text(config, key) for config in configs] for key in keys}
    return {key: texts for key, texts in values.items() if len(set(texts)) > 1}


def value_as_text(config: JsonObject, key: str) -> str:
    if key not in config:
        return ABSENT
    value = config[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
