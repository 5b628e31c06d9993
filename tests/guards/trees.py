"""Configurations as plain trees: read, put together, written."""

import copy
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from .renames import rename_config, rename_key

HERE = Path(__file__).parent


def read(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path))


def write(path: Path, tree: Any) -> Path:
    path.write_text(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def replaced(tree: Any, nodes: dict[str, Any]) -> Any:
    """The tree with other nodes at these dotted keys; branches that are missing are made."""
    tree = copy.deepcopy(tree)
    for key, value in nodes.items():
        node, parts = tree, [int(part) if part.isdigit() else part for part in key.split(".")]
        for part in parts[:-1]:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        node[parts[-1]] = copy.deepcopy(value)
    return tree


def tiny_trees() -> dict[str, tuple[Any, list[str]]]:
    """Tiny run → its configuration in the new names, and the commands on what it leaves."""
    bases = read(HERE / "bases.yaml")
    trees = {}
    for name, changes in read(HERE / "runs.yaml").items():
        base, commands = bases[changes.pop("from")], changes.pop("then", [])
        trees[name] = (rename_config(replaced(base, changes)), commands)
    return trees


def shrunk_trees(configs: Path) -> dict[str, Any]:
    """Shipped configuration → the same for a few steps on little data; networks are as shipped."""
    trees: dict[str, Any] = {}
    for group in read(HERE / "shipped.yaml"):
        for pattern in group["files"]:
            for path in sorted(configs.glob(pattern)):
                tree = read(path)
                for stage in tree["schedule"]:
                    stage["repeat"] = 1
                    stage["phases"] = {name: min(2, n) for name, n in stage["phases"].items()}
                nodes = {rename_key(key): value for key, value in group["set"].items()}
                name = path.relative_to(configs).with_suffix("").as_posix()
                trees[name] = replaced(tree, {"device": "cpu", **nodes})
    return trees
