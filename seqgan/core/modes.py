"""Modes of networks: evaluating, frozen, and safe for double backward."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Dropout off and buffers fixed inside the block; the former mode comes back after it."""
    if not module.training:  # nested: walking the modules again would only cost time
        yield
        return
    module.eval()
    try:
        yield
    finally:
        module.train()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """`evaluating`, and no gradient into the parameters. Gradients pass through to the inputs."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    with evaluating(module):
        for parameter in trainable:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in trainable:
                parameter.requires_grad_(True)


@contextmanager
def double_backward() -> Iterator[None]:
    """Kernels that can be differentiated twice: no fused attention, no cuDNN RNN."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
        yield
