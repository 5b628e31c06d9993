"""Checkpoints: any tree of tensors and plain values as two files, nothing pickled.

`tensors.safetensors` holds the tensors; `state.json` the tree with `{"__tensor__": key}` in their
places, and dictionaries as lists of pairs, because optimizers use integer keys. `SHA256SUMS` holds
the checksums of both, which are checked at every reading (checkpoints of former versions have none,
and their tree does not name them). A checkpoint is written beside its final name and renamed, so a
killed process leaves either all of it or nothing.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seqgan.core.errors import UserError, warn
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.saved_files import (
    CHECKSUMS,
    find_changed,
    read_json_object,
    sync,
    write_checksums,
    write_json,
)

_TENSORS, _TREE = "tensors.safetensors", "state.json"
_CHECKED = "checksums"
"""Stands in the tree beside its content where there are checksums."""
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError)
"""Errors of reading a state of the wrong form."""


class DamagedCheckpoint(UserError):
    """A checkpoint that is not what was written."""


def save_tree(tree: object, folder: Path) -> None:
    """Write a tree atomically; a former folder of that name is replaced.

    Raises `OSError` or `SafetensorError` where there is no room for it; what was there stays.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _strip(tree, tensors)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(skeleton, tensors, partial)
    except (OSError, SafetensorError):
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    sync(folder.parent)


def _write(skeleton: object, tensors: dict[str, Tensor], folder: Path) -> None:
    save_file(tensors, folder / _TENSORS)
    stamped = {**skeleton, _CHECKED: CHECKSUMS} if isinstance(skeleton, dict) else skeleton
    (folder / _TREE).write_text(json.dumps(stamped), encoding="utf-8")
    for name in (_TENSORS, _TREE):
        sync(folder / name)
    write_checksums(folder, [folder / _TENSORS, folder / _TREE])


