"""Gaussians in the plane: centres by their closed form, moments of draws, and seeds."""

import math

import pytest
import torch

from seqgan.data.points import (
    REAL_ROW_STREAM,
    TEST_STREAM,
    VALID_STREAM,
)
from seqgan.data.points_config import PointsDataConfig

LAYOUTS = ["ring", "grid"]


def points(layout: str, **fields) -> PointsDataConfig:
    return PointsDataConfig(name="points", layout=layout, **fields)


def nearest(x_N2: torch.Tensor, config: PointsDataConfig) -> torch.Tensor:
    return torch.cdist(x_N2, config.build_mixture().centres_K2).argmin(1)


def test_the_ring() -> None:
    found = points("ring").build_mixture().centres_K2
    assert found.shape == (8, 2)
    half = math.sqrt(0.5)
    torch.testing.assert_close(found[:3], torch.tensor([[1, 0], [half, half], [0, 1.0]]))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(8))
    torch.testing.assert_close(found.sum(0), torch.zeros(2), atol=1e-6, rtol=0)


def test_the_grid_is_that_of_the_published_code() -> None:
    found = {tuple(row) for row in points("grid").build_mixture().centres_K2.tolist()}
    expected = torch.tensor([[2 * i, 2 * j] for i in range(-2, 3) for j in range(-2, 3)]) / 8**0.5
    assert found == {tuple(row) for row in expected.tolist()}
    assert PointsDataConfig(name="points", layout="grid").std == pytest.approx(
        0.05 / 8**0.5, rel=2e-3
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_draws_have_the_moments_of_the_mixture(layout: str) -> None:
    config = points(layout, std=0.05, seed=3)
    x_N2 = config.build_mixture().draw(stream=0, rows=50_000)
    assert x_N2.shape == (50_000, 2)
    assert x_N2.dtype == torch.float32
    chosen_N = nearest(x_N2, config)
    counts_K = torch.bincount(chosen_N).float()
    K = len(config.build_mixture().centres_K2)
    assert len(counts_K) == K
    expected = 50_000 / K
    chi2 = ((counts_K - expected) ** 2 / expected).sum().item()
    assert chi2 < K - 1 + 5 * math.sqrt(2 * (K - 1))
    residue = (x_N2 - config.build_mixture().centres_K2[chosen_N]) / 0.05
    torch.testing.assert_close(residue.T.cov(), torch.eye(2), atol=0.03, rtol=0)
    torch.testing.assert_close(residue.mean(0), torch.zeros(2), atol=0.02, rtol=0)


def test_streams_and_seeds_are_independent_and_repeat() -> None:
    config = points("ring")
    first = config.build_mixture().draw(1, 100)
    assert torch.equal(first, config.build_mixture().draw(1, 100))
    for other in (
        config.build_mixture().draw(2, 100),
        points("ring", seed=1).build_mixture().draw(1, 100),
    ):
        assert (first - other).abs().min() > 0


def test_no_training_block_is_what_generators_are_measured_on() -> None:
    """Drawn with as many rows, so that an equal stream would give equal points."""
    config = points("grid")
    blocks = [config.build_mixture().training_block(index) for index in range(4)]
    streams = (VALID_STREAM, TEST_STREAM, REAL_ROW_STREAM)
    held_out = [config.build_mixture().draw(stream, len(blocks[0])) for stream in streams]
    first_rows = {tuple(x_N2[0].tolist()) for x_N2 in blocks + held_out}
    assert len(first_rows) == 7
    assert torch.equal(config.build_mixture().training_block(2), blocks[2])


def test_global_generators_are_left_alone() -> None:
    state = torch.get_rng_state()
    points("grid").build_mixture().draw(0, 10)
    assert torch.equal(state, torch.get_rng_state())
