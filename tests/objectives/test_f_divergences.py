"""The f-GAN family: conjugates against their definition, bounds against Gaussians' closed forms."""

from math import log

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.types import Scores
from seqgan.metrics.gaussians import gaussian_divergences
from seqgan.objectives.config import FGanConfig
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.f_divergences import F_DIVERGENCES, FGan

NAMES = sorted(F_DIVERGENCES)
SCORES = torch.linspace(-1.9, 0.9, 15, dtype=torch.float64)
"""Where the supremum of each is at some u > 0 (pearson: d > −2)."""
BEST_SCORE = {"pearson": lambda r: 2 * r.expm1(), "hellinger": lambda r: r / 2}
"""The score of the best critic at a log density ratio; of the others that ratio itself."""
P, Q = (0.3, 0.8), (-0.4, 1.1)
"""Mean and standard deviation of the two Gaussians."""


@pytest.mark.parametrize("name", NAMES)
def test_the_conjugate_is_the_supremum_that_defines_it(name) -> None:
    """f*(t) = sup_u (u t − f(u)), by a fine grid of u."""
    row = F_DIVERGENCES[name]
    t_N = row.activation(SCORES)
    u_M = torch.logspace(-6, 2, 40_000, dtype=torch.float64)
    grid = torch.stack([(t * u_M - row.f(u_M)).max() for t in t_N])
    torch.testing.assert_close(row.conjugate(t_N), grid, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_stable_form_is_the_conjugate_of_the_activation(name) -> None:
    row = F_DIVERGENCES[name]
    composed = row.conjugate(row.activation(SCORES))
    torch.testing.assert_close(row.conjugate_of_score(SCORES), composed)


@pytest.mark.parametrize("name", NAMES)
def test_the_best_score_is_where_the_table_says(name) -> None:
    row, r = F_DIVERGENCES[name], torch.linspace(-2, 2, 9, dtype=torch.float64)
    best = BEST_SCORE.get(name, lambda r: r)(r)
    torch.testing.assert_close(row.activation(best), row.slope(r.exp()))
    u = r.exp().requires_grad_()
    (slope,) = torch.autograd.grad(row.f(u).sum(), u)
    torch.testing.assert_close(row.slope(u.detach()), slope)
    assert float(row.f(torch.ones(()))) == pytest.approx(-2 * log(2) if name == "gan" else 0)


def grid_of_samples() -> tuple[Tensor, Tensor, Tensor]:
    """Points of the line, and the shares that p and q give them."""
    x = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    p, q = (torch.distributions.Normal(*map(torch.tensor, pair)).log_prob(x) for pair in (P, Q))
    return x, p.softmax(0), q.softmax(0)


def bound(name: str, score: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """E_p[g(d)] − E_q[f*(g(d))] of a critic's scores on the grid."""
    row = F_DIVERGENCES[name]
    return (p * row.activation(score) - q * row.conjugate_of_score(score)).sum()


@pytest.mark.parametrize("name", NAMES)
def test_the_best_critic_reaches_the_closed_form_and_no_other_does(name) -> None:
    x, p, q = grid_of_samples()
    best = BEST_SCORE.get(name, lambda r: r)((p / q).log())
    truth = gaussian_divergences(*P, *Q)[name]
    reached = float(bound(name, best, p, q))
    assert reached == pytest.approx(truth, rel=1e-5)
    for worse in (best + 0.1, best - 0.1, best + 0.05 * x):
        assert float(bound(name, worse, p, q)) < reached


@pytest.mark.parametrize("name", NAMES)
def test_a_trained_critic_is_within_three_per_cent_of_the_closed_form(name) -> None:
    """By the objective's own loss, on quantiles of the two Gaussians instead of chance."""
    torch.manual_seed(0)
    u = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    real, fake = (torch.distributions.Normal(*map(torch.tensor, pair)).icdf(u) for pair in (P, Q))
    critic = nn.Linear(2, 1, dtype=torch.float64)

    def scores(x: Tensor) -> Scores:
        ratio = critic(torch.stack([x, x.square()], 1))[:, 0]  # log p/q of Gaussians is of degree 2
        return Scores(BEST_SCORE.get(name, lambda r: r)(ratio))

    objective = FGan(name)
    optimizer = torch.optim.LBFGS(critic.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = objective.critic_loss(scores(real), scores(fake))
        value.backward()
        return value

    optimizer.step(loss)
    reached = -float(objective.critic_loss(scores(real), scores(fake)).detach())
    truth = gaussian_divergences(*P, *Q)[name]
    assert reached == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_critic_and_generator_pull_apart(name) -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    objective = FGanConfig(divergence=name).build()
    loss = objective.critic_loss(Scores(real), Scores(fake))
    real_slope, fake_slope = torch.autograd.grad(loss, (real, fake))
    assert (real_slope < 0).all()
    assert (fake_slope > 0).all()
    (slope,) = torch.autograd.grad(objective.reward(Scores(fake)).sum(), fake)
    torch.testing.assert_close(slope / 3, fake_slope)  # what one raises, the other lowers


def test_gan_is_the_minimax_game() -> None:
    real, fake = Scores(torch.tensor([2.0, -30.0])), Scores(torch.tensor([-1.0, 50.0]))
    ours, theirs = FGan("gan"), Divergence("minimax")
    assert torch.equal(ours.critic_loss(real, fake), theirs.critic_loss(real, fake))
    assert torch.equal(ours.reward(fake), theirs.reward(fake))
    shifted = FGan("js").critic_loss(real, fake) - FGan("gan").critic_loss(real, fake)
    assert float(shifted) == pytest.approx(-2 * log(2), rel=1e-5)


@pytest.mark.parametrize("name", ["js", "gan"])
def test_no_digits_are_lost_where_the_probability_rounds_to_one(name) -> None:
    score = torch.tensor([40.0, 80.0], requires_grad=True)
    value = FGan(name).reward(Scores(score))
    assert value.tolist() == pytest.approx([40.0, 80.0], abs=1)
    (slope,) = torch.autograd.grad(value.sum(), score)
    assert slope.tolist() == [1, 1]


def test_steps_behind_an_end_do_not_count_and_shares_weigh_the_fakes() -> None:
    mask = torch.tensor([[True, True], [True, False]])
    score = torch.tensor([[0.5, -1.0], [0.2, 99.0]])
    flat = Scores(score[mask])
    objective = FGan("reverse_kl")
    assert torch.equal(
        objective.critic_loss(Scores(score, mask), Scores(score, mask)),
        objective.critic_loss(flat, flat),
    )
    one, two = (Scores(torch.tensor([x])) for x in (0.3, 1.3))
    losses = [float(objective.critic_loss(one, fake)) for fake in (one, two)]
    mixed = float(objective.critic_loss(one, one, two, shares=(0.25, 0.75)))
    assert mixed == pytest.approx(0.25 * losses[0] + 0.75 * losses[1])
