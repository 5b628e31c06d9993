"""Pictures as bytes and as what networks see: float in [-1, 1], channels first."""

import torch
from torch import Tensor


def to_unit(bytes_NCHW: Tensor) -> Tensor:
    """Float pictures in [-1, 1] of `uint8` ones."""
    return bytes_NCHW.float() / 127.5 - 1


def to_bytes(x_NCHW: Tensor) -> Tensor:
    """`uint8` pictures, on the CPU, of float ones; values outside [-1, 1] are cut off."""
    return ((x_NCHW.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
