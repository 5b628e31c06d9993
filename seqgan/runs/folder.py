"""A run's folder: vacant, in the making, or a run. See docs/run-folder.md."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.lock import LOCK
from seqgan.core.plain import JsonObject
from seqgan.core.renamed import upgrade_report
from seqgan.core.saved_files import (
    CHECKSUMS,
    find_changed,
    read_json,
    read_json_object,
    write_checksums,
)
from seqgan.core.types import ArraySpace, SequenceSpace, Space, SpacePair

_MAKING = "run.partial"
"""Marks a folder as in the making, from its first file to its last, config.yaml."""
_UNCHECKED = (LOCK, _MAKING, "run.json")
PROMPTS_FILE = "prompts.json"
"""Ids of validation prompts, for samples of a run that answers prompts."""
_RECORDS = {"run.json", "space.json", "data.json", PROMPTS_FILE, CHECKSUMS}
_TOKENIZERS = {"a", "b", "tokenizer", "tokenizer.json", "tokenizer.model", "vocabulary.txt"}
_HEAD = {*_RECORDS, *_TOKENIZERS, "checkpoints", "samples"}
"""What there can be of a run before its config.yaml."""

FROM_A_COPY = "restore it from a copy of the run, or start a new run"


def check_vacant(folder: Path) -> None:
    """Raise `UserError` unless a new run can be made in this folder.

    It can where there is nothing, or where an earlier attempt ended before there was a run.
    """
    if any(part.is_file() for part in (folder, *folder.parents)):
        raise UserError(f"run.dir={str(folder)!r}: there is a file in its way; choose another")
    if (folder / "config.yaml").exists():
        raise UserError(
            f"run.dir={str(folder)!r}: already holds a run; resume it with "
            f"'train --resume {folder}', or choose another folder"
        )
    if folder.exists() and not _is_remains(folder, _content(folder)):
        raise UserError(
            f"run.dir={str(folder)!r}: already holds something that is no run; move it away, or "
            "choose another folder"
        )


def _is_remains(folder: Path, content: list[Path]) -> bool:
    """Whether all of it was left by an earlier attempt: nothing of a person's is ever removed."""
    if not content:
        return True
    ours = all(path.name in _HEAD or path.suffix == ".partial" for path in content)
    return ours and (folder / _MAKING).exists()


def _content(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in (LOCK, _MAKING)]


@contextmanager
def making(folder: Path) -> Iterator[None]:
    """Make a run of a vacant folder; remains of an earlier attempt are removed."""
    remains = _content(folder)
    (folder / _MAKING).touch()
    for path in remains:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    yield
    (folder / _MAKING).unlink()


def write_head_checksums(folder: Path) -> None:
    """Record what every later command reads: the space, the tokenizers, the data's report."""
    files = (path for path in folder.rglob("*") if path.is_file())
    write_checksums(folder, sorted(path for path in files if path.name not in _UNCHECKED))


def check_head(folder: Path) -> None:
    """Raise `UserError` if these files are not what was written."""
    changed = find_changed(folder)
    if changed is None and not (folder / CHECKSUMS).exists() and _had_checksums(folder):
        changed = f"{CHECKSUMS} is missing"
    if changed is not None:
        raise UserError(f"{folder}: damaged ({changed}); {FROM_A_COPY}")


def _had_checksums(folder: Path) -> bool:
    """Whoever recorded how a run was started recorded checksums too; former versions neither."""
    path = folder / "run.json"
    return path.is_file() and "config" in read_json_object(path, FROM_A_COPY)


# ── What is in it ─────────────────────────────────────────────────────────────────────────────


def read_prompts(folder: Path) -> Tensor:
    """`cond` [N, P]: the prompts that a run has kept."""
    path = folder / PROMPTS_FILE
    try:
        return torch.tensor(read_json(path, FROM_A_COPY), dtype=torch.long)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"{path}: damaged (not rows of ids); {FROM_A_COPY}") from None


def read_space(folder: Path) -> Space | SpacePair:
    """What the samples of a run look like."""
    path = folder / "space.json"
    tree = read_json_object(path, FROM_A_COPY)
    try:
        if "a" in tree:
            return SpacePair(_space(tree["a"]), _space(tree["b"]))
        return _space(tree)
    except (TypeError, KeyError):
        raise UserError(f"{path}: damaged (describes no samples); {FROM_A_COPY}") from None


def _space(tree: JsonObject) -> Space:
    if "shape" in tree:
        conditions = (tuple(tree.get(name, ())) for name in ("source", "caption"))
        return ArraySpace(tuple(tree["shape"]), tuple(tree["label_sizes"]), *conditions)
    return SequenceSpace(**tree)


def check_same_data(folder: Path, report: JsonObject) -> None:
    """Raise `UserError` if the data of this report are not those that the run was started with."""
    path = folder / "data.json"
    if not path.exists():
        return
    if _counted(upgrade_report(read_json(path, FROM_A_COPY))) != _counted(report):
        raise UserError(
            f"{path}: the data files have changed since the run started; put the former ones back, "
            "or start a new run"
        )


def _counted(report: JsonObject) -> JsonObject:
    """What was counted, without what is said about it: later versions may say more."""
    return {
        name: _counted(value) if isinstance(value, dict) else value
        for name, value in report.items()
        if name not in ("warnings", "bits")
    }
