"""Ideas on two players."""

import pytest
import torch

from seqgan.lectures.adversaries import fooled_critic, reward_gradients


def test_only_the_non_saturating_loss_teaches_a_generator_that_is_found_out() -> None:
    sure = torch.tensor([-20.0])
    assert float(reward_gradients("minimax", sure)) == pytest.approx(2.06e-9, rel=0.01)
    assert float(reward_gradients("non_saturating", sure)) == pytest.approx(1)
    fooled = torch.tensor([5.0])
    assert reward_gradients("minimax", fooled) > reward_gradients("non_saturating", fooled)


def test_one_step_raises_the_score_and_the_notes_sign_lowers_it() -> None:
    right, wrong = fooled_critic(2, 1), fooled_critic(2, -1)
    assert right[1] > right[0]
    assert wrong[1] < wrong[0]
