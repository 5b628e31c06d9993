"""The Inception score, by whatever classifier gives the probabilities.

    IS = exp( E_x KL(p(y | x) ‖ p(y)) ),   p(y) = E_x p(y | x)

Salimans et al. 2016. 1 where every sample gets the same answer (one class only, or a classifier
that never knows), K where it is always sure and K classes are equally frequent. It sees no real
data nor anything inside a class: one good picture of each class, over and over, has a score of K.
Read it beside `coverage`. The published number is of Inception's 1,000 classes and the mean of ten
splits; here it is of one set, and the metric's name says which classifier answers.

Several labels that a classifier reads independently are one label of Π K_a classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK_ENTRIES = 4_000_000
"""Entries of a table of joint probabilities held at once: 32 MB."""


def inception_score(heads: Sequence[Tensor]) -> float:
    """exp(H(p(y)) − E_x H(p(y | x))) of log-probabilities [N, K_a], one table for each label.

    Raises `ValueError` without a sample.
    """
    heads = [head.cpu().double() for head in heads]
    samples = len(heads[0])
    if not samples:
        raise ValueError("an empty set has no score")
    uncertainty = sum(float(torch.special.entr(head.exp()).sum(1).mean()) for head in heads)
    classes = 1
    for head in heads:
        classes *= head.shape[1]
    total_K = torch.zeros(classes, dtype=torch.float64)
    for first in range(0, samples, max(1, BLOCK_ENTRIES // classes)):
        total_K += _joint(heads, slice(first, first + max(1, BLOCK_ENTRIES // classes))).sum(0)
    variety = float(torch.special.entr(total_K / samples).sum())
    return float(torch.tensor(variety - uncertainty, dtype=torch.float64).exp())


def _joint(heads: Sequence[Tensor], rows: slice) -> Tensor:
    """p(y | x) of all combinations of labels, the last label changing fastest: [rows, Π K_a]."""
    joint_RK = heads[0][rows].exp()
    for head in heads[1:]:
        joint_RK = (joint_RK[:, :, None] * head[rows].exp()[:, None]).flatten(1)
    return joint_RK
