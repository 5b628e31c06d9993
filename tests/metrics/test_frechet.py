"""The Fréchet distance against closed forms and a general matrix root."""

import numpy as np
import pytest
import scipy.linalg
import torch

from seqgan.metrics.frechet import frechet_distance, frechet_from_moments
from seqgan.metrics.kernel import kernel_distance


def normal(rows, features, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(rows, features, generator=stream, dtype=torch.float64)


def test_shifted_gaussians():
    """Equal covariances: the squared distance of the means."""
    mean, covariance = torch.zeros(3), torch.diag(torch.tensor([1.0, 2.0, 3.0]))
    shifted = torch.tensor([1.0, -2.0, 0.5])
    assert frechet_from_moments(mean, covariance, shifted, covariance) == pytest.approx(5.25)
    x_NF = normal(50, 4)
    assert frechet_distance(x_NF, x_NF + torch.tensor([3.0, 0, 0, 4.0])) == pytest.approx(25)


def test_scaled_gaussians():
    """Commuting covariances: Σ (σ₁ − σ₂)²."""
    mean = torch.zeros(3)
    one, other = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 2.0, 0.5])
    found = frechet_from_moments(mean, one.square().diag(), mean, other.square().diag())
    assert found == pytest.approx(1 + 0 + 6.25)
    x_NF = normal(50, 4)
    variances = (x_NF.var(0)).sum()  # x → 3x multiplies every σ by 3, in every direction
    centred = x_NF - x_NF.mean(0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * float(variances))


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_general_matrix_root(seed):
    x_NF = normal(200, 6, seed) @ normal(6, 6, seed + 10) + 1
    y_MF = normal(150, 6, seed + 20) @ normal(6, 6, seed + 30)
    x, y = x_NF.numpy(), y_MF.numpy()
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum()
    expected += np.trace(s1 + s2 - 2 * scipy.linalg.sqrtm(s1 @ s2).real)
    assert frechet_distance(x_NF, y_MF) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y_MF, x_NF) == pytest.approx(expected, rel=1e-9)


def test_fewer_samples_than_features():
    """Two samples each span a line. With orthogonal lines the traces alone are left."""
    x_NF, y_NF = torch.zeros(2, 64), torch.zeros(2, 64)
    x_NF[:, 0], y_NF[:, 1] = torch.tensor([-1.0, 1.0]), torch.tensor([-2.0, 2.0])
    assert frechet_distance(x_NF, y_NF) == pytest.approx(2 + 8)  # unbiased variances
    few = normal(10, 64)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-5)
    assert 0 < frechet_distance(few, normal(12, 64, 1)) < 1000


def test_one_sample_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(normal(1, 3), normal(5, 3))
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(normal(5, 3), normal(1, 3))


def test_equal_moments_deceive_frechet_but_not_the_kernel():
    """An exponential minus 1 has mean 0 and variance 1 like a Gaussian, but skewness 2."""
    stream = torch.Generator().manual_seed(0)
    gauss = torch.randn(4000, 2, generator=stream, dtype=torch.float64)
    skewed = -torch.rand(4000, 2, generator=stream, dtype=torch.float64).log() - 1
    gauss, skewed = whitened(gauss), whitened(skewed)
    assert frechet_distance(gauss, skewed) == pytest.approx(0, abs=1e-9)
    same = kernel_distance(gauss[:2000], gauss[2000:])
    assert kernel_distance(gauss, skewed) > 0.3 > 10 * abs(same)


def whitened(x_NF):
    """Mean 0 and covariance 1 exactly."""
    x_NF = x_NF - x_NF.mean(0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(x_NF.T.cov()), x_NF.T, upper=False).T
