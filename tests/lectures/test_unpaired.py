"""Idea 33: unpaired styles."""

from pathlib import Path

import torch
from playing import play_quickly

from seqgan.lectures.unpaired import next_digit


def test_shifting_every_digit_is_one_to_one() -> None:
    a, b = torch.tensor([0, 9, 0, 3, 3]), torch.tensor([1, 4, 0, 1, 7])
    target = next_digit(a, b)
    assert target.tolist() == [0, 2, 3, 1, -1]


def test_styles_are_played(tmp_path: Path) -> None:
    *_, shifted = play_quickly(33, tmp_path).findings
    assert shifted.holds
