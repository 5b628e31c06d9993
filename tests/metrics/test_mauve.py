"""MAUVE against closed forms, an integral by scipy, and the 25 points of its authors."""

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2
from scipy.integrate import quad
from scipy.special import comb

from seqgan.metrics.mauve import _components, area_under_divergences, kmeans, mauve


def area(p, q, scale=5.0):
    return area_under_divergences(torch.tensor(p).double(), torch.tensor(q).double(), scale)


def test_equal_distributions_give_1():
    assert area([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]) == pytest.approx(1)


@pytest.mark.parametrize("scale", [1.0, 2.0, 5.0])
def test_distributions_without_a_common_cluster(scale):
    """x = (1 − λ)^c, y = λ^c: the area is a beta function."""
    found = area([0.5, 0.5, 0, 0], [0, 0, 0.3, 0.7], scale)
    assert found == pytest.approx(1 / comb(2 * scale, scale), abs=1e-5)


def test_one_cluster_of_two():
    """P = (1, 0), Q = (½, ½): both divergences by hand, the integral by scipy."""
    c = 5.0

    def y(lam):  # KL(P‖R) = −ln((1 + λ) / 2)
        return ((1 + lam) / 2) ** c

    def x(lam):  # KL(Q‖R) = −½ ln(1 + λ) − ½ ln(1 − λ)
        return ((1 + lam) * (1 - lam)) ** (c / 2)

    def slope(lam):
        return -c * lam * (1 - lam**2) ** (c / 2 - 1)

    expected = x(1) + quad(lambda lam: -y(lam) * slope(lam), 0, 1)[0]
    assert area([1.0, 0.0], [0.5, 0.5]) == pytest.approx(expected, abs=1e-4)


def test_the_sets_may_be_exchanged():
    p, q = [0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4]
    assert area(p, q) == pytest.approx(area(q, p), abs=1e-4)
    assert area(p, q) < area(p, [0.5, 0.3, 0.2, 0.0])


def test_close_to_the_25_points_of_the_authors():
    """The curve as their code has it: mixtures from 1e-6 to 1 − 1e-6, and the corners."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(50)), rng.dirichlet(np.ones(50))

    def kl(a, b):
        return float((a * np.log(a / b)).sum())

    mixtures = [w * p + (1 - w) * q for w in np.linspace(1e-6, 1 - 1e-6, 25)]
    curve = [
        (0.0, 1.0),
        *((np.exp(-5 * kl(q, r)), np.exp(-5 * kl(p, r))) for r in mixtures),
        (1.0, 0.0),
    ]
    x, y = np.array(sorted(curve, key=lambda point: (point[0], -point[1]))).T
    assert area(p.tolist(), q.tolist()) == pytest.approx(np.trapezoid(y, x), abs=0.01)


# ── Clusters ──────────────────────────────────────────────────────────────────────────────────


def normal(rows, features, seed=0):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


def test_kmeans_equals_scipy_from_the_same_start():
    x_ND = normal(300, 4)
    stream = torch.Generator().manual_seed(7)
    start_KD = x_ND[torch.randperm(300, generator=stream)[:12]]
    _, expected = kmeans2(x_ND.numpy(), start_KD.numpy(), iter=60, minit="matrix")
    assert kmeans(x_ND, 12, seed=7).tolist() == expected.tolist()
    assert kmeans(x_ND, 12, seed=8).tolist() != expected.tolist()


def test_kmeans_with_more_clusters_than_different_samples():
    x_ND = torch.tensor([[0.0, 1.0], [5.0, 5.0]]).repeat_interleave(10, 0)
    label_N = kmeans(x_ND, 6, seed=0)
    assert len(label_N[:10].unique()) == len(label_N[10:].unique()) == 1
    assert label_N[0] != label_N[10]


def test_components_equal_a_singular_value_decomposition():
    x_ND = normal(80, 6).double() * torch.tensor([9, 4, 3, 1, 0.5, 0.1]) + 2
    unit = (x_ND / x_ND.norm(dim=1, keepdim=True)).numpy()
    centred = unit - unit.mean(0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = int(np.argmax(share >= 0.9)) + 1
    found = _components(x_ND)
    assert found.shape == (80, kept)
    np.testing.assert_allclose(found.abs().numpy(), np.abs(centred @ axes[:kept].T), atol=1e-9)


# ── Together ──────────────────────────────────────────────────────────────────────────────────


def test_orders_generators_and_reports_the_spread():
    real, other = normal(1000, 8) + 1, normal(1000, 8, 1) + 1
    same = mauve(real, other)
    assert same["mauve"] > 0.9
    assert 0 < same["mauve_spread"] < 0.1
    half = torch.cat([other[:500], other[:500] * 0.05 + 3])
    narrow = other * torch.tensor([0.3] + [1.0] * 7)
    values = [
        mauve(real, fake, seeds=2)["mauve"]
        for fake in (other, narrow, half, other[:1].repeat(1000, 1))
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.05


def test_the_mean_is_over_seeds_from_0():
    real, fake = normal(200, 4) + 1, normal(200, 4, 1) + 1.3
    one, two = mauve(real, fake, seeds=1), mauve(real, fake, seeds=2)
    assert one["mauve_spread"] == 0
    other = 2 * two["mauve"] - one["mauve"]
    assert abs(other - one["mauve"]) == pytest.approx(two["mauve_spread"])
    assert two["mauve_spread"] > 0


def test_length_does_not_count():
    real, fake = normal(400, 5) + 1, normal(400, 5, 1) + 1
    assert mauve(real, 3 * fake, seeds=1)["mauve"] == pytest.approx(
        mauve(real, fake, seeds=1)["mauve"], abs=1e-6
    )


def test_too_few_samples():
    with pytest.raises(ValueError, match=r"19 samples make no two clusters; give at least 20"):
        mauve(normal(50, 3), normal(19, 3))
