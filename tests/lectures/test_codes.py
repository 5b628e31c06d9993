"""Ideas on codes, pixels, futures and the latent vector: their measures, and that they run."""

import math
from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.games.autoencode import kl_to_standard_normal
from seqgan.lectures.codes import IDEAS as OF_CODES
from seqgan.lectures.codes import sampled_kl
from seqgan.lectures.futures import FUTURES
from seqgan.lectures.idea import Idea
from seqgan.lectures.latent import LATENT, probe_faces, set_along
from seqgan.lectures.pixels import PIXELS, digits_and_faults


@pytest.mark.parametrize(
    "idea", [FUTURES, LATENT, *OF_CODES, PIXELS], ids=lambda idea: str(idea.number)
)
def test_the_quick_form_measures_and_draws(idea: Idea, tmp_path: Path) -> None:
    found = play_quickly(idea.number, tmp_path).findings
    assert any(finding.expected for finding in found)


def test_a_coordinate_along_a_direction_is_set_and_the_rest_kept() -> None:
    z_NL, direction_L = torch.randn(20, 3), torch.tensor([0.6, 0.0, 0.8])
    moved_NL = set_along(z_NL, direction_L, 2.0)
    torch.testing.assert_close(moved_NL @ direction_L, torch.full((20,), 2.0))
    for across_L in (torch.tensor([0.8, 0.0, -0.6]), torch.tensor([0.0, 1.0, 0.0])):
        torch.testing.assert_close(moved_NL @ across_L, z_NL @ across_L)


def test_faces_that_cannot_be_read_are_left_out_of_the_fit() -> None:
    stream = torch.Generator().manual_seed(0)
    z_NL = torch.randn(4000, 2, generator=stream)
    has_N = (z_NL[:, 1] > 0).float()
    has_N[::3] = math.nan
    probe = probe_faces(z_NL, has_N)
    assert probe is not None
    assert probe.r2 > 0.5
    torch.testing.assert_close(probe.unit_direction(), torch.tensor([0.0, 1.0]), atol=0.1, rtol=0)
    assert probe_faces(z_NL, torch.full((4000,), math.nan)) is None


def test_the_closed_form_of_the_kl_is_what_sampling_finds() -> None:
    torch.manual_seed(0)
    mean_NL, log_variance_NL = torch.randn(50, 4), torch.randn(50, 4)
    closed = float(kl_to_standard_normal(mean_NL, log_variance_NL).mean())
    assert sampled_kl(mean_NL, log_variance_NL, 2000) == pytest.approx(closed, rel=0.01)


def test_a_stray_pixel_is_nearer_to_the_digit_than_a_thicker_stroke() -> None:
    """One pixel changes, from black to white and away from the strokes; a thicker stroke changes
    many and darkens none."""
    digits, stray, thicker = digits_and_faults(60, 16, seed=0)
    changed = (stray != digits).flatten(1)
    assert (changed.sum(1) == 1).all()
    assert (digits.flatten(1)[changed] == 0).all()
    assert (stray.flatten(1)[changed] == 255).all()
    assert (thicker.float() >= digits.float()).all()
    error = [(x.float() - digits.float()).square().sum((1, 2, 3)) for x in (stray, thicker)]
    assert (error[0] < error[1]).float().mean() > 0.95
