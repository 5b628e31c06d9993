"""The area under the ROC curve, against its definition by a loop."""

import torch

from seqgan.metrics.auc import area_under_curve


def test_it_is_the_share_of_pairs_in_the_right_order() -> None:
    torch.manual_seed(0)
    above, below = torch.randint(0, 6, (40,)).float() + 1, torch.randint(0, 6, (30,)).float()
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in above for b in below]
    assert abs(area_under_curve(above, below) - sum(pairs) / len(pairs)) < 1e-12


def test_its_ends() -> None:
    low, high = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0, 4.0])
    assert area_under_curve(high, low) == 1
    assert area_under_curve(low, high) == 0
    assert area_under_curve(high, high) == 0.5
