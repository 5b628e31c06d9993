"""An optimizer's saved state, and whether it is one that this optimizer can go on from."""

import torch
from torch import Tensor

from seqgan.core.plain import StateDict

_OF_THE_DEVICE = ("foreach", "fused")
"""Settings that choose a kernel; a run may go on on another device."""


def load_optimizer(optimizer: torch.optim.Optimizer, state: StateDict) -> None:
    """Go on from a saved state. Raises `ValueError` where the first step would fail on it, beside
    what torch itself raises."""
    optimizer.load_state_dict(state)
    for group in optimizer.param_groups:
        _check_settings(optimizer.defaults, group)
    _check_moments(optimizer)


def _check_settings(wanted: StateDict, found: StateDict) -> None:
    for name, value in wanted.items():
        if name in _OF_THE_DEVICE:
            fits = isinstance(found.get(name), bool | None)
        else:
            fits = name in found and _alike(value, found[name])
        if not fits:
            raise ValueError(f"the optimizer's setting {name} is none")


def _alike(wanted: object, found: object) -> bool:
    """Numbers may differ: step sizes fall. Switches may not."""
    if isinstance(wanted, tuple):
        return isinstance(found, tuple) and list(map(type, found)) == list(map(type, wanted))
    if isinstance(wanted, bool | None):
        return found is wanted
    return isinstance(found, int | float) and not isinstance(found, bool)


def _check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Each parameter's are tensors of its shape, or numbers; all have them by the same names."""
    names = {name for moments in optimizer.state.values() for name in moments}
    for parameter, moments in optimizer.state.items():
        for name in names:
            moment = moments.get(name)
            if not isinstance(moment, Tensor) or moment.shape not in (parameter.shape, ()):
                raise ValueError(f"the optimizer's state {name} is none of its parameter")
