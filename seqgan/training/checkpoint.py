"""Checkpoints: any tree of tensors and plain values as two files, nothing pickled.

`tensors.safetensors` holds the tensors; `state.json` holds the tree with `{"__tensor__": key}` in
their places. Dictionaries are stored as lists of pairs, because optimizers use integer keys.
A checkpoint is written beside its final name and renamed, so a killed process leaves either all
of it or nothing.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from seqgan.core.errors import UserError

_TENSORS, _TREE = "tensors.safetensors", "state.json"


def save_tree(tree: Any, folder: Path) -> None:
    """Write a tree atomically; a former folder of that name is replaced."""
    tensors: dict[str, Tensor] = {}
    skeleton = _strip(tree, tensors)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(tensors, partial / _TENSORS)
    (partial / _TREE).write_text(json.dumps(skeleton))
    for name in (_TENSORS, _TREE):
        _sync(partial / name)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    _sync(folder.parent)


def load_tree(folder: Path) -> Any:
    """Read what `save_tree` wrote, onto the CPU."""
    for name in (_TREE, _TENSORS):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: not a checkpoint ({name} is missing); remove the folder")
    skeleton = json.loads((folder / _TREE).read_text())
    return _restore(skeleton, load_file(folder / _TENSORS))


def _strip(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, Tensor):
        key = f"t{len(tensors):05d}"
        tensors[key] = node.detach().cpu().contiguous().clone()
        return {"__tensor__": key}
    if isinstance(node, dict):
        return {"__dict__": [[key, _strip(value, tensors)] for key, value in node.items()]}
    if isinstance(node, tuple):
        return {"__tuple__": [_strip(value, tensors) for value in node]}
    if isinstance(node, list):
        return [_strip(value, tensors) for value in node]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise TypeError(f"a checkpoint cannot hold {type(node).__name__}")


def _restore(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, list):
        return [_restore(value, tensors) for value in node]
    if not isinstance(node, dict):
        return node
    if "__tensor__" in node:
        return tensors[node["__tensor__"]]
    if "__tuple__" in node:
        return tuple(_restore(value, tensors) for value in node["__tuple__"])
    return {key: _restore(value, tensors) for key, value in node["__dict__"]}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Checkpoints:
    """The checkpoints of one run: the last `keep`, and the selected one."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep

    def save(self, step: int, tree: Any) -> None:
        """Write `step` if it is not there yet, then drop the oldest beyond `keep` (the selected one
        stays)."""
        if step in self.steps():
            return
        save_tree(tree, self.path(step))
        selected = self.selected()
        for old in self.steps()[: -self._keep]:
            if selected is None or old != selected["step"]:
                shutil.rmtree(self.path(old))

    def load(self, step: int) -> Any:
        """The tree saved at `step`, on the CPU."""
        return load_tree(self.path(step))

    def path(self, step: int) -> Path:
        return self._folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """Steps that are saved completely, in order."""
        folders = self._folder.glob("step-????????")
        return sorted(int(folder.name.removeprefix("step-")) for folder in folders)

    def select(self, best: dict[str, Any] | None) -> None:
        """Declare a saved step the best so far, or with None that there is none."""
        path = self._folder / "best.json"
        if best is None:
            path.unlink(missing_ok=True)
            return
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(best))
        partial.replace(path)

    def selected(self) -> dict[str, Any] | None:
        """`{"step", "metric", "value"}` of the best so far; None where no rule is set."""
        path = self._folder / "best.json"
        return json.loads(path.read_text()) if path.exists() else None
