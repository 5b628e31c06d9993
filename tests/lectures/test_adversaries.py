"""Ideas on two players: 6, 7 and 8."""

from pathlib import Path

import pytest
import torch
from playing import play_quickly

from seqgan.lectures.adversaries import (
    RING,
    best_critic,
    changed_tensors,
    fit_critic,
    fooled_critic,
    reward_gradients,
    visit,
)
from seqgan.lectures.stage import Stage
from seqgan.training.game import Game


@pytest.fixture
def ring(tmp_path: Path) -> Game:
    """The ring's game after a few turns."""
    game = Stage(tmp_path, quick=True).build(RING)[2]
    for _ in range(10):
        visit(game, "critic")
    return game


def test_a_turn_changes_one_player_only(tmp_path: Path, ring: Game) -> None:
    found = {f.what.en: f for f in play_quickly(6, tmp_path).findings}
    assert found["tensors of G changed in D's turn"].value == 0
    assert found["tensors of D changed in G's turn"].value == 0
    assert found["steps that D's Adam remembers, per turn"].holds
    changed = changed_tensors(ring, "critic")
    assert changed["generator"] == 0 < changed["critic"]


def test_a_change_of_the_other_player_is_noticed(ring: Game) -> None:
    class Careless:
        players = ring.players

        def updates(self, phase: str):
            ring.players["critic"].module.readout.bias.data += 1
            yield from ring.updates(phase)

    assert changed_tensors(Careless(), "generator")["critic"] == 1


@pytest.mark.parametrize("objective", ["non_saturating", "lsgan"])
def test_both_losses_have_the_same_best_critic(objective: str) -> None:
    """With labels exchanged it would learn 1 − p / (p + q)."""
    x_N = torch.linspace(-2.5, 2.5, 50)
    error = (fit_critic(objective, 120, x_N) - best_critic(x_N)).abs().mean()
    swapped = (1 - fit_critic(objective, 120, x_N) - best_critic(x_N)).abs().mean()
    assert error < 0.12
    assert swapped > 0.3


def test_classification_and_regression_are_played(tmp_path: Path) -> None:
    assert len(play_quickly(7, tmp_path).findings) == 6


def test_only_the_non_saturating_loss_teaches_a_generator_that_is_found_out() -> None:
    sure = torch.tensor([-20.0])
    assert float(reward_gradients("minimax", sure)) == pytest.approx(2.06e-9, rel=0.01)
    assert float(reward_gradients("non_saturating", sure)) == pytest.approx(1)
    fooled = torch.tensor([5.0])
    assert reward_gradients("minimax", fooled) > reward_gradients("non_saturating", fooled)


@pytest.mark.parametrize("sign", [1, -1])
def test_turns_raise_the_score_and_the_notes_sign_lowers_it(ring: Game, sign: int) -> None:
    means = fooled_critic(ring, 4, sign)
    assert sign * (means[-1] - means[0]) > 0


def test_losses_are_played(tmp_path: Path) -> None:
    slopes = play_quickly(8, tmp_path).findings[:2]
    assert all(finding.holds for finding in slopes)
