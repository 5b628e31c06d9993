"""Shipped configurations as they are resolved, and which parts are accepted together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from . import trees
from .command import plain, seqgan
from .renames import rename_key

_PARTS = ("data", "game", "generator", "critic", "objective", "estimator", "penalties")
"""Branches of a configuration that are exchanged for each other."""

_CONTEXTS = (
    *("leave_one_out", "infill", "reward_oracle", "leakgan", "cooperative", "small_talk"),
    *("classes", "dcgan", "cipher", "company"),
)
"""Tiny runs whose parts are exchanged, one after the other, for those of all others."""


def record_shipped(folder: Path, configs: Path) -> dict[str, Any]:
    """Configuration, or arm of a study → its resolved tree; where it is refused, what is said."""
    found = {}
    for path in sorted(configs.rglob("*.yaml")):
        name, tree = path.relative_to(configs).as_posix(), trees.read(path)
        if "arms" not in tree:
            found[name] = _resolved(path, folder)
            continue
        found[name] = {key: value for key, value in tree.items() if key not in ("arms", "set")}
        for arm, whole in _arms(path, tree):
            found[f"{name} {arm}"] = _resolved(trees.write(folder / "arm.yaml", whole), folder)
    return found


def _arms(path: Path, study: Any) -> Iterator[tuple[str, Any]]:
    """Each arm's name and configuration: its base with the study's data, and what is set."""
    shared = trees.read(path.parent / study["base"])
    for arm in study["arms"]:
        tree = shared
        if "base" in arm:
            tree = trees.read(path.parent / arm["base"])
            for branch in ("data", "evaluation"):
                tree.pop(branch, None)
                tree |= {branch: shared[branch]} if branch in shared else {}
        yield arm["name"], trees.replaced(tree, study.get("set", {}) | arm.get("set", {}))


def _resolved(path: Path, folder: Path) -> Any:
    """What `seqgan config` prints, as data. Files that are missing get a name."""
    status, out, err = seqgan("config", str(path))
    missing: list[str] = []
    while status == 2 and (field := re.search(r"(data\.[\w.]*path): missing", err)):
        missing.append(f"{field[1]}=missing.file")
        status, out, err = seqgan("config", str(path), *missing)
    return yaml.safe_load(out) if status == 0 else plain(err, {path: "CONFIG", folder: "FOLDER"})


def record_combinations(folder: Path, contexts: tuple[str, ...] = _CONTEXTS) -> dict[str, Any]:
    """`run: part` → "accepted", or why a tiny run refuses another one's part."""
    runs = {name: tree for name, (tree, _) in trees.tiny_trees().items()}
    parts: dict[str, dict[str, str]] = {part: {} for part in _PARTS}
    for name, tree in runs.items():
        for part in map(rename_key, _PARTS):
            if tree.get(part):
                parts[part].setdefault(json.dumps(tree[part], sort_keys=True), name)
    found = {}
    for context in contexts:
        for part, values in parts.items():
            for value, name in {"null": "nobody", **values}.items():
                tree = trees.replaced(runs[context], {part: json.loads(value)})
                path = trees.write(folder / "combination.yaml", tree)
                status, _, err = seqgan("config", str(path))
                answer = "accepted" if status == 0 else plain(err, {path: "CONFIG"}).strip()
                found[f"{context}: {part} of {name}"] = answer
    return found
