"""Evolution: the child that survives is the one a brute-force comparison picks."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_runs import assert_same_tree, tiny_experiment
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.rng import isolated
from seqgan.core.types import Batch
from seqgan.games.evolution import EvolutionaryGame, fitness
from seqgan.objectives.divergences import Divergence

CPU = torch.device("cpu")
MUTATIONS = ["minimax", "lsgan", "rsgan"]
PLAYERS = {"generator": {"lr": 0.2, "ema": 0.5}, "critic": {"lr": 0.02}}
ESTIMATORS: dict[str, dict[str, Any]] = {
    "moving average": {"name": "score_function", "baseline": {"name": "moving_average"}},
    "annealed temperature": {
        "name": "straight_through_gumbel",
        "temperature": {"start": 2.0, "end": 0.5, "steps": 3},
    },
}


def make_game(
    estimator: dict[str, Any],
    mutations: list[str] = MUTATIONS,
    diversity: float = 0.001,
    options: dict[str, Any] | None = None,
) -> EvolutionaryGame:
    evolution = {"mutations": mutations, "diversity": diversity}
    experiment = tiny_experiment(
        {
            "game": {"name": "adversarial", "evolution": evolution, **(options or {})},
            "objective": {"name": "non_saturating", "reward": "prob"},
            "estimator": estimator,
            "players": PLAYERS,
            "train.batch_size": 64,
            "schedule": [{"repeat": 2, "phases": {"critic": 1, "evolve": 1}}],
        }
    )
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, EvolutionaryGame)
    return game


def play(game: EvolutionaryGame, phase: str) -> int:
    """Updates made in a visit."""
    updates = 0
    for player, loss, _ in game.updates(phase):
        player.update(loss)
        updates += 1
    return updates


def state_of(game: EvolutionaryGame) -> dict[str, Any]:
    """Everything that decides what comes next, without the random numbers."""
    players = {name: player.state_dict() for name, player in game.players.items()}
    parts = {name: part.state_dict() for name, part in game.stateful().items()}
    return copy.deepcopy({"players": players, "parts": parts})


def put(game: EvolutionaryGame, state: dict[str, Any]) -> None:
    state = copy.deepcopy(state)
    for name, player in game.players.items():
        player.load_state_dict(state["players"][name])
    for name, part in game.stateful().items():
        part.load_state_dict(state["parts"][name])


def gradient_norm(critic: nn.Module, loss: Tensor) -> float:
    critic.zero_grad()
    loss.backward()
    squares = [float(p.grad.double().square().sum()) for p in critic.parameters()]
    critic.zero_grad()
    return sum(squares) ** 0.5


def by_hand(
    game: EvolutionaryGame, real: Batch, fake: Tensor, mask: Tensor, weight: float
) -> float:
    """Mean σ(D) − λ log ‖∇ loss‖, written down once more."""
    critic = game.players["critic"].module
    real_B, fake_B = critic(real.x, real.mask).score, critic(fake, mask).score
    loss = F.softplus(-real_B).mean() + F.softplus(fake_B).mean()
    quality = float(fake_B.detach().sigmoid().mean())
    return quality - weight * float(torch.tensor(gradient_norm(critic, loss)).log())


def brute_force(estimator: dict[str, Any], state: dict[str, Any], diversity: float) -> Any:
    """(state, mutation) of the best child, each made by a plain adversarial game of its own."""
    seed = int(torch.randint(2**62, ()))
    children = []
    for name in MUTATIONS:
        game = make_game(estimator, diversity=diversity)
        put(game, state)
        objective = Divergence(name)
        inner = game._game
        real = copy.deepcopy(inner.stream).next()
        inner.criterion = replace(inner.criterion, objective=objective)
        # The plain game reads real sentences only where the objective asks for them.
        inner._reads_real_samples = lambda: True
        torch.manual_seed(seed)
        assert play_inner(inner) == 1
        torch.manual_seed(seed)
        with torch.no_grad():
            rollout = inner.generator.estimator.sample(
                inner.players["generator"].module, type("R", (), {"rows": 64, "cond": None})
            )
        fit = by_hand(game, real, rollout.tokens, rollout.mask_BT, diversity)
        children.append((fit, name, state_of(game)))
    children.sort(key=lambda child: child[0])
    assert children[-1][0] > children[-2][0] + 1e-5, "a tie tests nothing"
    return children[-1]


def play_inner(game: Any) -> int:
    updates = 0
    for player, loss, _ in game.updates("generator"):
        player.update(loss)
        updates += 1
    return updates


@pytest.mark.parametrize("diversity", [0.001, 1.0])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())
def test_the_surviving_child_is_the_brute_force_one(
    estimator: dict[str, Any], diversity: float
) -> None:
    """Weights, averages, optimizer, baseline or temperature: all are the winner's, visit by
    visit, so that no loser left a trace."""
    game = make_game(estimator, diversity=diversity)
    torch.manual_seed(0)
    for phase in ("critic", "generator") * 3:  # an optimizer and a critic with a past
        play(game, phase)
    winners = []
    for _ in range(4):
        play(game, "critic")
        before = state_of(game)
        rng = torch.get_rng_state()
        _, name, expected = brute_force(estimator, before, diversity)
        torch.set_rng_state(rng)
        assert play(game, "evolve") == len(MUTATIONS)
        assert_same_tree(state_of(game), expected)
        assert game.players["generator"].updates == before["players"]["generator"]["updates"] + 1
        winners.append(name)
    assert len(set(winners)) > 1, f"always {winners[0]}: the comparison was not put to the test"


def test_evolution_moves_the_random_stream_by_one_number_only() -> None:
    """However many children there are: what comes after a visit does not depend on them."""
    after = []
    for mutations in (MUTATIONS, MUTATIONS[:2]):
        game = make_game(ESTIMATORS["moving average"], mutations)
        torch.manual_seed(3)
        play(game, "evolve")
        after.append(torch.rand(3))
    assert torch.equal(after[0], after[1])


LEAVE_ONE_OUT = {"baseline": {"name": "leave_one_out"}}
ONCE = {"name": "ppo", "epochs": 1, **LEAVE_ONE_OUT}
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "likelihood": ({"mle_weight": 0.5}, ONCE),
    "demonstrations": ({"demonstrations": {"share": {"start": 0.5, "end": 0, "steps": 3}}}, ONCE),
    "trust region": ({"reference_kl": 0.5}, ONCE),
    "epochs": ({}, {**ONCE, "epochs": 3}),
    "all": (
        {"mle_weight": 0.5, "demonstrations": {"share": {"start": 0.5, "end": 0, "steps": 3}}},
        {**ONCE, "epochs": 3},
    ),
}


def evolved(options: dict[str, Any], estimator: dict[str, Any]) -> dict[str, Any]:
    """The state after two visits of `evolve` with one mutation, the game's own objective."""
    game = make_game(estimator, options=options)
    game._mutations = [game._game.criterion.objective]
    torch.manual_seed(3)
    for _ in range(2):
        play(game, "evolve")
    return state_of(game)


