"""The earth mover's distance: by hand, against other ways to compute it, and its dual."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from seqgan.metrics.earth_mover import earth_movers_distance, earth_movers_plan, sorted_distance


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_by_hand() -> None:
    """Half of the earth at 0 has to go to 3, the other half stays."""
    places = torch.tensor([0.0, 3.0])
    cost = (places[:, None] - places[None]).abs()
    distance, plan = earth_movers_plan(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]), cost)
    assert distance == pytest.approx(1.5)
    assert plan.flatten().tolist() == pytest.approx([0.5, 0.5, 0, 0])


@pytest.mark.parametrize("seed", range(3))
def test_on_the_line_the_programme_pairs_the_sorted_points(seed) -> None:
    x, y = normal(30, seed=seed), 2 * normal(30, seed=seed + 10) + 1
    found = earth_movers_distance(x[:, None], y[:, None])
    assert found == pytest.approx(sorted_distance(x, y), abs=1e-9)
    assert found == pytest.approx(wasserstein_distance(x.numpy(), y.numpy()), abs=1e-9)


def test_in_the_plane_it_is_the_cheapest_assignment() -> None:
    x, y = normal(25, 2), normal(25, 2, seed=1) + 1
    cost = torch.cdist(x, y).numpy()
    rows, columns = linear_sum_assignment(cost)
    assert earth_movers_distance(x, y) == pytest.approx(cost[rows, columns].mean(), abs=1e-9)


def test_plans_have_the_right_sums_and_the_order_of_the_sets_is_no_matter() -> None:
    p, q = normal(6).softmax(0), normal(9, seed=1).softmax(0)
    cost = normal(6, 9, seed=2).abs()
    distance, plan = earth_movers_plan(p, q, cost)
    torch.testing.assert_close(plan.sum(1), p)
    torch.testing.assert_close(plan.sum(0), q)
    assert float((plan * cost).sum()) == pytest.approx(distance)
    assert earth_movers_plan(q, p, cost.T)[0] == pytest.approx(distance)
    independent = float((p[:, None] * q[None] * cost).sum())
    assert distance < independent  # a plan too, and a dearer one


def test_shifted_sets_are_as_far_apart_as_the_shift() -> None:
    x = normal(20, 2)
    assert earth_movers_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert earth_movers_distance(x, x + torch.tensor([3.0, 4.0])) == pytest.approx(5)


def test_sets_of_unequal_size() -> None:
    """Three points at 0, and 0 with 6: half of the earth moves by 6."""
    assert earth_movers_distance(torch.zeros(3, 1), torch.tensor([[0.0], [6.0]])) == pytest.approx(
        3
    )


def test_histograms_have_to_sum_to_one() -> None:
    with pytest.raises(ValueError, match=r"the second histogram sums to 0\.5, not to 1"):
        earth_movers_plan(torch.tensor([1.0]), torch.tensor([0.5]), torch.ones(1, 1))
    with pytest.raises(ValueError, match="on a line"):
        sorted_distance(torch.zeros(3), torch.zeros(4))
