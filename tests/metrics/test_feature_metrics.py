"""Distances and neighbours of features: closed forms, brute force, and generators that cheat."""

from math import log

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from seqgan.metrics import coverage
from seqgan.metrics.coverage import prdc
from seqgan.metrics.frechet import frechet_distance, frechet_from_moments
from seqgan.metrics.histograms import total_variation
from seqgan.metrics.kernel import kernel_distance, squared_mmd
from seqgan.metrics.memorisation import memorisation, nearest_distances, nearest_indices
from seqgan.metrics.modes import mode_coverage


def normal(rows: int, width: int, seed: int) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def exactly_standard(rows: int, width: int, seed: int) -> Tensor:
    """Rows whose mean is exactly 0 and whose covariance is exactly the identity."""
    x = normal(rows, width, seed).double()
    x = x - x.mean(0)
    covariance = x.T @ x / (rows - 1)
    return x @ torch.linalg.inv(torch.linalg.cholesky(covariance)).T


# ── Fréchet ───────────────────────────────────────────────────────────────────────────────────


def test_frechet_of_shifted_and_scaled_gaussians_is_the_closed_form() -> None:
    x = exactly_standard(400, 5, 0)
    shift = torch.tensor([1.0, 2.0, 0.0, 0.0, -2.0])
    assert frechet_distance(x, x + shift) == pytest.approx(9.0, rel=1e-9)
    assert frechet_distance(x, 3 * x) == pytest.approx(5 * (3 - 1) ** 2, rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)


def test_frechet_equals_the_general_matrix_root() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(6, 6).double(), torch.randn(6, 6).double()
    s, t = a @ a.T, b @ b.T
    m, n = torch.randn(6).double(), torch.randn(6).double()
    root = scipy.linalg.sqrtm((s @ t).numpy()).real
    expected = float((m - n).square().sum() + s.trace() + t.trace()) - 2 * np.trace(root)
    assert frechet_from_moments(m, s, n, t) == pytest.approx(expected, rel=1e-6)


def test_frechet_with_fewer_samples_than_features_is_finite_and_not_negative() -> None:
    x, y = normal(10, 64, 0), normal(12, 64, 1)
    assert 0 < frechet_distance(x, y) < 1e3
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(x[:1], y)


def test_frechet_sees_two_moments_only_and_the_kernel_distance_more() -> None:
    """A skewed distribution with the moments of a Gaussian."""
    gaussian = exactly_standard(4000, 3, 0)
    skewed = -torch.rand(4000, 3, generator=torch.Generator().manual_seed(1)).log().double()
    skewed = skewed - skewed.mean(0)
    root = torch.linalg.cholesky(skewed.T @ skewed / 3999)
    skewed = skewed @ torch.linalg.inv(root).T
    assert frechet_distance(gaussian, skewed) == pytest.approx(0.0, abs=1e-9)
    same = kernel_distance(gaussian, exactly_standard(4000, 3, 2))
    assert kernel_distance(gaussian, skewed) > 10 * abs(same)
    assert kernel_distance(gaussian, skewed) > 0.05


# ── Kernel ────────────────────────────────────────────────────────────────────────────────────


def test_the_squared_mmd_is_the_double_sum() -> None:
    x, y = normal(5, 3, 0).double(), normal(4, 3, 1).double()

    def k(a: Tensor, b: Tensor) -> float:
        return float((a @ b / 3 + 1) ** 3)

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert squared_mmd(x, y) == pytest.approx(xx + yy - 2 * xy)


