"""Scheduled sampling against an enumeration of everything that may have been read."""

from itertools import product

import pytest
import torch
from enumeration import (
    GENERATORS,
    PrefixTable,
    assert_mean_is,
    assert_same_vector,
    gradient,
    make_generator,
    mask_of,
    sentences,
)
from tiny_runs import tiny_experiment
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.types import Batch, SequenceSpace, StepOut
from seqgan.games.mle import likelihood_loss
from seqgan.games.scheduled_sampling import scheduled_sampling_loss
from seqgan.training.game import Game
from seqgan.training.player import Player

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
OPEN = SequenceSpace(vocab_size=2, length=3)


def batch_of(ids_BT: Tensor, end_id: int | None) -> Batch:
    return Batch(ids_BT, mask_of(ids_BT, end_id))


@pytest.mark.parametrize("name", GENERATORS)
def test_without_own_tokens_it_is_the_likelihood(name: str) -> None:
    generator, real = make_generator(name, SPACE), batch_of(sentences(SPACE), SPACE.end_id)
    plain, scheduled = likelihood_loss(generator, real), scheduled_sampling_loss(generator, real, 0)
    torch.testing.assert_close(scheduled, plain, rtol=1e-5, atol=1e-6)
    assert_same_vector(gradient(scheduled, generator), gradient(plain, generator))


class Recorder(nn.Module):
    """Remembers what a generator was fed."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.fed: list[Tensor] = []

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self.inner.start(batch, cond)

    def step(self, x: Tensor, state: object) -> StepOut:
        self.fed.append(x)
        return self.inner.step(x, state)


def test_with_own_tokens_only_no_real_token_is_ever_read() -> None:
    fed = []
    for real in (torch.zeros(64, 3, dtype=torch.long), torch.ones(64, 3, dtype=torch.long)):
        torch.manual_seed(0)
        generator = Recorder(PrefixTable(SPACE))
        scheduled_sampling_loss(generator, batch_of(real, None), 1.0)
        fed.append(torch.stack(generator.fed, 1))
    assert torch.equal(fed[0], fed[1])
    assert len(fed[0].unique()) == 3
    assert fed[0].shape == (64, 2), "the last token is predicted, not read"


def expected_loss(generator: PrefixTable, real_BT: Tensor, probability: float) -> Tensor:
    """Σ_u P(u) · loss over every prefix that may be read in place of the real one; P(u) without
    gradient. Independent of the code: plain tables and loops."""
    total = torch.zeros(())
    length = real_BT.shape[1]
    for real in real_BT.tolist():
        for read in product(range(generator.vocab_size), repeat=length - 1):
            weight, prefix, loss = 1.0, 0, torch.zeros(())
            for time in range(length):
                logp_V = generator.tables[time][prefix].log_softmax(-1)
                loss = loss - logp_V[real[time]]
                if time < length - 1:
                    own = float(logp_V[read[time]].detach().exp())
                    weight *= probability * own + (1 - probability) * (read[time] == real[time])
                    prefix = prefix * generator.vocab_size + read[time]
            total = total + weight * loss
    return total / real_BT.numel()


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_loss_and_gradient_are_those_of_the_enumeration(probability: float) -> None:
    generator, real_BT = PrefixTable(OPEN), torch.tensor([[0, 1, 1], [1, 0, 1]])
    expected = expected_loss(generator, real_BT, probability)
    torch.manual_seed(0)
    many = batch_of(real_BT.repeat(250, 1), None)
    losses = [scheduled_sampling_loss(generator, many, probability) for _ in range(200)]
    mean = torch.stack(losses).mean()
    torch.testing.assert_close(mean, expected, rtol=5e-3, atol=0)
    samples_KD = torch.stack([gradient(loss, generator) for loss in losses])
    assert_mean_is(samples_KD, gradient(expected, generator), relative=0.02)


def test_reading_only_its_own_tokens_it_wants_the_columns_apart() -> None:
    """Improper (Huszár 2015): the data 00, 11 are unlearnt in favour of their marginals."""
    space = SequenceSpace(vocab_size=2, length=2)
    data_BT = torch.tensor([[0, 0], [1, 1]])
    truth, marginals = PrefixTable(space), PrefixTable(space)
    with torch.no_grad():
        for table in (*truth.tables, *marginals.tables):
            table.zero_()
        truth.tables[1].copy_(torch.tensor([[9.0, 0.0], [0.0, 9.0]]))

    def loss(generator: PrefixTable, probability: float) -> float:
        return float(expected_loss(generator, data_BT, probability).detach())

    assert loss(marginals, 1.0) < loss(truth, 1.0)
    assert loss(marginals, 0.0) > loss(truth, 0.0)
    assert float(gradient(expected_loss(marginals, data_BT, 1.0), marginals).norm()) < 1e-6


def test_the_game_asks_the_schedule_at_each_of_its_updates() -> None:
    game_config = {"name": "mle", "scheduled_sampling": {"start": 0, "end": 1.0, "steps": 1}}
    nobody = dict.fromkeys(("critic", "objective", "estimator"))
    schedule = [{"repeat": 2, "phases": {"mle": 1}}]
    experiment = tiny_experiment({"game": game_config, "schedule": schedule, **nobody})
    games = [build_game(experiment, build_task(experiment, CPU, None), CPU) for _ in range(2)]
    for probability in (0.0, 1.0):
        ((player, loss, _),) = played(games[0])
        real = games[1]._stream.next()
        torch.manual_seed(1)
        expected = scheduled_sampling_loss(player.module, real, probability)
        torch.testing.assert_close(loss, expected)
        player.update(loss)


def played(game: Game) -> list[tuple[Player, Tensor, dict[str, Tensor]]]:
    torch.manual_seed(1)
    return list(game.updates("mle"))