@pytest.mark.parametrize(("options", "estimator"), OPTIONS.values(), ids=OPTIONS.keys())
def test_a_population_of_one_is_the_adversarial_game(
    options: dict[str, Any], estimator: dict[str, Any]
) -> None:
    """Likelihood of real sentences, demonstrations and PPO's epochs: bit for bit."""
    plain = make_game(estimator, options=options)
    plain._game._reads_real_samples = lambda: True  # evolution always reads real sentences
    torch.manual_seed(3)
    for _ in range(2):
        seed = int(torch.randint(2**62, ()))
        with isolated(seed):
            play_inner(plain._game)
    assert_same_tree(evolved(options, estimator), state_of(plain))


@pytest.mark.parametrize(("options", "estimator"), OPTIONS.values(), ids=OPTIONS.keys())
def test_each_option_changes_what_evolves(
    options: dict[str, Any], estimator: dict[str, Any]
) -> None:
    changed = evolved(options, estimator)["players"]["generator"]
    bare = evolved({}, ONCE)["players"]["generator"]
    assert changed["updates"] == 2 * estimator["epochs"]
    same = [torch.equal(changed["module"][name], bare["module"][name]) for name in bare["module"]]
    assert sum(same) <= 1, "all weights but GRU's second bias, which stays 0, have learned"


def test_children_see_the_same_number_of_demonstrations() -> None:
    """The share falls with each visit, not with each child."""
    game = make_game(
        ONCE, options={"demonstrations": {"share": {"start": 0.5, "end": 0, "steps": 4}}}
    )
    counts = []
    estimate = game._game.generator.estimator.loss

    def look(generator: Any, rollout: Any, reward: Any, *terms: Any) -> Any:
        counts.append(int((reward(rollout.tokens, rollout.mask_BT) == 2).sum()))
        return estimate(generator, rollout, reward, *terms)

    game._game.generator.estimator.loss = look
    for _ in range(3):
        play(game, "evolve")
    assert counts == [32] * 3 + [24] * 3 + [16] * 3


def test_fitness_prefers_high_scores_and_small_gradients() -> None:
    game = make_game(ESTIMATORS["moving average"])
    critic, objective = game.players["critic"].module, game._game.criterion.objective
    real = game._game.stream.next()
    fakes = [Batch(torch.randint(4, (64, 3)), torch.ones(64, 3, dtype=torch.bool)) for _ in "ab"]
    for weight in (0.0, 0.5):
        for fake in fakes:
            found = float(fitness(critic, objective, real, fake, weight))
            expected = by_hand(game, real, fake.x, fake.mask, weight)
            assert found == pytest.approx(expected, rel=1e-5)


def test_evolving_leaves_the_critic_alone() -> None:
    game = make_game(ESTIMATORS["moving average"])
    before = copy.deepcopy(game.players["critic"].state_dict())
    play(game, "evolve")
    assert_same_tree(game.players["critic"].state_dict(), before)
    assert all(p.grad is None for p in game.players["critic"].module.parameters())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"schedule": [{"repeat": 1, "phases": {"critic": 1, "evolve": 1}}]}, "go together"),
        (
            {"game": {"name": "adversarial", "evolution": {"mutations": ["wgan", "hinge"]}}},
            "go together",
        ),
        (
            {
                "game": {"name": "adversarial", "evolution": {"diversity": 0.1}},
                "schedule": [{"repeat": 1, "phases": {"critic": 1, "evolve": 1}}],
                "estimator": {"name": "score_function", "baseline": {"name": "learned"}},
            },
            "use leave_one_out",
        ),
        ({"game": {"name": "adversarial", "evolution": {"mutations": ["wgan"]}}}, "mutations"),
    ],
)
def test_what_cannot_evolve_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment(overrides)