def test_the_kernel_distance_is_unbiased_repeatable_and_leaves_global_streams_alone() -> None:
    state = torch.get_rng_state()
    same = [kernel_distance(normal(300, 8, s), normal(300, 8, 100 + s)) for s in range(20)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 20**0.5
    assert min(same) < 0 < max(same)
    assert kernel_distance(normal(300, 8, 0), normal(300, 8, 1), subset_size=50) == kernel_distance(
        normal(300, 8, 0), normal(300, 8, 1), subset_size=50
    )
    assert torch.equal(torch.get_rng_state(), state)


# ── Neighbours ────────────────────────────────────────────────────────────────────────────────


def brute_force(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    def radius(x: np.ndarray) -> np.ndarray:
        return np.sort(distance(x, x), 1)[:, k]  # column 0 is the sample itself

    table = distance(fake, real)
    in_real, in_fake = table <= radius(real)[None], table <= radius(fake)[:, None]
    return {
        "precision": in_real.any(1).mean(),
        "recall": in_fake.any(0).mean(),
        "density": in_real.sum() / (k * len(fake)),
        "coverage": in_real.any(0).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_prdc_equals_brute_force(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(60, 4, 0), 0.8 * normal(45, 4, 1) + 0.3
    expected = brute_force(real.double().numpy(), fake.double().numpy(), k)
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-6)
    monkeypatch.setattr(coverage, "BLOCK_ENTRIES", 400)  # a few rows at a time
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-6)


def test_equal_distributions_have_the_known_coverage() -> None:
    found = prdc(normal(3000, 16, 0), normal(3000, 16, 1))
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.012)
    assert 0.5 < found["precision"] < 0.95
    assert found["density"] == pytest.approx(1.0, abs=0.12)


def test_cheating_generators_are_caught() -> None:
    real = normal(500, 8, 0)
    one = real[:1].expand(500, -1)
    repeated = prdc(real, one + 1e-3 * normal(500, 8, 1))
    assert repeated["precision"] > 0.99
    assert repeated["coverage"] < 0.1
    assert repeated["recall"] < 0.05
    noise = prdc(real, 30 * normal(500, 8, 2))
    assert noise["precision"] < 0.02
    assert noise["coverage"] < 0.05


def test_too_few_samples_for_neighbours() -> None:
    with pytest.raises(ValueError, match="neighbour number 5"):
        prdc(normal(5, 2, 0), normal(50, 2, 1))


# ── Memorisation ──────────────────────────────────────────────────────────────────────────────


def test_nearest_neighbours_far_from_the_origin() -> None:
    """The squares cancel; without centring float32 would lose the distance."""
    train = normal(200, 16, 0) + 1000
    rows = torch.tensor([3, 77, 150])
    query = train[rows] + 0.01 * normal(3, 16, 1)
    assert nearest_indices(query, train).tolist() == rows.tolist()
    exact = torch.cdist(query.double(), train.double()).amin(1)
    torch.testing.assert_close(nearest_distances(query, train).double(), exact, atol=5e-3, rtol=0)


def test_copiers_fail_and_held_out_data_pass() -> None:
    train, heldout, other = normal(800, 12, 0), normal(400, 12, 1), normal(400, 12, 2)
    honest = memorisation(other, heldout, train)
    assert honest["duplicates"] < 0.04
    assert honest["nearest_ratio"] == pytest.approx(1.0, abs=0.05)
    assert honest["copy_p_value"] > 0.01
    copier = memorisation(train[:400], heldout, train)
    assert copier["duplicates"] == 1.0
    assert copier["nearest_ratio"] < 0.01
    assert copier["copy_p_value"] < 1e-20
    noisy = memorisation(train[:400] + 0.1 * normal(400, 12, 3), heldout, train)
    assert noisy["duplicates"] > 0.9
    assert noisy["copy_p_value"] < 1e-20
    half = memorisation(torch.cat([train[:200], other[:200]]), heldout, train)
    assert half["duplicates"] == pytest.approx(0.5, abs=0.03)


# ── Modes and histograms ──────────────────────────────────────────────────────────────────────

CENTRES = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def test_modes_of_a_mixture() -> None:
    points = CENTRES.repeat(1000, 1) + 0.02 * normal(4000, 2, 0)
    found = mode_coverage(points, CENTRES, 0.02)
    assert found["modes"] == 4
    assert found["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.006)
    assert found["mode_kl"] == pytest.approx(0, abs=1e-3)


def test_collapse_smears_and_nothing_at_all() -> None:
    one = mode_coverage(CENTRES[:1].repeat(100, 1), CENTRES, 0.02)
    assert one["modes"] == 1
    assert one["high_quality"] == 1
    assert one["mode_kl"] == pytest.approx(log(4))
    smeared = mode_coverage(torch.rand(20_000, 2), CENTRES, 0.02)
    assert smeared["modes"] == 4  # touched, every one
    assert smeared["high_quality"] < 0.02
    nothing = mode_coverage(torch.full((9, 2), 0.5), CENTRES, 0.02)
    assert nothing == {"modes": 0, "high_quality": 0, "mode_kl": float("inf")}


def test_a_mode_needs_its_least_number_of_points() -> None:
    points = torch.cat([CENTRES[:1].repeat(19, 1), CENTRES[1:2].repeat(20, 1)])
    assert mode_coverage(points, CENTRES, 0.02)["modes"] == 1
    assert mode_coverage(points, CENTRES, 0.02, least=19)["modes"] == 2


def test_only_points_within_three_deviations_count() -> None:
    at = torch.tensor([[0.0599, 0.0], [0.0601, 0.0]])
    assert mode_coverage(at, CENTRES, 0.02, least=1)["high_quality"] == 0.5


def test_total_variation() -> None:
    even, odd = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    assert total_variation(even, odd, 2) == pytest.approx(0.25)
    assert total_variation(even, even, 3) == 0
    assert total_variation(torch.tensor([0]), torch.tensor([2]), 3) == 1
    one_face = torch.zeros(50, dtype=torch.long)
    truth = torch.tensor([0] * 45 + [1] * 55)
    assert total_variation(one_face, truth, 2) == pytest.approx(0.55)
