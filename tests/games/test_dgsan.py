"""DGSAN: the density ratio as a critic, by enumeration of all sentences."""

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
from seqgan.games.dgsan import DgsanGame, self_adversarial_loss

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
ALL = sentences(SPACE)


def one(ids_T: Tensor) -> Batch:
    return Batch(ids_T[None], mask_of(ids_T[None], SPACE.end_id))


def density(generator: PrefixTable) -> Tensor:
    return log_probs(generator, ALL, SPACE.end_id).sum(1).exp().detach()


def expected_gradient(
    new: PrefixTable, old: PrefixTable, data_R: Tensor, old_R: Tensor | None = None
) -> Tensor:
    """E over one real sentence and one of the old generator, summed over all pairs of them. The
    two parts of the loss look at one sentence each, so a pair (x, x) has both."""
    old_R = density(old) if old_R is None else old_R
    total = torch.zeros(())
    for ids_T, p_data, p_old in zip(ALL, data_R, old_R, strict=True):
        of_real, _ = self_adversarial_loss(new, old, one(ids_T), one(ALL[0]))
        of_old, _ = self_adversarial_loss(new, old, one(ALL[0]), one(ids_T))
        total = total + p_data * of_real + p_old * of_old
    both, _ = self_adversarial_loss(new, old, one(ALL[0]), one(ALL[0]))
    return gradient(total - both, new)  # each of the above has one term too many, of sentence 0


@pytest.fixture
def data_R() -> Tensor:
    return density(PrefixTable(SPACE, seed=7))


def test_against_itself_it_is_half_the_likelihood_of_sentences(data_R: Tensor) -> None:
    new, old = PrefixTable(SPACE, seed=1), PrefixTable(SPACE, seed=1)
    likelihood = -(data_R * log_probs(new, ALL, SPACE.end_id).sum(1)).sum()
    assert_same_vector(expected_gradient(new, old, data_R), 0.5 * gradient(likelihood, new))


def test_on_one_batch_the_old_sentences_are_pushed_down() -> None:
    new, old = PrefixTable(SPACE, seed=1), PrefixTable(SPACE, seed=1)
    loss, _ = self_adversarial_loss(new, old, one(ALL[3]), one(ALL[8]))
    real, written = log_probs(new, ALL[[3, 8]], SPACE.end_id).sum(1)
    assert_same_vector(gradient(loss, new), gradient(0.5 * (written - real), new))


def test_the_data_are_its_optimum_whatever_the_old_generator(data_R: Tensor) -> None:
    new, old = PrefixTable(SPACE, seed=7), PrefixTable(SPACE, seed=2)
    at_optimum = expected_gradient(new, old, data_R)
    elsewhere = expected_gradient(PrefixTable(SPACE, seed=3), old, data_R)
    assert float(at_optimum.norm()) < 1e-5 * float(elsewhere.norm())


def make_game(**overrides: Any) -> DgsanGame:
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
    assert isinstance(game, DgsanGame)
    return game


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
