"""All sequences of a space that is small enough to list them."""

import torch
from torch import Tensor

MAX_ENUMERATED = 70_000
"""Sequences that are still listed: V = 8, T = 5 are 32,768."""


def all_sequences(vocab_size: int, length: int) -> Tensor:
    """`ids_RT`: every sequence, in lexicographic order; R = V^T."""
    tokens = [torch.arange(vocab_size)] * length
    return torch.cartesian_prod(*tokens).view(-1, length)
