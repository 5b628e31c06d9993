"""The classifier against scipy's optimum, Gaussians of known accuracy, and noise."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import binomtest, norm

from seqgan.metrics.two_sample import logistic_regression, two_sample_test, wilson_interval


def normal(rows, features, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(rows, features, generator=stream, dtype=torch.float64)


def test_the_optimum_equals_scipys():
    z_NF = normal(120, 3)
    sign_N = torch.where(z_NF[:, 0] + 0.8 * normal(120, 1, 1)[:, 0] > 0.3, 1.0, -1.0).double()
    z, sign = z_NF.numpy(), sign_N.numpy()

    def loss(w):
        return np.logaddexp(0, -sign * (z @ w[:3] + w[3])).mean() + 0.05 * (w[:3] ** 2).sum()

    expected = minimize(loss, np.zeros(4), tol=1e-12).x
    weight_F, bias = logistic_regression(z_NF, sign_N, ridge=0.1)
    np.testing.assert_allclose([*weight_F.tolist(), float(bias)], expected, atol=1e-4)


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_gaussians_of_known_accuracy(shift):
    """Equal covariances a distance δ apart: Φ(δ / 2), and no more is possible."""
    found = two_sample_test(normal(8000, 3) + torch.tensor([shift, 0, 0]), normal(8000, 3, 1))
    assert found["two_sample_accuracy"] == pytest.approx(norm.cdf(shift / 2), abs=0.015)
    assert found["two_sample_low"] < norm.cdf(shift / 2) < found["two_sample_high"]


def test_equal_distributions_cannot_be_told_apart():
    found = two_sample_test(normal(3000, 10), normal(3000, 10, 1))
    assert found["two_sample_low"] < 0.5 < found["two_sample_high"]


def test_what_it_is_fitted_to_does_not_count():
    """400 features of noise separate 200 samples perfectly, and no others."""
    found = two_sample_test(normal(200, 400), normal(200, 400, 1))
    assert 0.4 < found["two_sample_accuracy"] < 0.6


def test_separable_sets_and_constant_features():
    real, fake = normal(200, 3), normal(200, 3, 1)
    real[:, 2], fake[:, 2] = 1.0, 1.0
    real[:, 1] += 50
    assert two_sample_test(real, fake)["two_sample_accuracy"] == 1


def test_the_border_need_not_pass_through_the_mean():
    """Most real samples lie below the mean of both sets, and yet far from the generated ones."""
    real, fake = 1 + 0.01 * normal(1000, 1), 0.01 * normal(1000, 1, 1)
    real[:150] += 10
    assert two_sample_test(real, fake)["two_sample_accuracy"] > 0.9


def test_as_many_of_either_set():
    """The larger set is cut: else saying "real" to everything would be right in most cases."""
    found = two_sample_test(normal(4000, 2), normal(400, 2, 1))
    assert 0.4 < found["two_sample_accuracy"] < 0.6
    width = found["two_sample_high"] - found["two_sample_low"]
    assert width == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.02)


def test_features_of_any_scale():
    real, fake = normal(1000, 3), normal(1000, 3, 1) + 0.7
    scale = torch.tensor([1e3, 1e-3, 1.0])
    assert two_sample_test(real * scale + 5, fake * scale + 5) == pytest.approx(
        two_sample_test(real, fake), abs=2e-3
    )


def test_a_call_under_no_grad_and_of_float32():
    real, fake = normal(400, 2) + 1, normal(400, 2, 1)
    with torch.no_grad():
        found = two_sample_test(real.float(), fake.float())
    assert found["two_sample_accuracy"] > 0.7


@pytest.mark.parametrize(("right", "total"), [(0, 10), (7, 10), (10, 10), (560, 1000)])
def test_the_interval_equals_scipys(right, total):
    expected = binomtest(right, total).proportion_ci(method="wilson")
    assert wilson_interval(right, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_too_few_samples():
    with pytest.raises(ValueError, match="2 samples cannot be halved"):
        two_sample_test(normal(3, 2), normal(50, 2))


def test_of_a_larger_set_samples_are_taken_from_all_of_it():
    """The first of a sorted set differ from the whole."""
    larger_NF = normal(8000, 3)
    larger_NF = larger_NF[larger_NF[:, 0].argsort()]
    for sets in ((larger_NF, normal(2000, 3, 1)), (normal(2000, 3, 1), larger_NF)):
        found = two_sample_test(*sets)
        assert found["two_sample_low"] < 0.5 < found["two_sample_high"]
