"""Tiny runs through the command line, and everything that they leave behind but the clock."""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from . import trees
from .command import Places, plain, said, seqgan
from .inputs import write_inputs

_CLOCK = ("seconds", "seconds_per_update", "started")
_ELSEWHERE = ("config.yaml", "run.json", "SHA256SUMS", ".lock", "metrics.jsonl")
"""Files that are recorded in another way, or that name the machine."""


def record_runs(folder: Path, configs: Path) -> dict[str, Any]:
    """Train every tiny run below `folder`. Run → what it left."""
    write_inputs(folder / "files")
    cases = trees.tiny_trees()
    cases |= {name: (tree, []) for name, tree in trees.shrunk_trees(configs).items()}
    found = {}
    for name, (tree, commands) in cases.items():
        began = time.monotonic()
        found[name] = record_run(folder, name.replace("/", "-"), tree, commands)
        print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    return found


def record_run(folder: Path, name: str, tree: Any, commands: list[str]) -> dict[str, Any]:
    """Train one run, then run the commands on it; its folder is removed."""
    files, run = folder / "files", folder / name
    places = {files: "FILES", run: "RUN"}
    config = trees.write(folder / f"{name}.yaml", named(tree, {"FILES": str(files)}))
    status, _, err = seqgan("train", str(config), f"run.dir={run}")
    found: dict[str, Any] = {"status": status, "said": said(err, places)}
    if status == 0:
        found |= left_behind(run, places)
        found["commands"] = {line: _output(line, files, run, places) for line in commands}
    shutil.rmtree(run, ignore_errors=True)
    return found


def named(node: Any, names: dict[str, str]) -> Any:
    """A tree with folders instead of their names."""
    if isinstance(node, dict):
        return {key: named(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [named(value, names) for value in node]
    for name, path in names.items():
        if isinstance(node, str) and node.startswith(f"{name}/"):
            return path + node.removeprefix(name)
    return node


def _output(line: str, files: Path, run: Path, places: Places) -> dict[str, Any]:
    words = [word.replace("FILES", str(files)).replace("RUN", str(run)) for word in line.split(" ")]
    status, out, err = seqgan(*words)
    try:
        printed = without_clock(json.loads(out))
    except ValueError:
        printed = plain(out, places).splitlines()
    return {"status": status, "printed": printed, "said": said(err, places)}


# ── A run folder ──────────────────────────────────────────────────────────────────────────────


def left_behind(run: Path, places: Places) -> dict[str, Any]:
    """What a run folder holds: last checkpoint, log, results, and the hashes of other files."""
    checkpoint = max((run / "checkpoints").glob("step-????????"))
    tensors, values = state_of(checkpoint)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found: dict[str, Any] = {"tensors": tensors, "state": values}
    found["log"] = [without_clock(json.loads(line)) for line in lines]
    found["results"], found["files"] = {}, {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = path.relative_to(run).as_posix()
        if path.name in _ELSEWHERE or (name.startswith("checkpoints/") and path.parent != run):
            continue
        if path.suffix == ".json":
            text = plain(path.read_text(encoding="utf-8"), places)
            found["results"][name] = without_clock(json.loads(text))
        else:
            found["files"][name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return found


def without_clock(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_clock(value) for key, value in node.items() if key not in _CLOCK}
    return [without_clock(value) for value in node] if isinstance(node, list) else node


def state_of(checkpoint: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Dotted place in a checkpoint → hash of the tensor there; and → plain value."""
    stored = load_file(checkpoint / "tensors.safetensors")
    tree = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    leaves = {".".join(path): leaf for path, leaf in _leaves(tree, ()) if path[-1:] != ("seconds",)}
    tensors = {name: leaf["__tensor__"] for name, leaf in leaves.items() if isinstance(leaf, dict)}
    hashes = {name: _hash(stored[key]) for name, key in tensors.items()}
    return hashes, {name: leaf for name, leaf in leaves.items() if name not in tensors}


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict) and "__tensor__" not in node:
        pairs = node["__dict__"] if "__dict__" in node else enumerate(node["__tuple__"])
        for key, value in pairs:
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(node, list):
        for key, value in enumerate(node):
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, node


def _hash(tensor: torch.Tensor) -> str:
    data = tensor.contiguous().flatten().view(torch.uint8) if tensor.numel() else tensor
    head = f"{tensor.dtype} {tuple(tensor.shape)} ".encode()
    return hashlib.sha256(head + data.numpy().tobytes()).hexdigest()[:16]
