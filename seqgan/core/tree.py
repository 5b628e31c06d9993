"""Trees of tensors with the batch in dim 0: generator states, and what checkpoints hold."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Tree = Any
"""Tensors in nested tuples, for each generator in a form of its own; leaves that are no tensors are
shared by all rows."""


def tree_map(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """Apply `function` to every tensor of a tree of tuples; other leaves stay as they are."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, tuple):
        return tuple(tree_map(function, branch) for branch in tree)
    return tree


def tree_cat(trees: list[Tree]) -> Tree:
    """Join the rows of trees of one shape. Leaves that are not tensors must agree."""
    first = trees[0]
    if isinstance(first, Tensor):
        return torch.cat(trees)
    if isinstance(first, tuple):
        return tuple(tree_cat(list(branches)) for branches in zip(*trees, strict=True))
    if any(leaf != first for leaf in trees):
        raise ValueError(f"states disagree in a shared leaf: {trees}")
    return first


def choose_rows(first_B: Tensor, first: Tree, second: Tree) -> Tree:
    """Rows of `first` where `first_B`, of `second` elsewhere; trees of one shape. Leaves that are
    not tensors must agree."""
    if isinstance(first, Tensor):
        return torch.where(first_B.view(-1, *[1] * (first.dim() - 1)), first, second)
    if isinstance(first, tuple):
        branches = zip(first, second, strict=True)
        return tuple(choose_rows(first_B, one, other) for one, other in branches)
    if first != second:
        raise ValueError(f"states disagree in a shared leaf: {first} and {second}")
    return first


def repeat_rows(tree: Tree, copies: int) -> Tree:
    """Repeat all rows `copies` times, block after block: row n·B + b is copy n of row b."""
    if copies == 1:
        return tree
    return tree_map(lambda x: x.repeat(copies, *[1] * (x.dim() - 1)), tree)


def take_rows(tree: Tree, first: int, last: int) -> Tree:
    """Rows first…last-1 of every tensor."""
    return tree_map(lambda x: x[first:last], tree)


def gather_rows(tree: Tree, index_R: Tensor) -> Tree:
    """Rows `index_R` of every tensor, in that order; a row may be taken often or never."""
    return tree_map(lambda x: x.index_select(0, index_R), tree)
