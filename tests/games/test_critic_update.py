"""What is logged of a critic's update, by hand, and weights that change on the way."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.types import Batch, Scores, SequenceSpace
from seqgan.games.criterion import Criterion
from seqgan.games.mismatched import Mismatched
from seqgan.objectives.divergences import Divergence

SPACE = SequenceSpace(vocab_size=9, length=3)
WGAN = Divergence("wgan")


class Tokens(nn.Module):
    """Every token's score is its id less 4.5; `whole` gives a sentence that of its first token."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def forward(self, x: Tensor, mask: Tensor, cond: Tensor | None = None) -> Scores:
        score_BT = x.float() - 4.5 + (0 if cond is None else cond)
        return Scores(score_BT[:, 0]) if self._whole else Scores(score_BT, mask)


def batch(*rows: list[int], lengths: list[int]) -> Batch:
    mask_BT = torch.arange(3) < torch.tensor(lengths)[:, None]
    return Batch(torch.tensor(rows), mask_BT)


REAL = batch([8, 0, 0], [2, 7, 0], [5, 1, 8], lengths=[1, 2, 3])
FAKE = batch([3, 8, 8], [6, 4, 8], [1, 2, 0], lengths=[1, 2, 3])
WRONG = torch.tensor([[-1], [6], [1]])
"""Conditions, which raise the scores of real sentences: first tokens 8, 2, 5 become 7, 8, 6."""


def logged(whole: bool, mismatched: Mismatched | None = None) -> dict[str, float]:
    critic: Any = Tokens(whole)
    real = Batch(REAL.x, REAL.mask, torch.zeros(3, 1))
    loss, stats = Criterion(WGAN, [], SPACE, mismatched).critic_loss(critic, real, FAKE)
    return {name: float(value) for name, value in stats.items()} | {"loss": float(loss)}


def test_scores_of_sentences() -> None:
    found = logged(whole=True)
    assert found["real_score"] == pytest.approx((3.5 - 2.5 + 0.5) / 3)
    assert found["fake_score"] == pytest.approx((-1.5 + 1.5 - 3.5) / 3)
    assert found["accuracy"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["loss"] == pytest.approx(found["fake_score"] - found["real_score"])


def test_scores_of_steps_count_until_the_end() -> None:
    found = logged(whole=False)
    real, fake = [8, 2, 7, 5, 1, 8], [3, 6, 4, 1, 2, 0]
    assert found["real_score"] == pytest.approx(sum(real) / 6 - 4.5)
    assert found["fake_score"] == pytest.approx(sum(fake) / 6 - 4.5)
    assert found["accuracy"] == pytest.approx((4 / 6 + 5 / 6) / 2)


def test_wrong_conditions_have_their_share_of_the_loss_on_fakes() -> None:
    found = logged(whole=True, mismatched=Mismatched(0.25, lambda cond: WRONG))
    assert found["mismatched_score"] == pytest.approx((2.5 + 3.5 + 1.5) / 3)
    fakes = 0.75 * found["fake_score"] + 0.25 * found["mismatched_score"]
    assert found["loss"] == pytest.approx(fakes - found["real_score"])
