"""The adversarial game: who moves in which phase, and in the right direction."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.enumeration import all_sequences
from seqgan.core.types import Scores
from seqgan.decoding import sequence_log_probs
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.mle import likelihood_loss
from seqgan.games.trust_region import divergence
from seqgan.training.player import Player

CPU = torch.device("cpu")

GENERATORS: dict[str, dict[str, Any]] = {
    "lstm": {"name": "lstm", "embed": 4, "hidden": 4, "layers": 2},
    "gru": {"name": "gru", "embed": 4, "hidden": 4},
    "transformer": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
}
CRITICS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": 16, "layers": 1},
    "cnn": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [8, 8], "dropout": 0.0},
    "rnn": {"name": "rnn", "embed": 4, "hidden": 4},
    "transformer": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    "causal": {"name": "transformer", "width": 4, "layers": 1, "heads": 2, "causal": True},
    "pairwise": {"name": "pairwise", "embed": 4, "channels": 2, "hidden": 16},
}


def score_function(credit: dict[str, Any], baseline: str = "leave_one_out") -> dict[str, Any]:
    return {"name": "score_function", "credit": credit, "baseline": {"name": baseline}}


ESTIMATORS: dict[str, dict[str, Any]] = {
    "sequence": score_function({"name": "sequence"}),
    "learned": score_function({"name": "sequence"}, "learned"),
    "moving_average": score_function({"name": "sequence"}, "moving_average"),
    "per_step": score_function({"name": "per_step", "discount": 0.9}),
    "rollout": score_function({"name": "rollout", "continuations": 2}),
    "soft_gumbel": {"name": "soft_gumbel"},
    "straight_through_gumbel": {"name": "straight_through_gumbel"},
    "straight_through": {"name": "straight_through"},
    "rebar": {"name": "rebar"},
    "relax": {"name": "relax", "embed": 4, "hidden": 4},
}
PER_STEP_CRITICS = ("rnn", "causal")
COMBINATIONS = [
    names
    for names in itertools.product(GENERATORS, CRITICS, ESTIMATORS)
    if names[2] != "per_step" or names[1] in PER_STEP_CRITICS
]


def make_game(**overrides: Any) -> AdversarialGame:
    """A game of the tiny experiment; `__` in a name stands for a dot."""
    experiment = tiny_experiment({key.replace("__", "."): v for key, v in overrides.items()})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, AdversarialGame)
    return game


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before: dict[str, Tensor], module: nn.Module) -> set[str]:
    return {name for name, x in module.state_dict().items() if not torch.equal(x, before[name])}


def play(game: AdversarialGame, phase: str) -> Iterator[tuple[Player, dict[str, set[str]]]]:
    """Each update of a visit: its player, and what changed in every player since the last one."""
    before = {name: snapshot(player.module) for name, player in game.players.items()}
    for player, loss, _ in game.updates(phase):
        player.update(loss)
        yield player, {name: changed(before[name], p.module) for name, p in game.players.items()}
        before = {name: snapshot(p.module) for name, p in game.players.items()}


DELICATE: dict[str, dict[str, Any]] = {
    "spectral norm": {"penalties": [{"name": "spectral_norm"}], "critic": CRITICS["mlp"]},
    "dropout": {
        "critic": CRITICS["cnn"] | {"dropout": 0.5},
        "generator": GENERATORS["lstm"] | {"dropout": 0.5},
    },
    "gradient penalty": {"penalties": [{"name": "gradient_penalty"}, {"name": "r1"}]},
    "learned baseline": {"estimator": ESTIMATORS["learned"]},
    "learned scales": {"estimator": ESTIMATORS["rebar"], "penalties": [{"name": "spectral_norm"}]},
    "learned control variate": {"estimator": ESTIMATORS["relax"]},
    "relativistic": {"objective": {"name": "rsgan"}, "game__mle_weight": 0.5},
    "soft": {"estimator": ESTIMATORS["soft_gumbel"], "penalties": [{"name": "spectral_norm"}]},
    "rollout": {"estimator": ESTIMATORS["rollout"], "penalties": [{"name": "spectral_norm"}]},
}
EXPECTED = {"mle": ["generator"], "critic": ["critic"], "generator": ["generator"]}


@pytest.mark.parametrize("overrides", DELICATE.values(), ids=DELICATE.keys())
def test_in_each_phase_only_its_player_changes_buffers_included(overrides: dict[str, Any]) -> None:
    game = make_game(**overrides)
    for phase in ("mle", "critic", "generator") * 2:
        expected = list(EXPECTED[phase])
        if phase == "generator" and "baseline" in game.players:
            expected.append("baseline")
        movers = []
        for player, changes in play(game, phase):
            movers.append(player.name)
            for name, names in changes.items():
                assert bool(names) == (name == player.name), f"{phase}: {name} changed {names}"
        assert movers == expected


def test_power_iterations_move_the_critics_buffers_in_its_own_phase() -> None:
    """Otherwise the test above would say nothing on buffers."""
    game = make_game(**DELICATE["spectral norm"])
    ((_, changes),) = play(game, "critic")
    assert any(name.endswith("_u") for name in changes["critic"])


@pytest.mark.parametrize("phase", ["mle", "critic", "generator"])
@pytest.mark.parametrize("estimator", ["sequence", "soft_gumbel"])
def test_no_gradient_is_left_in_players_that_do_not_learn(phase: str, estimator: str) -> None:
    game = make_game(estimator=ESTIMATORS[estimator])
    for player, loss, _ in game.updates(phase):
        loss.backward()
        for other in game.players.values():
            gradients = [p.grad for p in other.module.parameters() if p.requires_grad]
            assert all((g is None) == (other is not player) for g in gradients)
        assert all(p.requires_grad for p in game.players["critic"].module.parameters())


@pytest.mark.parametrize("names", COMBINATIONS, ids=["-".join(names) for names in COMBINATIONS])
def test_every_trainable_parameter_of_the_phases_player_moves(names: tuple[str, str, str]) -> None:
    generator, critic, estimator = names
    game = make_game(
        generator=GENERATORS[generator],
        critic=CRITICS[critic],
        estimator=ESTIMATORS[estimator],
        train__batch_size=16,
    )
    moved: dict[tuple[str, str], set[str]] = {}
    for phase in ("mle", "critic", "critic", "generator", "generator"):
        for player, changes in play(game, phase):
            moved.setdefault((phase, player.name), set()).update(changes[player.name])
    expected = {("mle", "generator"), ("critic", "critic"), ("generator", "generator")}
    if "baseline" in game.players:
        expected.add(("generator", "baseline"))
    assert moved.keys() == expected
    for (_, name), names_moved in moved.items():
        module = game.players[name].module
        trainable = {n for n, p in module.named_parameters() if p.requires_grad}
        assert trainable
        assert trainable <= names_moved


@pytest.mark.parametrize("estimator", ["sequence", "rollout", "soft_gumbel"])
@pytest.mark.parametrize("objective", ["non_saturating", "rsgan"])
def test_the_critic_learns_in_training_mode_and_rewards_in_evaluation_mode(
    estimator: str, objective: str
) -> None:
    game = make_game(
        critic=CRITICS["cnn"] | {"dropout": 0.5},
        estimator=ESTIMATORS[estimator],
        objective={"name": objective},
    )
    critic = game.players["critic"].module
    modes: list[bool] = []
    critic.register_forward_hook(lambda module, *_: modes.append(module.training))
    for phase, training in (("critic", True), ("generator", False), ("critic", True)):
        modes.clear()
        for player, loss, _ in game.updates(phase):
            player.update(loss)
        assert modes
        assert set(modes) == {training}


def test_the_critic_is_shown_samples_of_the_generator_without_dropout() -> None:
    game = make_game(generator=GENERATORS["lstm"] | {"dropout": 0.9})
    generator = game.players["generator"].module
    modes: list[bool] = []
    generator.dropout.register_forward_hook(lambda module, *_: modes.append(module.training))
    list(game.updates("critic"))
    assert set(modes) == {False}
    modes.clear()
    list(game.updates("mle"))
    assert set(modes) == {True}


def expected_score(game: AdversarialGame) -> float:
    """E_G[D(x)], summed over all sequences."""
    ids_RT = all_sequences(4, 3)
    mask_RT = torch.ones_like(ids_RT, dtype=torch.bool)
    with torch.no_grad():
        logp_R = sequence_log_probs(game.players["generator"].module, ids_RT, mask_RT)
        scores: Scores = game.players["critic"].module(ids_RT, mask_RT)
        score_R = scores.score if scores.mask_BT is None else scores.score.mean(1)
        return float((logp_R.exp() * score_R).sum())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_generator_update_raises_the_frozen_critics_mean_score(name: str) -> None:
    game = make_game(
        estimator=ESTIMATORS[name],
        critic=CRITICS["rnn" if name == "per_step" else "mlp"],
        train__batch_size=2048,
        players__generator={"optimizer": "sgd", "lr": 0.1, "clip_norm": None},
        players__critic={"lr": 1e-2},
    )
    for _ in range(20):  # a critic that tells samples apart
        for player, loss, _ in game.updates("critic"):
            player.update(loss)
    before = expected_score(game)
    critic = snapshot(game.players["critic"].module)
    rises = []
    for _ in range(3):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
        after = expected_score(game)
        rises.append(after - before)
        before = after
    assert not changed(critic, game.players["critic"].module)
    assert min(rises) > 1e-4, rises


def test_the_learned_baseline_is_updated_once_after_the_generator_and_learns() -> None:
    game = make_game(estimator=ESTIMATORS["learned"], players__baseline={"lr": 0.02})
    losses = []
    for _ in range(60):
        updates = list(play_losses(game))
        assert [name for name, _ in updates] == ["generator", "baseline"]
        losses.append(updates[1][1])
    assert game.players["baseline"].updates == game.players["generator"].updates == 60
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def play_losses(game: AdversarialGame) -> Iterator[tuple[str, float]]:
    for player, loss, _ in game.updates("generator"):
        player.update(loss)
        yield player.name, float(loss.detach())


@pytest.mark.parametrize("estimator", ["sequence", "soft_gumbel"])
def test_mle_weight_adds_the_gradient_of_the_likelihood(estimator: str) -> None:
    plain, mixed = (
        make_game(estimator=ESTIMATORS[estimator], game__mle_weight=weight)
        for weight in (0.0, 0.75)
    )
    alone = make_game()
    batch = alone.stream.next()  # the first batch of real data, the same in every game
    generator = alone.players["generator"].module
    likelihood = torch.autograd.grad(likelihood_loss(generator, batch), parameters(generator))
    for a, b, c in zip(gradients(plain), gradients(mixed), likelihood, strict=True):
        torch.testing.assert_close(b, a + 0.75 * c, rtol=1e-4, atol=1e-7)
    assert max(float(c.abs().max()) for c in likelihood) > 1e-3


HELD: dict[str, dict[str, Any]] = {
    **{name: {"estimator": estimator} for name, estimator in ESTIMATORS.items()},
    **{name: {"estimator": {"name": name}} for name in ("ppo", "grpo", "unordered_set")},
    "per_step": {"estimator": ESTIMATORS["per_step"], "critic": CRITICS["rnn"]},
    "infill": {"game": {"name": "infill"}, "critic": CRITICS["rnn"]},
    "demonstrations": {"game": {"name": "adversarial", "demonstrations": {"share": 0.5}}},
}


@pytest.mark.parametrize("tree", HELD.values(), ids=HELD)
def test_reference_kl_adds_the_gradient_of_the_divergence(tree: dict[str, Any]) -> None:
    """By the samples that the estimator drew, demonstrations left out."""
    plain, held = (make_game(**tree, game__reference_kl=weight) for weight in (0.0, 0.75))
    for each in (plain, held):
        first_gradients(each)  # the reference is taken
        for p in each.players["generator"].module.parameters():
            p.data.add_(0.3 * torch.randn_like(p))
    seen: list[Any] = []
    drawn = held.generator.estimator.sample

    def spy(*arguments: Any) -> Any:
        seen.append(drawn(*arguments))
        return seen[-1]

    held.generator.estimator.sample = spy  # type: ignore[method-assign]
    generator, region = held.players["generator"].module, held.stateful()["trust_region"]
    plain_P, held_P = first_gradients(plain), first_gradients(held)
    loss, kl = divergence(generator, region._reference, seen[0])
    assert kl > 0.01
    kl_P = torch.autograd.grad(loss, parameters(generator))
    for a, b, c in zip(plain_P, held_P, kl_P, strict=True):
        torch.testing.assert_close(b, a + 0.75 * c, rtol=1e-4, atol=1e-6)


def first_gradients(game: AdversarialGame) -> list[Tensor]:
    torch.manual_seed(1)
    player, loss, stats = next(game.updates("generator"))
    assert ("reference_kl" in stats) == ("trust_region" in game.stateful())
    return list(torch.autograd.grad(loss, parameters(player.module)))


def parameters(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def gradients(game: AdversarialGame) -> list[Tensor]:
    torch.manual_seed(1)
    ((player, loss, _),) = game.updates("generator")
    assert player.name == "generator"
    return list(torch.autograd.grad(loss, parameters(player.module)))


def test_weight_clipping_holds_after_every_critic_update() -> None:
    game = make_game(penalties=[{"name": "weight_clip", "limit": 0.02}])
    for _ in range(2):
        for player, loss, _ in game.updates("critic"):
            player.update(loss)
        weights = parameters(game.players["critic"].module)
        assert max(float(p.detach().abs().max()) for p in weights) <= 0.02


@pytest.mark.parametrize("weight", [0.0, 0.75])
@pytest.mark.parametrize("name", ["ppo", "grpo"])
def test_every_epoch_of_a_batch_updates_the_generator(name: str, weight: float) -> None:
    """Three updates from one question to the critic, each with the likelihood and the trust region
    beside it."""
    estimator = {"name": name, "epochs": 3}
    game = make_game(estimator=estimator, game__mle_weight=weight, game__reference_kl=weight)
    asked: list[int] = []
    critic = game.players["critic"].module
    critic.register_forward_hook(lambda module, inputs, _: asked.append(len(inputs[0])))
    movers = []
    for player, changes in play(game, "generator"):
        movers.append(player.name)
        assert changes["generator"]
        assert not changes["critic"]
    assert movers == ["generator"] * 3
    assert asked == [8]
    divergences = []
    for player, loss, stats in game.updates("generator"):
        assert ("nll_train" in stats) == (weight > 0)
        divergences.append(stats.get("reference_kl"))
        player.update(loss)
    assert len(set(divergences)) == (3 if weight else 1), "of the generator as it is then"
