"""Files of a run, written so that a killed process or a full disk leaves the former content.

A file is written beside its final name, brought to the disk, and renamed. `*.partial` is what a
killed process leaves; the next one that writes into the folder removes it.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject

CHECKSUMS = "SHA256SUMS"
"""Checksums of the files of a folder, in the format that `sha256sum --check` reads."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is complete; after an error it is gone.

    Where `path` is a link, its target is replaced; a device or a pipe is written to directly.
    """
    if path.exists() and not path.is_file():
        with naming(path), path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")  # two evaluations at once
    with naming(path):
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except BaseException:
            with suppress(OSError):  # it is the first error that tells why
                partial.unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of writing say which file a person meant: those of a full disk name none, others the
    half-written one."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def check_output(path: Path) -> None:
    """Refuse a place for --output that would be found useless after the work."""
    if path.is_dir():
        raise UserError(f"--output={str(path)!r}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"--output={str(path)!r}: no folder {path.parent}; create it first")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with "\\n" as line ends; see the module's docstring."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, tree: object) -> None:
    """Write strict JSON; see `to_json`."""
    write_text(path, json.dumps(to_json(tree), indent=1, ensure_ascii=False))


def to_json(node: object) -> Any:
    """Plain JSON: infinities become the strings "inf" and "-inf", NaN becomes null."""
    if isinstance(node, dict):
        return {key: to_json(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_json(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None if math.isnan(node) else ("inf" if node > 0 else "-inf")
    return node


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON. Raises `UserError`, which ends in `remedy`, if the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; {remedy}") from None
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise UserError(f"{path}: damaged (not JSON); {remedy}") from None


def read_json_object(path: Path, remedy: str) -> JsonObject:
    """Like `read_json`, for a file that holds an object."""
    tree = read_json(path, remedy)
    if not isinstance(tree, dict):
        raise UserError(f"{path}: damaged (no JSON object); {remedy}")
    return tree


def read_json_lines(path: Path) -> tuple[list[JsonObject], int]:
    """The objects of a file with one per line, and how many lines are none (half-written ones)."""
    objects, damaged = [], 0
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        if not text:
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            objects.append(line)
        else:
            damaged += 1
    return objects, damaged


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial(folder: Path) -> None:
    """Remove what a killed process left half-written in `folder` and below."""
    for path in sorted(folder.rglob("*.partial")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


# ── Checksums ─────────────────────────────────────────────────────────────────────────────────


def write_checksums(folder: Path, paths: Iterable[Path]) -> None:
    """Record the content of these files, which lie in `folder` or below."""
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    write_text(folder / CHECKSUMS, "".join(lines))


def find_changed(folder: Path) -> str | None:
    """Why the files of `folder` are not those that were written; None where they are.

    Folders of former versions have no checksums and pass.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines:
        return f"{CHECKSUMS} is empty"
    for line in lines:
        digest, _, name = line.partition("  ")
        if not name or not (folder / name).is_file():
            return f"{name or CHECKSUMS} is {'missing' if name else 'damaged'}"
        if _sha256(folder / name) != digest:
            return f"{name} is not what was written, by its checksum"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
