"""Ideas on captions and pairs: that they run, and what they measure."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.lectures.conditions import IDEAS, colourfulness
from seqgan.lectures.idea import Idea


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: str(idea.number))
def test_the_quick_form_measures_and_draws(idea: Idea, tmp_path: Path) -> None:
    found = play_quickly(idea.number, tmp_path).findings
    assert any(finding.expected for finding in found)


def test_grey_has_no_colour() -> None:
    grey = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1)
    assert colourfulness(grey) == pytest.approx(0, abs=1e-6)
    assert colourfulness(grey * torch.tensor([1.0, 0.5, 0.5])[:, None, None]) > 0.05
