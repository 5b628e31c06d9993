"""Devices and precision: one code path for CPU, CUDA and MPS."""

from contextlib import AbstractContextManager, nullcontext

import torch

from seqgan.core.errors import UserError


def resolve_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises `UserError` for a device not here."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if name.startswith("cuda"):
        count = torch.cuda.device_count()
        index = int(name.partition(":")[2] or 0)
        if index >= count:
            raise UserError(
                f"device={name!r}: this machine has {count} CUDA devices; use device=auto"
            )
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError("device='mps': not available on this machine; use device=auto")
    return torch.device(name)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """bf16 autocast where asked for. Softmax, log-probabilities and noise stay float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def describe(device: torch.device) -> str:
    """The hardware in words, for run records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
