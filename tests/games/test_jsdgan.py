"""JSDGAN against the divergence of the evaluation, which sums over all sentences."""

from math import log
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixTable,
    assert_same_vector,
    gradient,
    index_of,
    log_probs,
    mask_of,
    sentences,
)
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.types import Batch, Generator, SequenceSpace, StepOut
from seqgan.games.jsdgan import JsdganGame, empirical_log_probs, jensen_shannon_loss
from seqgan.metrics.divergence import exact_divergences

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
TRAIN = sentences(SPACE)[torch.tensor([0, 0, 3, 5, 5, 5, 8, 9, 0, 14])]
"""Ten sentences of several lengths, some of them several times."""


def train_batch(rows: slice = slice(None)) -> Batch:
    ids_NT = TRAIN[rows]
    return Batch(ids_NT, mask_of(ids_NT, SPACE.end_id))


def empirical(ids_RT: Tensor) -> Tensor:
    """`q_R` of the listed sentences, counted with a dictionary."""
    counts: dict[tuple[int, ...], int] = {}
    for row in TRAIN.tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    return torch.tensor([counts.get(tuple(row), 0) / len(TRAIN) for row in ids_RT.tolist()])


def test_on_all_training_sentences_the_loss_is_the_exact_divergence() -> None:
    generator, ids_RT = PrefixTable(SPACE), sentences(SPACE)
    logp_R = log_probs(generator, ids_RT, SPACE.end_id).sum(1).detach()
    expected = exact_divergences(empirical(ids_RT).log(), logp_R)["jsd"]
    loss = jensen_shannon_loss(generator, train_batch(), empirical_log_probs(TRAIN))
    assert float(loss) == pytest.approx(expected, abs=1e-6)
    assert 0.1 < expected < log(2) - 0.1


def test_its_gradient_is_that_of_the_divergence() -> None:
    """Differentiated through the sum over all sentences, in float64."""
    generator, ids_RT = PrefixTable(SPACE), sentences(SPACE)
    q_R = empirical(ids_RT).double()
    logp_R = log_probs(generator, ids_RT, SPACE.end_id).sum(1).double()
    logm_R = torch.logaddexp(q_R.log(), logp_R) - log(2)
    of_q = (q_R * (q_R.log() - logm_R)).nan_to_num()
    divergence = 0.5 * (of_q + logp_R.exp() * (logp_R - logm_R)).sum()
    loss = jensen_shannon_loss(generator, train_batch(), empirical_log_probs(TRAIN))
    assert_same_vector(gradient(loss, generator), gradient(divergence, generator), 1e-5)


def test_batches_have_the_gradient_on_average() -> None:
    generator, logq_N = PrefixTable(SPACE), empirical_log_probs(TRAIN)
    whole = gradient(jensen_shannon_loss(generator, train_batch(), logq_N), generator)
    rows = [slice(row, row + 1) for row in range(len(TRAIN))]
    single = [
        gradient(jensen_shannon_loss(generator, train_batch(row), logq_N[row]), generator)
        for row in rows
    ]
    assert_same_vector(torch.stack(single).mean(0), whole)


class Fixed(Generator):
    """Gives every token of a sentence the same log-probability. It is not sampled."""

    def __init__(self, logp: float) -> None:
        super().__init__()
        self.logp = torch.nn.Parameter(torch.tensor(logp))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        rest = torch.log1p(-self.logp.exp()).expand(*tokens.shape, 1)
        return torch.cat([self.logp.expand(*tokens.shape, 1), rest], -1)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        raise NotImplementedError

    def step(self, x: Tensor, state: object) -> StepOut:
        raise NotImplementedError


@pytest.mark.parametrize("logp", [-60.0, -20.0, -3.0, -0.5])
def test_it_is_finite_where_probabilities_vanish(logp: float) -> None:
    """Against the closed form −½ (p/q) log(1 + q/p) of the gradient in log p, in float64."""
    generator, logq = Fixed(logp), log(1 / 20_000)
    real = Batch(torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool))
    loss = jensen_shannon_loss(generator, real, torch.tensor([logq]))
    ratio = torch.tensor(logp - logq, dtype=torch.float64).exp()
    slope = float(-0.5 * ratio * torch.log1p(1 / ratio))
    # The density of the fixed generator normalises: d log p / d parameter is 1.
    assert float(gradient(loss, generator)) == pytest.approx(slope, rel=1e-3)
    value = log(2) - 0.5 * float(torch.log1p(ratio) + ratio * torch.log1p(1 / ratio))
    assert float(loss) == pytest.approx(value, abs=1e-5)


def make_game(**overrides: Any) -> JsdganGame:
    experiment = tiny_experiment(
        {
            "game": {"name": "jsdgan"},
            **dict.fromkeys(("critic", "objective", "estimator")),
            "schedule": [{"repeat": 4, "phases": {"mle": 1, "generator": 1}}],
            **overrides,
        }
    )
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, JsdganGame)
    return game


def test_an_epoch_of_the_game_is_the_divergence_to_its_training_set() -> None:
    """64 sentences in eight batches: the mean of the losses, without updates, is exact."""
    game = make_game()
    player = game.players["generator"]
    losses = [float(loss) for _ in range(8) for _, loss, _ in game.updates("generator")]
    train = build_task(tiny_experiment(), CPU, None).sequences.train  # type: ignore[union-attr]
    listed = torch.cartesian_prod(*[torch.arange(4)] * 3)
    counts_R = index_of(train.x, 4).bincount(minlength=64)
    logp_R = log_probs(player.module, listed).sum(1).detach()
    expected = exact_divergences((counts_R / 64).log(), logp_R)["jsd"]
    assert sum(losses) / 8 == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("phase", ["mle", "generator"])
def test_both_phases_move_every_parameter(phase: str) -> None:
    game = make_game()
    player = game.players["generator"]
    before = {name: p.clone() for name, p in player.module.named_parameters()}
    for _ in range(2):
        for mover, loss, _ in game.updates(phase):
            mover.update(loss)
    for name, parameter in player.module.named_parameters():
        assert parameter.requires_grad != torch.equal(parameter, before[name]), name


def test_endless_data_are_refused() -> None:
    with pytest.raises(Exception, match=r"set data\.fresh=false"):
        make_game(**{"data.fresh": True})
