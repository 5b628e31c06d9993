"""The zoo of GANs: that it runs, and what it measures."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.lectures.zoo import ZOO, main_classes, purity, shown_codes


def test_the_quick_form_measures_and_draws(tmp_path: Path) -> None:
    found = play_quickly(ZOO.number, tmp_path).findings
    assert any(finding.expected for finding in found)


def test_purity_is_the_share_of_main_classes() -> None:
    codes = shown_codes(2, 4)[:, 0]
    assert purity(codes, torch.tensor([3, 3, 3, 1, 2, 2, 5, 5])) == pytest.approx(5 / 8)
    assert purity(codes, codes + 4) == 1


def test_one_digit_for_all_codes_is_pure_and_one_class() -> None:
    codes = shown_codes(10, 3)[:, 0]
    one = torch.zeros_like(codes)
    assert purity(codes, one) == 1
    assert main_classes(codes, one) == 1
    assert main_classes(codes, codes // 2) == 5
