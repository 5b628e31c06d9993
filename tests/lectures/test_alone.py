"""Ideas on one player without the other: their measures, and that they run."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.data.points import Mixture
from seqgan.lectures.alone import ALONE, NEEDS, STRAY, corrupted
from seqgan.lectures.argmax import ARGMAX, total_variation
from seqgan.lectures.idea import Idea
from seqgan.lectures.stalled import STALLED


@pytest.mark.parametrize("idea", [ALONE, NEEDS, ARGMAX, STALLED], ids=lambda idea: str(idea.number))
def test_the_quick_form_measures_and_draws(idea: Idea, tmp_path: Path) -> None:
    found = play_quickly(idea.number, tmp_path).findings
    assert any(finding.expected for finding in found)


def test_negatives_are_noise_or_nearly_real() -> None:
    x = torch.full((4, 1, 6, 6), -1.0)
    x[0, :, 1:5, 1:5], x[1, :, 4] = 0.0, 0.5
    found = corrupted(x)
    assert float(found["noise"].abs().max()) <= 1
    assert ((found["stray pixels"] != x).flatten(1).sum(1) == STRAY).all()
    assert torch.equal(found["two halves"][1, 0, :3], x[1, 0, :3])
    assert torch.equal(found["two halves"][1, 0, 3:], x[0, 0, 3:])


def test_cells_have_the_probability_that_draws_have() -> None:
    mixture = Mixture("ring", 0.15)
    prob_R = mixture.cell_probabilities(8, 1.5)
    cells_N2 = ((mixture.draw(0, 40_000) + 1.5) / 0.375).long().clamp(0, 7)
    drawn_R = (cells_N2[:, 0] * 8 + cells_N2[:, 1]).bincount(minlength=64) / 40_000
    assert total_variation(prob_R, drawn_R) < 0.02
    assert float(prob_R.sum()) == pytest.approx(1, abs=1e-3)
