"""Networks that measure: named by a hash of their parameters, and kept once they are trained.

They are kept in `$SEQGAN_CACHE`, else in ~/.cache/seqgan, each under the hash of everything that it
came from; damaged ones are trained again.
"""

import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from seqgan.core.rng import isolated
from seqgan.training.checkpoint import load_tree, save_tree

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def parameters_hash(network: nn.Module) -> str:
    """SHA-256 of all parameters and running statistics, as float32, in the order they have."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        if value.is_floating_point():  # the count of batches decides nothing
            digest.update(value.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def default_folder() -> Path:
    base = os.environ.get("SEQGAN_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "seqgan") / "feature_extractors"


def key_of(
    spec: "DataclassInstance", code: Sequence[Callable[..., object]], *data: Tensor | None
) -> str:
    """Of everything that decides a network: its spec, its data, torch, and the files of `code`."""
    digest = hashlib.sha256(json.dumps([asdict(spec), torch.__version__]).encode())
    for part in code:
        digest.update(Path(inspect.getfile(part)).read_bytes())
    for tensor in data:
        if tensor is not None:
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def kept_network(
    key: str,
    build: Callable[[], NetworkT],
    train: Callable[[], NetworkT],
    folder: Path | None = None,
) -> NetworkT:
    """The network kept under `key` in `folder` (None: `default_folder()`), or a new one.

    `build` makes one to load parameters into, `train` a trained one. A folder that cannot be
    written costs time and nothing else.
    """
    entry = (folder or default_folder()) / key
    network = _stored(entry, build)
    if network is not None:
        return network
    shutil.rmtree(entry, ignore_errors=True)  # a damaged one
    network = train()
    _store(entry, network)
    # Another process may have been first: both go on with what is stored.
    return _stored(entry, build) or network


def _store(entry: Path, network: nn.Module) -> None:
    """Complete or not at all; what another process has stored meanwhile stays, and a disk that
    cannot be written is no reason to stop."""
    tree = {"parameters": dict(network.state_dict()), "sha256": parameters_hash(network)}
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=entry.parent) as own:
            save_tree(tree, Path(own) / "extractor")
            (Path(own) / "extractor").rename(entry)
    except (OSError, SafetensorError):
        return


def _stored(entry: Path, build: Callable[[], NetworkT]) -> NetworkT | None:
    """The network of an entry; None where it is missing or damaged."""
    if not entry.is_dir():
        return None
    with isolated(0):  # a new network draws its parameters, and training must not notice
        network = build()
    try:
        tree = load_tree(entry)
        network.load_state_dict(tree["parameters"])
        intact = parameters_hash(network) == tree["sha256"]
    except Exception:  # whatever is wrong with it, it can be made again
        return None
    return network if intact else None


# ── Training them repeatably ──────────────────────────────────────────────────────────────────


def rate_factor(update: int, updates: int) -> float:
    """min((k + 1) / w, (U − k) / (U − w + 1)) at update k of U, with w = U/10: the learning rate
    rises linearly for a tenth of the updates and falls to 0 behind them."""
    rising = max(1, updates // 10)
    return min((update + 1) / rising, (updates - update) / (updates - rising + 1))


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside the block: with another number sums round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
