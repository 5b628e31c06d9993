"""Ideas on the Wasserstein distance."""

import pytest
from playing import play_quickly

from seqgan.lectures.transport import hills, kept_smooth, penalty_of_linear_critic
from seqgan.metrics.earth_mover import earth_movers_plan
from seqgan.objectives.penalties import WeightClip


def test_hills_cost_what_is_carried_past_each_place() -> None:
    p_K, q_K, cost_KK = hills()
    distance, _ = earth_movers_plan(p_K, q_K, cost_KK)
    assert distance == pytest.approx(float((p_K - q_K).cumsum(0).abs().sum()))


def test_clipping_acts_behind_the_step_and_a_linear_critic_of_norm_one_is_free() -> None:
    assert kept_smooth([WeightClip(0.02)], 3).largest_weight == pytest.approx(0.02)
    assert penalty_of_linear_critic(1) == pytest.approx(0, abs=1e-9)
    assert penalty_of_linear_critic(2) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("number", [23, 24])
def test_quick_form(number, tmp_path) -> None:
    found = play_quickly(number, tmp_path).findings
    assert len(found) > 3
