"""The critic alone: who moves in which phase, and that mining brings the search to the data."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import POINTS, tiny_experiment, train
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Critic, Scores, SequenceSpace
from seqgan.games.criterion import Criterion
from seqgan.games.critic_alone import CriticAloneGame
from seqgan.models.searches import ExhaustiveSearch
from seqgan.objectives.divergences import Divergence
from seqgan.runs.correcting import why_not_corrected
from seqgan.runs.saved import open_run
from seqgan.training.config import GeneratorPlayerConfig, PlayerConfig
from seqgan.training.player import Player

CPU = torch.device("cpu")
ALONE: dict[str, Any] = {
    "game": {"name": "critic_alone"},
    "estimator": None,
    "schedule": [{"repeat": 6, "phases": {"mine": 1, "critic": 1}}],
}
POINTS_ALONE = {**POINTS, **ALONE, "generator": {"name": "langevin", "steps": 2, "buffer": 8}}
GIBBS = {**ALONE, "generator": {"name": "gibbs", "steps": 2, "buffer": 8}}
GRID = {**POINTS_ALONE, "generator": {"name": "grid_search", "side": 8}}
EXHAUSTIVE = {**ALONE, "generator": {"name": "exhaustive"}}
SEARCHES = {"langevin": POINTS_ALONE, "grid": GRID, "gibbs": GIBBS, "exhaustive": EXHAUSTIVE}


def make_game(overrides: dict[str, Any]) -> CriticAloneGame:
    experiment = tiny_experiment(overrides)
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, CriticAloneGame)
    return game


def visit(game: CriticAloneGame, phase: str) -> dict[str, Tensor]:
    """One step of a phase; its statistics."""
    found: dict[str, Tensor] = {}
    for player, loss, stats in game.updates(phase):
        player.update(loss)
        found = stats
    return found


def weights(game: CriticAloneGame) -> list[Tensor]:
    return [p.detach().clone() for p in game.players["critic"].module.parameters()]


@pytest.mark.parametrize("overrides", SEARCHES.values(), ids=SEARCHES.keys())
def test_mining_finds_and_the_critic_learns(overrides: dict[str, Any]) -> None:
    game = make_game({**overrides, "players.generator": {"ema": 0.5}})
    before = weights(game)
    visit(game, "mine")
    assert game._negatives.found is not None
    assert len(game._negatives.found.x) == 8
    assert all(map(torch.equal, before, weights(game)))
    visit(game, "critic")
    after = weights(game)
    assert not any(map(torch.equal, before, after))
    with game.players["generator"].evaluated() as averaged:
        means = list(averaged.parameters())  # half-way, by `ema`
    pairs = zip(before, after, means, strict=True)
    assert all(torch.allclose((a + b) / 2, m, atol=1e-6) for a, b, m in pairs)
    assert game.players["generator"].updates == game.players["critic"].updates == 1


@pytest.mark.parametrize("overrides", SEARCHES.values(), ids=SEARCHES.keys())
def test_before_it_mines_negatives_are_fresh_noise(overrides: dict[str, Any]) -> None:
    game = make_game(overrides)
    asked = []
    draw = game._generator.module.random_samples
    game._generator.module.random_samples = lambda rows: asked.append(rows) or draw(rows)
    visit(game, "critic")
    visit(game, "critic")
    visit(game, "mine")
    visit(game, "critic")
    assert asked == [8, 8]


def test_with_nothing_but_real_samples_everything_is_scored_highly() -> None:
    """Noise, too: nobody told the critic otherwise."""
    game = make_game({**POINTS_ALONE, "players.critic": {"lr": 0.02}})
    for _ in range(40):
        visit(game, "real")
    with torch.no_grad():
        scores = game.players["critic"].module(game._generator.module.random_samples(200).x).score
    assert float(torch.sigmoid(scores).min()) > 0.9
    assert game.players["generator"].updates == 40


def test_without_negatives_there_are_the_penalties_at_real_samples_only() -> None:
    """Else the critic's slope grows without bound, and with it a difference between real samples
    and others that nobody taught it."""
    penalties = [{"name": name, "weight": 2.0} for name in ("gradient_penalty", "r1", "r2")]
    game = make_game({**POINTS_ALONE, "penalties": penalties})
    ((_, loss, stats),) = game.updates("real")
    assert set(stats) == {"real_reward", "r1"}
    assert float(stats["r1"]) > 0
    torch.testing.assert_close(loss.detach(), stats["r1"] - stats["real_reward"])


def test_a_pool_keeps_negatives_of_former_rounds() -> None:
    game = make_game({**GRID, "game": {"name": "critic_alone", "pool": 8}, "seed": 1})
    visit(game, "mine")
    assert game._negatives.found is not None
    first = {tuple(row) for row in game._negatives.found.x.tolist()}
    visit(game, "mine")
    second = {tuple(row) for row in game._negatives.found.x.tolist()}
    assert 0 < len(first & second) < 8


def test_constraints_act_on_the_critic_that_is_searched() -> None:
    clipped = [{"name": "weight_clip", "limit": 0.01}, {"name": "spectral_norm"}]
    game = make_game({**POINTS_ALONE, "penalties": clipped})
    visit(game, "critic")
    searched = game.players["generator"].module.critic
    assert searched is game.players["critic"].module
    assert max(float(p.detach().abs().max()) for p in searched.parameters()) <= 0.01
    assert any("original" in name for name, _ in searched.named_parameters())


# ── What it tends to ──────────────────────────────────────────────────────────────────────────


class Table(Critic):
    """A score of its own for every sentence of V = 3, T = 2, all 0 to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.score_R = nn.Parameter(torch.zeros(9))

    def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
        return Scores(self.score_R[x @ torch.tensor([3, 1])])


