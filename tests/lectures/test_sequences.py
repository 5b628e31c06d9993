"""Ideas on discrete tokens: 26 and 34."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.estimators import NoBaseline, ScoreFunction
from seqgan.lectures.sequences import TinySentences, standard_errors


@pytest.fixture
def tiny() -> TinySentences:
    torch.manual_seed(0)
    return TinySentences()


def test_no_gradient_passes_through_tokens(tiny: TinySentences) -> None:
    assert tiny.through_tokens() == 0


def test_reinforce_is_unbiased_and_the_wrong_sign_is_not(tiny: TinySentences) -> None:
    estimates_NP = tiny.estimates(ScoreFunction(tiny.space, baseline=NoBaseline()), 150)
    exact_P = tiny.exact_gradient()
    assert standard_errors(estimates_NP, exact_P) < 2
    assert standard_errors(-estimates_NP, exact_P) > 10


def test_tokens_are_played(tmp_path: Path) -> None:
    *_, gumbel = play_quickly(26, tmp_path).findings
    assert gumbel.holds


def test_a_cipher_is_played(tmp_path: Path) -> None:
    assert len(play_quickly(34, tmp_path).findings) == 2
