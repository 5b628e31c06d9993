"""Ideas on what the game measures: exact parts, and the quick form of each."""

from math import log

import pytest
import torch
from playing import play_quickly

from seqgan.lectures.disjoint import Lines
from seqgan.lectures.divergences import best_gaussian, best_value, trained_value
from seqgan.objectives.divergences import Divergence


def test_the_best_critic_gives_js_and_no_overlap_gives_zero() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2, 0.0]), torch.tensor([0.0, 0.1, 0.4, 0.5])
    exact, by_js = best_value(p, q)
    assert exact == pytest.approx(by_js, abs=1e-6)
    assert best_value(p, p) == pytest.approx((-2 * log(2),) * 2)
    assert best_value(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == pytest.approx((0, 0))


def test_a_trained_critic_reaches_it_from_below() -> None:
    p = torch.tensor([60, 30, 10])
    exact, _ = best_value(p / 100, p.flip(0) / 100)
    value, critic_K = trained_value(p, p.flip(0), 150)
    assert exact - 3e-3 < value <= exact + 1e-6
    torch.testing.assert_close(critic_K, torch.tensor([6 / 7, 0.5, 1 / 7]), atol=0.02, rtol=0)


def test_kl_covers_and_reverse_kl_picks() -> None:
    """The humps are at ±1.6, of standard deviation .5 and weights .65 and .35."""
    mean, std = best_gaussian("kl", 150)
    assert (mean, std) == pytest.approx((-0.48, 1.6), abs=0.05)
    assert best_gaussian("reverse_kl", 150) == pytest.approx((-1.6, 0.5), abs=0.05)


def test_what_a_critic_teaches_is_the_slope_of_the_reward() -> None:
    """A critic of score −x pulls θ down by 1 for WGAN; minimax, by σ(−θ)."""

    def critic(x: torch.Tensor) -> torch.Tensor:
        from seqgan.core.types import Scores

        return Scores(-x[:, 0])

    lines = Lines(2.0)
    assert lines.slope(critic, Divergence("wgan")) == pytest.approx(-1)
    saturated = float(torch.sigmoid(torch.tensor(-2.0)))
    assert lines.slope(critic, Divergence("minimax")) == pytest.approx(-saturated)
    real, fake = lines.draw(50)
    assert torch.equal(real[:, 0], torch.zeros(50))
    assert torch.equal(fake[:, 0], torch.full((50,), 2.0))


@pytest.mark.parametrize("number", [20, 21, 22])
def test_quick_form(number, tmp_path) -> None:
    found = play_quickly(number, tmp_path).findings
    assert len(found) > 3
