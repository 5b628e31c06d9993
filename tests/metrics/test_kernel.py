"""The kernel distance against sums over pairs, and its calibration."""

import numpy as np
import pytest
import torch

from seqgan.metrics.kernel import kernel_distance, squared_mmd


def normal(rows, features, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(rows, features, generator=stream, dtype=torch.float64)


def pairwise(x, y):
    """MMD² by loops over the pairs of different samples."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    within = [
        np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j])
        for s in (x, y)
    ]
    return sum(within) - 2 * np.mean([k(a, b) for a in x for b in y])


def test_by_hand():
    """One feature, x = (0, 1), y = (2, 2): 1 + 125 − 2 · (1 + 1 + 27 + 27) / 4."""
    found = squared_mmd(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [2.0]]))
    assert found == pytest.approx(1 + 125 - 28)


def test_equals_loops_over_pairs_and_whole_sets_are_one_subset():
    x, y = normal(12, 3), normal(12, 3, 1) + 0.5
    assert squared_mmd(x, y) == pytest.approx(pairwise(x.numpy(), y.numpy()))
    assert kernel_distance(x, y, subsets=3) == pytest.approx(pairwise(x.numpy(), y.numpy()))


def test_unbiased():
    """Equal distributions: the mean over independent small sets is 0 within its error."""
    stream = torch.Generator().manual_seed(0)
    found = [
        squared_mmd(*torch.randn(2, 10, 4, generator=stream, dtype=torch.float64))
        for _ in range(2000)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / len(found) ** 0.5
    assert min(found) < 0
    # A biased estimate would be this much higher: the diagonals are 1/10 of the tables.
    assert 4 * np.std(found) / len(found) ** 0.5 < 2 * (8 - 1) / 10 / 2


def test_subsets_are_seeded_and_leave_the_global_streams_alone():
    x, y = normal(300, 3), normal(200, 3, 1)
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = kernel_distance(x, y, subsets=4, subset_size=50)
    assert kernel_distance(x, y, subsets=4, subset_size=50) == first
    assert kernel_distance(x, y, subsets=4, subset_size=50, seed=1) != first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_rises_with_a_shift():
    x, y = normal(1000, 8), normal(1000, 8, 1)
    assert kernel_distance(x, y) < 0.02 < kernel_distance(x, y + 0.5) < kernel_distance(x, y + 1)


def test_one_sample_has_no_pairs():
    with pytest.raises(ValueError, match="at least 2"):
        kernel_distance(normal(1, 3), normal(5, 3))
