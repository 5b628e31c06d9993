"""Precision, recall, density and coverage against brute force, and on generators that fail."""

import numpy as np
import pytest
import torch

from seqgan.metrics import coverage
from seqgan.metrics.coverage import prdc


def normal(rows, features, seed=0):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


def brute_force(real, fake, k):
    """The definitions, from all differences; closed balls."""

    def squared(x, y):
        return ((x[:, None].astype(float) - y[None].astype(float)) ** 2).sum(-1)

    def radii(x):
        table = squared(x, x)
        np.fill_diagonal(table, np.inf)
        return np.sort(table, axis=1)[:, k - 1]

    cross = squared(real, fake)
    in_real, in_fake = cross <= radii(real)[:, None], cross <= radii(fake)[None]
    return {
        "precision": in_real.any(0).mean(),
        "recall": in_fake.any(1).mean(),
        "density": in_real.sum() / (k * len(fake)),
        "coverage": in_real.any(1).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("rows", "made"), [(60, 60), (40, 90), (90, 40)])
def test_equals_brute_force(k, rows, made):
    real, fake = normal(rows, 4), 0.8 * normal(made, 4, 1) + 0.7
    found = prdc(real, fake, neighbours=k)
    assert found == pytest.approx(brute_force(real.numpy(), fake.numpy(), k))
    assert len({round(value, 6) for value in found.values()}) == 4, "no two are mixed up unseen"


@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_ties_and_duplicates_equal_brute_force(seed, offset):
    """On a lattice of eighths, exact in float32, most distances tie and many samples are equal."""
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 4, (80, 3)) + offset
    fake = rng.integers(1, 5, (70, 3)) + offset
    found = prdc(torch.tensor(real) / 8, torch.tensor(fake) / 8, neighbours=3)
    assert found == pytest.approx(brute_force(real, fake, 3))


@pytest.mark.parametrize("entries", [1, 700, 4_000])
def test_blocks_change_nothing(entries, monkeypatch):
    real, fake = normal(200, 5), normal(150, 5, 1) + 0.5
    whole = prdc(real, fake)
    monkeypatch.setattr(coverage, "BLOCK_ENTRIES", entries)
    assert prdc(real, fake) == whole


def test_calibration_on_equal_gaussians():
    """E[coverage] = 1 − Π_{i<k} (N − i) / (2N − 1 − i) → 1 − 2^−5 = 0.969; E[density] = 1."""
    found = [prdc(normal(1000, 8, 2 * s), normal(1000, 8, 2 * s + 1)) for s in range(6)]
    mean = {name: np.mean([f[name] for f in found]) for name in found[0]}
    assert mean["coverage"] == pytest.approx(1 - 2**-5, abs=0.008)
    assert mean["density"] == pytest.approx(1, abs=0.05)
    assert mean["precision"] == pytest.approx(mean["recall"], abs=0.05)
    assert 0.6 < mean["precision"] < 0.95, "1 is not the ceiling"


def test_a_generator_collapsed_to_one_of_four_modes():
    """Each of its points is good, and it covers a quarter."""
    corners = torch.tensor([[0.0, 0], [0, 50], [50, 0], [50, 50]])
    real = normal(800, 2) + corners.repeat(200, 1)
    found = prdc(real, normal(800, 2, 1))
    assert found["precision"] > 0.9
    assert found["density"] == pytest.approx(1, abs=0.15)
    assert 0.2 < found["recall"] <= 0.25
    assert 0.2 < found["coverage"] <= 0.25


def test_one_good_sample_repeated():
    """It is as precise as can be, and recalls only its original."""
    real = normal(500, 4)
    found = prdc(real, real[:1].repeat(500, 1))
    assert found["precision"] == 1
    assert found["recall"] == 1 / 500
    assert 1 / 500 <= found["coverage"] < 0.05


def test_noise_far_away_scores_nothing():
    found = prdc(normal(100, 4), normal(100, 4, 1) + 100)
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_one_outlier_does_not_make_samples_dense():
    """Its huge ball holds every sample: perfect precision, but density shows it."""
    real = torch.cat([normal(99, 2), torch.tensor([[1000.0, 0]])])
    found = prdc(real, normal(100, 2, 1) + torch.tensor([500.0, 0]))
    assert found["precision"] == 1
    assert found["density"] == pytest.approx(1 / 5)
    assert found["coverage"] == pytest.approx(1 / 100)


def test_too_few_samples():
    with pytest.raises(ValueError, match="5 samples have no neighbour number 5"):
        prdc(normal(5, 2), normal(20, 2))
    with pytest.raises(ValueError, match="5 samples have no neighbour number 5"):
        prdc(normal(20, 2), normal(5, 2))
