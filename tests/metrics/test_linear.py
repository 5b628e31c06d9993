"""Linear probes and principal components against closed forms."""

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.metrics.linear import linear_probe, principal_components


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_probe_finds_an_exact_relation():
    z_NL = normal(100, 3)
    probe = linear_probe(z_NL, 2 * z_NL[:, 0] - z_NL[:, 2] + 5)
    torch.testing.assert_close(
        probe.weights_L, torch.tensor([2.0, 0, -1]).double(), atol=1e-5, rtol=0
    )
    assert probe.offset == pytest.approx(5, abs=1e-5)
    assert probe.r2 == pytest.approx(1)
    torch.testing.assert_close(probe.unit_direction(), torch.tensor([2.0, 0, -1]) / 5**0.5)


def test_r2_is_the_share_of_variance_that_is_explained():
    """y = z₀ + noise of the same variance: R² = ½. A probe that measured the rows it was fitted to
    would find some of the noise in 50 codes, too."""
    z_NL, noise_N = normal(20_000, 1), torch.randn(20_000)
    assert linear_probe(z_NL, z_NL[:, 0] + noise_N).r2 == pytest.approx(0.5, abs=0.02)
    assert linear_probe(normal(200, 50), torch.randn(200)).r2 < 0


def test_too_few_codes_are_refused():
    with pytest.raises(UserError, match="needs more than 7"):
        linear_probe(normal(7, 3), torch.zeros(7))


def test_pca_leaves_the_variance_of_the_directions_it_drops():
    scale_D = torch.tensor([3.0, 0.5, 2.0, 1.0])
    x_ND = normal(5000, 4) * scale_D + 7
    pca = principal_components(x_ND, 2)
    torch.testing.assert_close(pca.basis_KD.abs(), torch.eye(4)[[0, 2]].double(), atol=0.05, rtol=0)
    left = (pca.decode(pca.encode(x_ND)) - x_ND).square().sum(1).mean()
    assert float(left) == pytest.approx(1 + 0.25, rel=0.05)
    torch.testing.assert_close(
        principal_components(x_ND, 4).decode(principal_components(x_ND, 4).encode(x_ND)),
        x_ND.double(),
    )
