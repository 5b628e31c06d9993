"""Plans, distances and potentials against brute force and linear programming."""

from itertools import permutations, product
from math import cos, pi, sin

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import cosine_cost
from seqgan.objectives.transport import Transport, transport_plan

LONG = {"proximal": 0.1, "iterations": 400}
"""Long enough to have converged."""


def rows(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scores(features_RF: Tensor) -> Scores:
    return Scores(torch.zeros(len(features_RF)), features_BF=features_RF)


def cost(a: Tensor, b: Tensor) -> Tensor:
    return 1 - (a @ b) / (a.norm() * b.norm())


def best_assignment(fake_BF: Tensor, real_BF: Tensor) -> Tensor:
    """The least mean cost of any one-to-one assignment: W for equal weights. Differentiable."""
    table = torch.stack([torch.stack([cost(f, r) for r in real_BF]) for f in fake_BF])
    order_PB = torch.tensor(list(permutations(range(len(real_BF)))))
    return table[torch.arange(len(fake_BF)), order_PB].mean(1).min()


def linear_program(cost_RB: Tensor, of_rows: list[float], of_columns: list[float]):
    """scipy's solution for given masses."""
    r, b = cost_RB.shape
    sums = np.zeros((r + b, r * b))
    for i, j in product(range(r), range(b)):
        sums[i, i * b + j] = sums[r + j, i * b + j] = 1
    return linprog(cost_RB.double().flatten().numpy(), A_eq=sums, b_eq=of_rows + of_columns)


def test_the_cost_is_one_minus_the_cosine() -> None:
    a, b = rows(0, 3, 4), rows(1, 5, 4)
    expected = torch.stack([torch.stack([cost(x, y) for y in b]) for x in a])
    torch.testing.assert_close(cosine_cost(a, b), expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_that_of_the_best_assignment(seed: int) -> None:
    fake_BF, real_BF = rows(seed, 6, 3), rows(seed + 50, 6, 3)
    best = best_assignment(fake_BF, real_BF)
    exact = -Transport(**LONG).critic_loss(scores(real_BF), scores(fake_BF))
    torch.testing.assert_close(exact, best, rtol=5e-3, atol=1e-3)
    usual = Transport()
    distance = -usual.critic_loss(scores(real_BF), scores(fake_BF))
    assert float(distance) == pytest.approx(float(best), rel=0.1)


def test_every_sample_has_the_same_mass_and_every_real_one_gets_it() -> None:
    few = {"proximal": 0.5, "iterations": 1}
    cost_NBB = cosine_cost(rows(0, 2, 5, 3), rows(1, 5, 3))
    for settings in (few, LONG):
        way_NBB, _ = transport_plan(cost_NBB, **settings)
        torch.testing.assert_close(way_NBB.sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(way_NBB.sum(-2), torch.ones(2, 5), rtol=0, atol=0.02)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_gradient_with_a_fixed_plan_is_that_of_the_distance(blocks: int) -> None:
    """The envelope theorem; each block of rows is a batch of its own."""
    fake_RF, real_BF = rows(7, blocks * 5, 3).requires_grad_(), rows(8, 5, 3)
    value_R = Transport(**LONG).reward(scores(fake_RF), scores(real_BF))
    best = torch.stack([best_assignment(part, real_BF) for part in fake_RF.split(5)]).mean()
    torch.testing.assert_close(value_R.mean(), -best, rtol=5e-3, atol=1e-3)
    (found,) = torch.autograd.grad(value_R.mean(), fake_RF)
    (expected,) = torch.autograd.grad(-best, fake_RF)
    torch.testing.assert_close(found, expected, rtol=0.05, atol=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_potentials_are_the_dual_solution_of_the_linear_program(seed: int) -> None:
    """4 rows and 5 columns: masses of 1/4 and 1/5 leave one solution up to a constant."""
    cost_RB = cosine_cost(rows(seed, 4, 3), rows(seed + 9, 5, 3))
    _, potential_NR = transport_plan(cost_RB[None], **LONG)
    dual = linear_program(cost_RB, [0.25] * 4, [0.2] * 5).eqlin.marginals[:4]
    expected = torch.tensor(dual - dual.mean(), dtype=torch.float32)
    found = potential_NR[0] - potential_NR[0].mean()
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)


def on_circle(*degrees: float) -> Tensor:
    return torch.tensor([[cos(d * pi / 180), sin(d * pi / 180)] for d in degrees])


def test_a_sample_that_could_stay_has_more_reward_than_one_that_has_to_go() -> None:
    """0° and 60° are to become 60° and 120°. Both travel 60° and pay ½, but 60° is right: its
    potential is lower by ½ at least (it could stay) and by 1 at most (0° could go to 120°)."""
    value_B = Transport(**LONG).reward(scores(on_circle(0, 60)), scores(on_circle(60, 120)))
    assert 0.49 < float(value_B[1] - value_B[0]) < 1.01
    assert float(value_B.mean()) == pytest.approx(-0.5, abs=1e-3)


def test_the_expected_policy_gradient_points_to_the_nearer_distribution() -> None:
    """Every batch of three generated and three real samples, weighted by its probability, against
    the derivative of the distance between the distributions themselves."""
    points_KF = on_circle(0, 70, 160)
    logits_K = torch.tensor([0.8, 0.1, -0.6], requires_grad=True)
    p_K, q_K = logits_K.softmax(0), torch.tensor([0.15, 0.35, 0.5])
    batches = list(product(range(3), repeat=3))
    flat = torch.tensor(batches).flatten()
    prob_N = p_K.detach()[torch.tensor(batches)].prod(1)
    logp_NB = p_K.log()[torch.tensor(batches)]
    transport, total = Transport(), torch.zeros(())
    for real in batches:
        value_NB = transport.reward(scores(points_KF[flat]), scores(points_KF[list(real)]))
        weighted = prob_N[:, None] * value_NB.view(-1, 3) * logp_NB
        total = total + q_K[list(real)].prod() * weighted.sum() / 3
    (found,) = torch.autograd.grad(total, logits_K, retain_graph=True)
    solution = linear_program(cosine_cost(points_KF, points_KF), p_K.tolist(), q_K.tolist())
    dual = torch.tensor(solution.eqlin.marginals[:3], dtype=torch.float32)
    (expected,) = torch.autograd.grad(-(p_K * dual).sum(), logits_K)
    assert torch.cosine_similarity(found, expected, dim=0) > 0.9


def test_the_critic_moves_the_kinds_apart_whatever_the_length_of_features() -> None:
    fake_BF, real_BF = rows(0, 6, 3).requires_grad_(), rows(1, 6, 3).requires_grad_()
    transport = Transport()
    loss = transport.critic_loss(scores(real_BF), scores(fake_BF))
    longer = transport.critic_loss(scores(7 * real_BF), scores(3 * fake_BF))
    torch.testing.assert_close(loss, longer)
    slopes = torch.autograd.grad(loss, (fake_BF, real_BF))
    moved = [x - slope for x, slope in zip((fake_BF, real_BF), slopes, strict=True)]
    assert best_assignment(moved[0], moved[1]) > best_assignment(fake_BF, real_BF) + 1e-3


def test_kinds_of_fakes_enter_with_their_shares() -> None:
    fake, wrong, real = scores(rows(0, 4, 3)), scores(rows(1, 4, 3)), scores(rows(2, 4, 3))
    transport = Transport(**LONG)
    loss = transport.critic_loss(real, fake, wrong, shares=(0.7, 0.3))
    alone = [transport.critic_loss(real, kind) for kind in (fake, wrong)]
    torch.testing.assert_close(loss, 0.7 * alone[0] + 0.3 * alone[1])
