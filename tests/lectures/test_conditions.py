"""Ideas on captions and pairs: that they run, and what they measure."""

from pathlib import Path

import pytest
import torch

from seqgan.lectures.conditions import IDEAS, colourfulness
from seqgan.lectures.idea import Idea
from seqgan.lectures.stage import play


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: str(idea.number))
def test_the_quick_form_measures_and_draws(idea: Idea, tmp_path: Path) -> None:
    played = play(idea, tmp_path / "lecture", quick=True)
    assert any(finding.expected for finding in played.findings)
    assert played.pictures[0].exists()


def test_grey_has_no_colour() -> None:
    grey = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1)
    assert colourfulness(grey) == pytest.approx(0, abs=1e-6)
    assert colourfulness(grey * torch.tensor([1.0, 0.5, 0.5])[:, None, None]) > 0.05