class Whole:
    """A stream whose every batch is the data: nine times sentence 0, four times 4, thrice 8."""

    numbers_B = torch.tensor([0] * 9 + [4] * 4 + [8] * 3)
    truth_R = numbers_B.bincount(minlength=9) / 16
    batch_size = 16

    def next(self) -> Batch:
        ids_BT = all_sequences(3, 2)[self.numbers_B]
        return Batch(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))


def table_game(objective: str, temperature: float, rate: float, batch: int) -> CriticAloneGame:
    torch.manual_seed(0)
    space, critic, stream = SequenceSpace(3, 2), Table(), Whole()
    stream.batch_size = batch
    sgd = PlayerConfig(optimizer="sgd", lr=rate, clip_norm=None)
    search = Player(
        "generator", ExhaustiveSearch(space, critic, temperature), GeneratorPlayerConfig()
    )
    criterion = Criterion(Divergence(objective), [], space)  # type: ignore[arg-type]
    return CriticAloneGame(search, Player("critic", critic, sgd), criterion, stream)  # type: ignore[arg-type]


def found_share(game: CriticAloneGame, rounds: int) -> Tensor:
    """Share of each sentence among all that so many rounds of mining find."""
    counts_R = torch.zeros(9)
    for _ in range(rounds):
        visit(game, "mine")
        assert game._negatives.found is not None
        counts_R += (game._negatives.found.x @ torch.tensor([3, 1])).bincount(minlength=9)
        visit(game, "critic")
    return counts_R / counts_R.sum()


def test_the_arg_max_of_each_round_matches_the_data_in_the_mean() -> None:
    """Herding (Welling 2009): the error times the number of rounds stays bounded."""
    for rounds in (20, 100):
        share_R = found_share(table_game("wgan", 0.0, 1.0, batch=1), rounds)
        assert float((share_R - Whole.truth_R).abs().max()) * rounds < 2.5


def test_mining_from_the_model_follows_the_likelihood() -> None:
    """The update against e^D / Z is, in the mean, the gradient of the data's likelihood."""
    game = table_game("wgan", 1.0, 0.5, batch=4_000)
    for _ in range(3):
        search = game._generator.module
        assert isinstance(search, ExhaustiveSearch)
        before, model_R = weights(game)[0], search.log_weights().softmax(0)
        visit(game, "mine")
        visit(game, "critic")
        step_R = (weights(game)[0] - before) / 0.5
        assert torch.allclose(step_R, Whole.truth_R - model_R, atol=0.03)


@pytest.mark.parametrize(
    ("objective", "temperature", "near"), [("wgan", 1.0, 0.05), ("non_saturating", 0.1, 0.15)]
)
def test_round_after_round_the_search_comes_to_the_data(
    objective: str, temperature: float, near: float
) -> None:
    game = table_game(objective, temperature, 2 * temperature, batch=500)
    search = game._generator.module
    assert isinstance(search, ExhaustiveSearch)
    distances = []
    for rounds in (0, 10, 60):
        found_share(game, rounds) if rounds else None
        model_R = search.log_weights().softmax(0)
        distances.append(0.5 * float((model_R - Whole.truth_R).abs().sum()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < near


# ── What does not go together ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({**POINTS, "generator": {"name": "langevin"}}, "use game critic_alone"),
        ({**GRID, "generator": POINTS["generator"]}, "use generator grid_search, langevin"),
        ({**GIBBS, "generator": {"name": "gru"}}, "use generator exhaustive, gibbs"),
        ({**GRID, "estimator": {"name": "pathwise"}}, "has no use for estimator"),
        ({**POINTS, "generator": {"name": "gru"}}, "choose from: mlp$"),
    ],
)
def test_a_search_needs_its_game(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tiny_experiment(overrides)


def test_a_batch_is_no_larger_than_the_buffer() -> None:
    with pytest.raises(UserError, match=r"generator.buffer=7: .* train.batch_size=8"):
        make_game({**GIBBS, "generator": {"name": "gibbs", "buffer": 7}})


def test_sentences_that_a_chain_finds_are_sampled_but_have_no_likelihood(tmp_path: Path) -> None:
    run = open_run(train(tmp_path / "run", GIBBS))
    assert run.sample(3) == run.sample(3)
    assert len(run.sample(3)) == 3
    metrics = run.evaluate()["rows"][0]["metrics"]
    assert "nll_oracle" in metrics
    assert "nll_test" not in metrics
    with pytest.raises(UserError, match="generator gibbs finds sentences by search"):
        run.score([[1, 2, 3]])
    assert why_not_corrected(run.experiment, run._reported[0]) == (
        "the generator is a search of that very critic"
    )
