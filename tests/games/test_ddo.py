"""DDO and DGSAN: the density ratio as a critic, by enumeration of all sentences."""

from math import log
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixTable,
    assert_same_vector,
    gradient,
    log_probs,
    mask_of,
    sentences,
)
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.types import Batch, SequenceSpace
from seqgan.games.ddo import DdoGame, ratio_loss

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
ALL = sentences(SPACE)


def one(ids_T: Tensor) -> Batch:
    return Batch(ids_T[None], mask_of(ids_T[None], SPACE.end_id))


def density(generator: PrefixTable) -> Tensor:
    return log_probs(generator, ALL, SPACE.end_id).sum(1).exp().detach()


def expected_gradient(
    new: PrefixTable, old: PrefixTable, data_R: Tensor, alpha: float = 1.0, beta: float = 1.0
) -> Tensor:
    """E over one real sentence and one of the old generator, summed over all pairs of them. The
    two parts of the loss look at one sentence each, so a pair (x, x) has both."""
    total = torch.zeros(())
    for ids_T, p_data, p_old in zip(ALL, data_R, density(old), strict=True):
        of_real, _ = ratio_loss(new, old, one(ids_T), one(ALL[0]), alpha, beta)
        of_old, _ = ratio_loss(new, old, one(ALL[0]), one(ids_T), alpha, beta)
        total = total + p_data * of_real + p_old * of_old
    both, _ = ratio_loss(new, old, one(ALL[0]), one(ALL[0]), alpha, beta)
    return gradient(total - both, new)  # each of the above has one term too many, of sentence 0


def table_of(density_R: Tensor) -> PrefixTable:
    """The generator that writes each sentence with its probability."""
    table = PrefixTable(SPACE)
    with torch.no_grad():
        for time, logits in enumerate(table.tables):
            mass = torch.full_like(logits, 1e-9)  # prefixes that have ended are never reached
            prefix_R = torch.zeros(len(ALL), dtype=torch.long)
            for ids_R in ALL[:, :time].unbind(1):
                prefix_R = prefix_R * SPACE.vocab_size + ids_R
            mass.index_put_((prefix_R, ALL[:, time]), density_R, accumulate=True)
            logits.copy_(mass.log())
    return table


@pytest.fixture
def data_R() -> Tensor:
    return density(PrefixTable(SPACE, seed=7))


def test_against_itself_it_is_half_the_likelihood_of_sentences(data_R: Tensor) -> None:
    new, old = PrefixTable(SPACE, seed=1), PrefixTable(SPACE, seed=1)
    likelihood = -(data_R * log_probs(new, ALL, SPACE.end_id).sum(1)).sum()
    assert_same_vector(expected_gradient(new, old, data_R), 0.5 * gradient(likelihood, new))


def test_on_one_batch_the_old_sentences_are_pushed_down() -> None:
    new, old = PrefixTable(SPACE, seed=1), PrefixTable(SPACE, seed=1)
    loss, _ = ratio_loss(new, old, one(ALL[3]), one(ALL[8]))
    real, written = log_probs(new, ALL[[3, 8]], SPACE.end_id).sum(1)
    assert_same_vector(gradient(loss, new), gradient(0.5 * (written - real), new))


def test_the_data_are_its_optimum_whatever_the_old_generator(data_R: Tensor) -> None:
    new, old = PrefixTable(SPACE, seed=7), PrefixTable(SPACE, seed=2)
    at_optimum = expected_gradient(new, old, data_R)
    elsewhere = expected_gradient(PrefixTable(SPACE, seed=3), old, data_R)
    assert float(at_optimum.norm()) < 1e-5 * float(elsewhere.norm())


def test_its_optimum_for_any_alpha_and_beta(data_R: Tensor) -> None:
    """p_old^(1 − 1/β) (p_data / α)^(1/β), for the α at which that sums to 1."""
    beta, old = 0.6, PrefixTable(SPACE, seed=2)
    beyond_R = density(old) ** (1 - 1 / beta) * data_R ** (1 / beta)
    alpha = float(beyond_R.sum()) ** beta
    assert alpha > 1.1
    optimum = table_of(beyond_R / beyond_R.sum())
    torch.testing.assert_close(density(optimum), beyond_R / beyond_R.sum())
    elsewhere = expected_gradient(PrefixTable(SPACE, seed=3), old, data_R, alpha, beta)
    for wrong in ((alpha, beta), (1.0, beta), (alpha, 1.0)):
        found = float(expected_gradient(optimum, old, data_R, *wrong).norm() / elsewhere.norm())
        assert (found < 1e-5) == (wrong == (alpha, beta)), wrong


def make_game(**overrides: Any) -> DdoGame:
    experiment = tiny_experiment(
        {
            "game": {"name": "dgsan"},
            **dict.fromkeys(("critic", "objective", "estimator")),
            "schedule": [{"repeat": 4, "phases": {"generator": 2, "snapshot": 1}}],
            "generator": {"name": "lstm", "embed": 4, "hidden": 4, "dropout": 0.5},
            **overrides,
        }
    )
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, DdoGame)
    return game


def test_the_game_has_alpha_and_beta_of_its_configuration() -> None:
    found = []
    for beta in (1.0, 0.5):
        generator = {"name": "lstm", "embed": 4, "hidden": 4}
        game = make_game(game={"name": "ddo", "alpha": 3.0, "beta": beta}, generator=generator)
        torch.manual_seed(0)
        ((player, loss, _),) = game.updates("generator")
        torch.testing.assert_close(loss.detach(), torch.tensor(4 * log(2)))  # d = 0
        found.append(gradient(loss, player.module))
    assert_same_vector(found[1], 0.5 * found[0])


def weights(module: torch.nn.Module) -> list[Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_only_a_snapshot_moves_the_old_generator() -> None:
    game = make_game()
    new, old = game.players["generator"], game._old
    first = weights(old)
    assert same(first, weights(new.module))
    for phase in ("generator", "mle"):
        for player, loss, _ in game.updates(phase):
            player.update(loss)
    assert same(weights(old), first)
    assert not same(weights(new.module), first)
    assert list(game.updates("snapshot")) == []
    assert same(weights(old), weights(new.module))
    for player, loss, _ in game.updates("generator"):
        player.update(loss)
    assert not same(weights(old), weights(new.module)), "a copy, not the generator itself"


def test_the_old_generator_has_no_gradient_and_no_dropout() -> None:
    game = make_game()
    modes = []
    game._old.dropout.register_forward_hook(lambda module, *_: modes.append(module.training))
    for player, loss, _ in game.updates("generator"):
        player.update(loss)
    assert set(modes) == {False}
    assert all(p.grad is None for p in game._old.parameters())


def test_a_checkpoint_holds_the_old_generator() -> None:
    game, other = make_game(), make_game(seed=5)
    assert not same(weights(game._old), weights(other._old))
    for name, part in game.stateful().items():
        other.stateful()[name].load_state_dict(part.state_dict())
    assert same(weights(game._old), weights(other._old))
