"""The Inception score: its two ends, formulas by hand, and what deceives it."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from seqgan.metrics import inception as module
from seqgan.metrics.coverage import prdc
from seqgan.metrics.inception import inception_score

NEVER = -1e4
"""The log of no probability."""


def sure(classes: list[int], of: int = 10) -> Tensor:
    """Log-probabilities of a classifier that knows."""
    return torch.full((len(classes), of), NEVER).scatter(1, torch.tensor(classes)[:, None], 0.0)


def test_a_classifier_that_never_knows_gives_one() -> None:
    assert inception_score([torch.full((50, 10), -log(10))]) == pytest.approx(1)


def test_one_class_only_gives_one_however_sure() -> None:
    assert inception_score([sure([3] * 50)]) == pytest.approx(1)


def test_ten_sharp_and_equally_frequent_classes_give_ten() -> None:
    assert inception_score([sure(list(range(10)) * 5)]) == pytest.approx(10)


def test_by_hand() -> None:
    """Answers (¾, ¼) and (¼, ¾), on the whole (½, ½): KL = ¾ log 3/2 + ¼ log 1/2 for both."""
    heads = [torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log()]
    assert inception_score(heads) == pytest.approx(exp(0.75 * log(1.5) + 0.25 * log(0.5)))


def test_several_labels_are_one_label_of_all_combinations(monkeypatch) -> None:
    stream = torch.Generator().manual_seed(0)
    heads = [torch.randn(40, size, generator=stream).log_softmax(1) for size in (3, 4)]
    joint = (heads[0][:, :, None] + heads[1][:, None]).flatten(1)
    expected = inception_score([joint])
    assert inception_score(heads) == pytest.approx(expected)
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 50)
    assert inception_score(heads) == pytest.approx(expected)
    both = [sure([0, 0, 1, 1], 2), sure([0, 1, 0, 1], 2)]
    assert inception_score(both) == pytest.approx(4)
    assert inception_score([both[0], both[0]]) == pytest.approx(2)  # never 0 with 1


def test_one_sample_for_each_class_deceives_it_and_coverage_tells() -> None:
    """Features at ten centres: a generator of the ten centres alone is as sure and as varied."""
    stream = torch.Generator().manual_seed(0)
    centres = 5 * torch.randn(10, 8, generator=stream)
    classes = torch.arange(500) % 10
    real, fresh = (centres[classes] + torch.randn(500, 8, generator=stream) for _ in range(2))
    one_each = fresh[:10][classes]

    def score(x: Tensor) -> float:
        return inception_score([(-torch.cdist(x, centres).square() / 2).log_softmax(1)])

    assert score(one_each) > 9.9
    assert score(one_each) >= score(fresh) - 0.1
    assert prdc(real, one_each)["coverage"] < 0.2 < 0.9 < prdc(real, fresh)["coverage"]


def test_an_empty_set_has_no_score() -> None:
    with pytest.raises(ValueError, match="empty"):
        inception_score([torch.zeros(0, 10)])
