"""Random numbers: one global torch generator a device for training, all of it in checkpoints.

Models, dropout and sampling draw from torch's global generators. Whatever must not disturb
training (evaluation, oracles, samples for people) runs inside `isolated(seed)`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqgan.core.plain import StateDict


def seed_everything(seed: int) -> None:
    """Seed torch on every device that there is.

    `torch.manual_seed` also keeps a seed, with a printed stack, for every kind of device that there
    is not: a quarter of a millisecond each time, and evaluations seed often.
    """
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _has_accelerator() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def rng_state() -> StateDict:
    """The state of torch's generators, as byte tensors."""
    state: StateDict = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: StateDict) -> None:
    """Put back what `rng_state` returned; devices that are absent now are passed over."""
    torch.set_rng_state(state["cpu"].cpu())
    present = state.get("cuda", [])[: torch.cuda.device_count()]
    for index, device_state in enumerate(present):
        torch.cuda.set_rng_state(device_state.cpu(), index)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"].cpu())


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block and leave the outer stream as it was."""
    saved = rng_state()
    seed_everything(seed)
    try:
        yield
    finally:
        set_rng_state(saved)