def _reason(error: OSError | SafetensorError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def load_tree(folder: Path) -> Any:
    """Read what `save_tree` wrote, onto the CPU. Raises `DamagedCheckpoint`."""
    for name in (_TREE, _TENSORS):
        if not (folder / name).is_file():
            raise DamagedCheckpoint(f"{folder}: damaged ({name} is missing)")
    changed = find_changed(folder)
    if changed is not None:
        raise DamagedCheckpoint(f"{folder}: damaged ({changed})")
    try:
        skeleton = json.loads((folder / _TREE).read_text(encoding="utf-8"))
        # Memory of its own for each tensor: in the file's they stand at any place, and a processor
        # may round products of such numbers otherwise.
        loaded = {key: tensor.clone() for key, tensor in load_file(folder / _TENSORS).items()}
        tree = _restore(skeleton, loaded)
    except (ValueError, TypeError, LookupError, RecursionError, SafetensorError) as error:
        raise DamagedCheckpoint(f"{folder}: damaged (not readable)") from error
    if isinstance(skeleton, dict) and _CHECKED in skeleton and not (folder / CHECKSUMS).exists():
        raise DamagedCheckpoint(f"{folder}: damaged ({CHECKSUMS} is missing)")
    return tree


def _strip(node: object, tensors: dict[str, Tensor]) -> object:
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


def _is_state(tree: object, step: int) -> bool:
    """Whether a tree is a training state of this step: former versions wrote no checksums."""
    if not isinstance(tree, dict) or tree.get("step") != step:
        return False
    players = tree.get("players")
    return (
        isinstance(players, dict)
        and "generator" in players
        and all(map(_is_player, players.values()))
        and _is_selection(tree.get("best"))
        and _is_selection(tree.get("at_stop"))
    )


def _is_selection(tree: object) -> bool:
    if not isinstance(tree, dict):
        return tree is None
    return (
        isinstance(tree.get("step"), int)
        and isinstance(tree.get("metric"), str)
        and tree.get("mode", "min") in ("min", "max")  # the first versions had no other
        and isinstance(tree.get("value"), int | float)
    )


def _is_player(tree: object) -> bool:
    if not isinstance(tree, dict) or not isinstance(tree.get("updates"), int):
        return False
    weights = [tree.get("module"), tree.get("averaged", {})]
    return all(
        isinstance(part, dict) and all(isinstance(value, Tensor) for value in part.values())
        for part in weights
    )


class Checkpoints:
    """The checkpoints of one run: the last `keep`, and the selected one."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._selected: int | None = None

    def save(self, step: int, tree: StateDict) -> None:
        """Write `step` if it is not there yet, then drop the oldest beyond `keep` (the selected one
        stays). Raises `UserError` where there is no room for it."""
        if step in self.steps():
            return
        path = self.path(step)
        try:
            save_tree(tree, path)
        except (OSError, SafetensorError) as error:
            raise UserError(
                f"{path}: cannot be written ({_reason(error)}); what was saved before is intact, "
                "make room and go on with train --resume"
            ) from error
        for old in self.steps()[: -self._keep]:
            if old != self._selected:
                shutil.rmtree(self.path(old))

    def load(self, step: int) -> StateDict:
        """The tree saved at `step`, on the CPU. Raises `DamagedCheckpoint`."""
        tree: StateDict = load_tree(self.path(step))
        if not _is_state(tree, step):
            raise DamagedCheckpoint(f"{self.path(step)}: damaged (not the state of this step)")
        return tree

    def load_last(
        self, use: Callable[[StateDict], None] | None = None
    ) -> tuple[int, StateDict] | None:
        """The newest intact checkpoint and its step; None where nothing was saved. `use` is called
        with what it holds.

        Damaged ones are passed over with a warning, as are those of former versions that `use`
        fails on: they have no checksums to show that they are what was written. Raises `UserError`
        if none is intact.
        """
        damaged: list[DamagedCheckpoint] = []
        for step in reversed(self.steps()):
            try:
                tree = self.load(step)
                if use is not None:
                    self._use(tree, step, use)
            except DamagedCheckpoint as error:
                damaged.append(error)
                continue
            for passed in damaged:
                warn(f"{passed}; the checkpoint of step {step} stands in for it")
            return step, tree
        if damaged:
            raise UserError(f"{damaged[0]}; no other checkpoint is intact, start a new run")
        return None

    def _use(self, tree: StateDict, step: int, use: Callable[[StateDict], None]) -> None:
        """Raises `DamagedCheckpoint` where `use` fails and no checksums prove the state intact."""
        try:
            use(tree)
        except torch.OutOfMemoryError:
            raise
        except _MALFORMED as error:
            if (self.path(step) / CHECKSUMS).exists():
                raise
            reason = "not a state that training can go on from"
            raise DamagedCheckpoint(f"{self.path(step)}: damaged ({reason})") from error

    def load_reported(self) -> tuple[StateDict, str | None]:
        """The tree that the rule has selected and its metric, else the last tree and None. Where it
        is damaged, the newest intact one takes its place, with a warning."""
        try:
            best = self.selected()
        except UserError as error:  # every checkpoint names the best one so far
            newest = self.load_newest()
            best = newest.get("at_stop") or newest["best"]
            warn(f"{error}; taken from the last checkpoint")
        if best is None:
            return self.load_newest(), None
        try:
            return self.load(best["step"]), best.get("metric")
        except DamagedCheckpoint as error:
            tree = self.load_newest()
            warn(f"{error}; the checkpoint of step {tree['step']} stands in for it")
            return tree, None

    def load_newest(self) -> StateDict:
        """The newest intact tree. Raises `UserError` where there is none."""
        found = self.load_last()
        if found is None:
            raise UserError(f"{self._folder.parent}: no checkpoint yet; train it first")
        return found[1]

    def is_intact(self, step: int) -> bool:
        try:
            self.load(step)
        except DamagedCheckpoint:
            return False
        return True

    def set_aside(self, step: int) -> None:
        """Rename a damaged checkpoint, so that its step can be saved again."""
        path = self.path(step)
        aside = path.with_name(f"{path.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)

    def path(self, step: int) -> Path:
        return self._folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """Steps that are saved completely, in order."""
        names = [folder.name for folder in self._folder.glob("step-????????")]
        return sorted(int(digits) for name in names if (digits := name[5:]).isdecimal())

    def select(self, best: JsonObject | None) -> None:
        """Declare a saved step the best so far, or with None that there is none."""
        path = self._folder / "best.json"
        self._selected = None if best is None else best["step"]
        if best is None:
            path.unlink(missing_ok=True)
        else:
            write_json(path, best)

    def selected(self) -> JsonObject | None:
        """`{"step", "metric", "mode", "value"}` of the best so far; None where no rule is set."""
        path = self._folder / "best.json"
        if not path.exists():
            return None
        best = read_json_object(path, "train --resume writes it again")
        if not isinstance(best.get("step"), int):
            raise UserError(f"{path}: damaged (names no step); train --resume writes it again")
        return best
