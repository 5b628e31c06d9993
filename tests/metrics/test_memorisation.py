"""Memorisation: a copier, a noisy copier, and held-out data as the control."""

import math

import numpy as np
import pytest
import torch

from seqgan.metrics import memorisation as module
from seqgan.metrics.memorisation import memorisation, nearest_distances, nearest_indices

TRAIN, HELDOUT, FRESH = torch.randn(3, 1000, 8, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(1000, 8, generator=torch.Generator().manual_seed(1))


def test_equals_brute_force():
    table = (HELDOUT[:50, None].double() - TRAIN[None].double()).norm(dim=2)
    assert torch.allclose(nearest_distances(HELDOUT[:50], TRAIN), table.amin(1), rtol=1e-12)
    assert torch.equal(nearest_indices(HELDOUT[:50], TRAIN), table.argmin(1))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_change_nothing(block, monkeypatch):
    query, train = HELDOUT[:90], TRAIN[:110]
    distances, indices = nearest_distances(query, train), nearest_indices(query, train)
    monkeypatch.setattr(module, "BLOCK", block)
    assert torch.equal(nearest_distances(query, train), distances)
    assert torch.equal(nearest_indices(query, train), indices)


@pytest.mark.parametrize("offset", [0, 1000])
def test_copies_are_at_distance_zero(offset):
    """Far from the origin and in another order too."""
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(2))
    train = TRAIN + offset
    assert nearest_distances(train[order], train).max() == 0
    assert torch.equal(nearest_indices(train[order], train), order)


def test_bytes_are_pictures_too():
    pictures = torch.tensor([[0, 255], [10, 10]], dtype=torch.uint8)
    query = torch.tensor([[13, 14], [0, 250]], dtype=torch.uint8)
    assert nearest_distances(query, pictures).tolist() == [5, 5]


def test_an_exact_copier_is_caught():
    found = memorisation(TRAIN[:500], HELDOUT, TRAIN)
    assert found["duplicates"] == 1
    assert found["nearest_ratio"] == 0
    assert found["copy_p_value"] < 1e-100


def test_a_noisy_copier_is_caught():
    """Noise of a tenth of the data's standard deviation."""
    found = memorisation(TRAIN + 0.1 * NOISE, HELDOUT, TRAIN)
    assert found["duplicates"] > 0.95
    assert 0.05 < found["nearest_ratio"] < 0.4
    assert found["copy_p_value"] < 1e-100


def test_a_copier_in_one_of_twenty_is_seen_in_the_duplicates():
    """The medians do not move."""
    found = memorisation(torch.cat([TRAIN[:50], FRESH[50:]]), HELDOUT, TRAIN)
    assert 0.05 <= found["duplicates"] < 0.09
    assert found["nearest_ratio"] == pytest.approx(1, abs=0.05)


def test_fresh_data_pass():
    found = memorisation(FRESH, HELDOUT, TRAIN)
    assert found["duplicates"] < 0.03
    assert found["nearest_ratio"] == pytest.approx(1, abs=0.05)
    assert found["copy_p_value"] > 0.01


def test_heldout_data_against_themselves():
    found = memorisation(HELDOUT, HELDOUT, TRAIN)
    assert found["duplicates"] == 0.01
    assert found["nearest_ratio"] == 1
    assert found["copy_p_value"] == pytest.approx(0.5, abs=1e-3)


def test_p_value_is_uniform_where_nothing_is_copied_and_one_sided():
    """One training set a test: what the tests share would correlate them."""
    stream = torch.Generator().manual_seed(3)
    found = []
    for _ in range(200):
        train, heldout, fresh = torch.randn(3, 60, 4, generator=stream)
        found.append(memorisation(fresh, heldout, train)["copy_p_value"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(found) < 0.1) == pytest.approx(0.1, abs=0.07)
    far = memorisation(FRESH + 10, HELDOUT, TRAIN)
    assert far["copy_p_value"] > 0.999
    assert far["duplicates"] == 0
    assert far["nearest_ratio"] > 2


def test_data_that_repeat_themselves():
    """Where held-out data are copies too, copies are no evidence, and the ratio has no meaning."""
    found = memorisation(TRAIN[:100], TRAIN[100:300], TRAIN)
    assert found["duplicates"] == 1
    assert found["copy_p_value"] > 0.4
    assert math.isnan(found["nearest_ratio"])
    assert memorisation(FRESH, TRAIN[100:300], TRAIN)["nearest_ratio"] == math.inf


def test_an_empty_set_has_no_distances():
    with pytest.raises(ValueError, match="query set has no sample"):
        memorisation(TRAIN[:0], HELDOUT, TRAIN)
    with pytest.raises(ValueError, match="training set has no sample"):
        nearest_indices(FRESH, TRAIN[:0])
