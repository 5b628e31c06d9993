import pytest
import torch

from seqgan.metrics.histograms import total_variation


def test_by_hand():
    """(½, ½, 0) and (¼, 0, ¾)."""
    one, other = torch.tensor([0, 1, 0, 1, 1, 0]), torch.tensor([2, 2, 0, 2])
    assert total_variation(one, other, 3) == pytest.approx(0.5 * (1 / 4 + 1 / 2 + 3 / 4))
    assert total_variation(other, one, 3) == pytest.approx(0.75)


def test_equal_and_disjoint():
    x = torch.tensor([0, 1, 1, 3])
    assert total_variation(x, x.flip(0).repeat(2), 4) == 0
    assert total_variation(x, torch.tensor([2]), 4) == 1


def test_one_face_repeated_scores_badly():
    """Every one of the 8 values is right somewhere, and 7 of 8 are missing."""
    truth = torch.arange(8).repeat(100)
    stream = torch.Generator().manual_seed(0)
    fair = torch.randint(8, (800,), generator=stream)
    assert total_variation(truth[:1].repeat(800), truth, 8) == pytest.approx(7 / 8)
    assert total_variation(fair, truth, 8) < 0.08


def test_class_numbers_out_of_range():
    with pytest.raises(ValueError, match=r"class numbers in \[0, 3\], but 3 classes"):
        total_variation(torch.tensor([0, 3]), torch.tensor([0, 3]), 3)
    with pytest.raises(ValueError, match=r"class numbers in \[-1, 1\]"):
        total_variation(torch.tensor([1]), torch.tensor([-1, 1]), 3)
    with pytest.raises(ValueError, match="empty"):
        total_variation(torch.tensor([0]), torch.empty(0, dtype=torch.long), 3)
