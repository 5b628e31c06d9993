"""Players: clipping, averaging, constraints, and non-finite losses noticed without waiting."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.schedule import DecaySchedule, WeightSchedule
from seqgan.training.config import PlayerConfig
from seqgan.training.player import NonFiniteError, Player, raise_if_not_finite


def sgd(**fields: Any) -> PlayerConfig:
    return PlayerConfig(optimizer="sgd", lr=1.0, **fields)


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def loss_of(module: nn.Module, scale: float = 1.0) -> Tensor:
    return scale * module(torch.tensor([[1.0, 2.0, 3.0]])).square().sum()


def gradient_norm(module: nn.Module, scale: float) -> float:
    gradients = torch.autograd.grad(loss_of(module, scale), list(module.parameters()))
    return math.sqrt(sum(float(g.square().sum()) for g in gradients))


@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_the_step_has_the_clipped_norm_and_the_returned_norm_is_before_clipping(
    scale: float,
) -> None:
    module = linear()
    before = copy.deepcopy(module)
    expected = gradient_norm(module, scale)
    norm = Player("generator", module, sgd(clip_norm=0.5)).update(loss_of(module, scale))
    moved = math.sqrt(
        sum(
            float((new - old).detach().square().sum())
            for new, old in zip(module.parameters(), before.parameters(), strict=True)
        )
    )
    assert float(norm) == pytest.approx(expected, rel=1e-5)
    assert moved == pytest.approx(min(expected, 0.5), rel=1e-4)  # lr = 1


def test_without_a_limit_nothing_is_clipped() -> None:
    module = linear()
    weight = module.weight.detach().clone()
    loss = loss_of(module, 1e4)
    gradient = torch.autograd.grad(loss, module.weight, retain_graph=True)[0]
    Player("generator", module, sgd(clip_norm=None)).update(loss)
    assert torch.equal(module.weight, weight - gradient)


def test_gradients_of_former_updates_do_not_add_up() -> None:
    module = linear()
    player = Player("generator", module, sgd(clip_norm=None))
    player.update(loss_of(module, 1e-3))
    weight = module.weight.detach().clone()
    loss = loss_of(module, 1e-3)
    gradient = torch.autograd.grad(loss, module.weight, retain_graph=True)[0]
    player.update(loss)
    torch.testing.assert_close(module.weight, weight - gradient)


def test_the_average_follows_its_formula_and_evaluation_uses_it() -> None:
    module = nn.Sequential(linear(), nn.BatchNorm1d(2, affine=False))
    player = Player("generator", module, sgd(), ema=0.9)
    mean = module[0].weight.detach().clone()
    for _ in range(3):
        player.update(module(torch.randn(4, 3)).pow(3).sum())
        mean = 0.9 * mean + 0.1 * module[0].weight.detach()
    with player.evaluated() as averaged:
        assert averaged is not module
        assert not averaged.training
        torch.testing.assert_close(averaged[0].weight, mean)
        assert not torch.equal(averaged[0].weight, module[0].weight)
        # Buffers are copied, not averaged: the mean of integers or of norms means nothing.
        assert torch.equal(averaged[1].running_mean, module[1].running_mean)
    assert module.training


def test_the_decay_of_the_average_follows_its_schedule() -> None:
    """0, .4, .8, .8: the first average is the first update's weights alone."""
    module = linear()
    ramp = DecaySchedule(start=0, end=0.8, steps=2)
    player = Player("generator", module, sgd(), ema=ramp)
    mean = torch.zeros(2, 3)
    for decay in (0.0, 0.4, 0.8, 0.8):
        player.update(loss_of(module, 1e-3))
        mean = decay * mean + (1 - decay) * module.weight.detach()
        with player.evaluated() as averaged:
            torch.testing.assert_close(averaged.weight, mean)


def test_adams_decay_rates_follow_their_schedules() -> None:
    """With β₁ = 0 a step is rate · g / √(v̂), v̂ = v / (1 − Π β₂) where β₂ is constant; here it is
    .5 in the first update and .75 afterwards, and torch divides by 1 − β₂^t of this update's."""
    module = nn.Linear(1, 1, bias=False)
    config = PlayerConfig(
        lr=0.1, betas=[0, {"start": 0.5, "end": 0.75, "steps": 1}], clip_norm=None
    )
    player = Player("critic", module, config)
    weight, square = float(module.weight.detach()), 0.0
    for number, (beta, g) in enumerate([(0.5, 1.0), (0.75, -3.0), (0.75, 2.0)], start=1):
        player.update(g * module.weight.sum())
        square = beta * square + (1 - beta) * g**2
        weight -= 0.1 * g / (square / (1 - beta**number)) ** 0.5
        assert float(module.weight.detach()) == pytest.approx(weight, rel=1e-5)


def test_without_an_average_evaluation_uses_the_network_itself_in_evaluation_mode() -> None:
    module = linear()
    with Player("generator", module, sgd()).evaluated() as evaluated:
        assert evaluated is module
        assert not module.training
    assert module.training


def test_constraints_act_after_the_step_and_before_the_average() -> None:
    module = linear()

    def clamp() -> None:
        with torch.no_grad():
            module.weight.clamp_(-0.01, 0.01)

    player = Player("critic", module, sgd(), after_step=[clamp], ema=0.5)
    start = module.weight.detach().clone()
    player.update(loss_of(module))
    assert module.weight.abs().max() <= 0.01
    with player.evaluated() as averaged:
        torch.testing.assert_close(averaged.weight, 0.5 * start + 0.5 * module.weight)


def test_a_bad_loss_names_player_update_and_step_even_when_later_ones_are_finite() -> None:
    module = linear()
    player = Player("critic", module, sgd(clip_norm=1e-6))
    player.update(loss_of(module))
    player.raise_if_not_finite(1)
    bad = loss_of(module) * 0 + torch.tensor(float("inf"))  # its gradient is finite
    player.update(bad)
    player.update(loss_of(module))
    with pytest.raises(NonFiniteError, match=r"'critic': loss .* update 2 \(noticed at step 3\)"):
        player.raise_if_not_finite(3)


def test_a_bad_gradient_names_its_tensor() -> None:
    module = linear()
    player = Player("generator", module, sgd())
    # sqrt at 0 is finite, its derivative is not
    player.update(loss_of(module) + (module.bias * 0).sum().abs().sqrt())
    player.update(loss_of(module))  # by now every gradient is NaN: the first one is named
    with pytest.raises(NonFiniteError, match=r"'generator': gradient of 'bias' .* update 1 "):
        player.raise_if_not_finite(2)


def test_a_step_to_infinity_is_noticed_although_loss_and_gradient_were_finite() -> None:
    module = linear()
    player = Player("generator", module, PlayerConfig(optimizer="sgd", lr=3e38, clip_norm=None))
    player.update(loss_of(module, 1e3))
    with pytest.raises(NonFiniteError, match=r"parameter 'weight' .* update 1 "):
        player.raise_if_not_finite(1)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_an_update_never_waits_for_the_device(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = linear()
    player = Player("generator", module, PlayerConfig(optimizer=optimizer), ema=0.9)
    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "__bool__", "__int__", "__float__", "cpu", "numpy"):
            patch.setattr(Tensor, name, _refuse)
        for _ in range(2):
            player.update(loss_of(module))
    assert player.updates == 2
    player.raise_if_not_finite(2)


def test_an_update_measures_norms_without_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Tensor] = []
    norms = torch._foreach_norm

    def measure(tensors: list[Tensor]) -> list[Tensor]:
        found = norms(tensors)
        measured.extend(found)
        return found

    monkeypatch.setattr(torch, "_foreach_norm", measure)
    module = linear()
    Player("generator", module, sgd()).update(loss_of(module))
    assert measured
    assert not any(norm.requires_grad for norm in measured)


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("reads a tensor from the device")


def test_the_guard_of_the_test_above_notices_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "__bool__", _refuse)
    with pytest.raises(AssertionError, match="reads"):
        bool(torch.ones(()))


def test_a_restored_player_goes_on_as_if_nothing_had_happened() -> None:
    def play(player: Player, updates: int) -> None:
        for _ in range(updates):
            player.update(loss_of(player.module))

    whole, first = (Player("p", linear(), PlayerConfig(), ema=0.9) for _ in range(2))
    play(whole, 4)
    play(first, 2)
    second = Player("p", nn.Linear(3, 2), PlayerConfig(), ema=0.9)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    play(second, 2)
    assert second.updates == 4
    assert torch.equal(second.module.weight, whole.module.weight)
    with second.evaluated() as left, whole.evaluated() as right:
        assert torch.equal(left.weight, right.weight)


def test_the_step_size_falls_between_the_two_updates_and_stands_still_behind_them() -> None:
    module = nn.Linear(1, 1, bias=False)
    falls = WeightSchedule(start=1, end=0, after=2, steps=4)
    config = PlayerConfig(optimizer="sgd", lr=0.1, lr_decay=falls, clip_norm=None)
    player = Player("p", module, config)
    steps = []
    for _ in range(8):
        before = module.weight.item()
        player.update(module.weight.sum())  # the gradient is 1
        steps.append(before - module.weight.item())
    expected = [0.1, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0, 0.0]
    assert steps == pytest.approx(expected, abs=1e-6)


def by_hand(optimizer: str, weight: float, gradients: list[float]) -> list[float]:
    """The weights after each update: step size 0.1, moments 0.5 and 0.8, weight decay 0.2."""
    rate, beta, square, decay = 0.1, 0.5, 0.8, 0.2
    first = second = 0.0
    found = []
    for number, g in enumerate(gradients, start=1):
        if optimizer == "adam":
            first, second = beta * first + (1 - beta) * g, square * second + (1 - square) * g**2
            size = math.sqrt(second / (1 - square**number)) + 1e-8
            weight -= rate * decay * weight + rate * first / (1 - beta**number) / size
        else:
            g += decay * weight
            second = 0.99 * second + 0.01 * g**2
            weight -= rate * (g if optimizer == "sgd" else g / (math.sqrt(second) + 1e-8))
        found.append(weight)
    return found


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_each_optimizer_takes_its_configured_steps(optimizer: str) -> None:
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(2.0)
    config = PlayerConfig(
        optimizer=optimizer, lr=0.1, betas=[0.5, 0.8], weight_decay=0.2, clip_norm=None
    )
    player, gradients = Player("p", module, config), [1.0, -3.0, 0.5]
    found = []
    for gradient in gradients:
        player.update(gradient * module.weight.sum())
        found.append(module.weight.item())
    assert found == pytest.approx(by_hand(optimizer, 2.0, gradients), rel=1e-5)


# ── Which of two players is at fault ──────────────────────────────────────────────────────────


def pair(**configs: PlayerConfig) -> tuple[Player[nn.Linear], Player[nn.Linear]]:
    critic = Player("critic", linear(), configs.get("critic", sgd()))
    return critic, Player("generator", linear(), configs.get("generator", sgd()))


def blamed(critic: Player[nn.Linear], generator: Player[nn.Linear]) -> str:
    with pytest.raises(NonFiniteError) as caught:
        raise_if_not_finite([generator, critic], 9)  # the order says nothing
    return str(caught.value).partition(" is not")[0]


NAN = float("nan")
FAR = PlayerConfig(optimizer="sgd", lr=3e38, clip_norm=None)


def test_the_player_whose_loss_was_bad_first_is_named() -> None:
    for first in ("critic", "generator"):
        players = pair()
        by_name = {player.name: player for player in players}
        for player in players:
            player.update(loss_of(player.module))
        raise_if_not_finite(players, 1)
        (second,) = by_name.keys() - {first}
        for name in (first, second):
            by_name[name].update(loss_of(by_name[name].module) * NAN)
        assert blamed(*players) == f"player '{first}': loss"


def test_a_reward_of_a_critic_without_finite_parameters_is_the_critics_fault() -> None:
    critic, generator = pair(critic=FAR)
    generator.update(loss_of(generator.module))
    critic.update(loss_of(critic.module, 1e3))  # finite loss and gradient; then the step
    assert not critic.module.weight.isfinite().all()
    reward = critic.module.weight.detach().sum()
    generator.update(loss_of(generator.module) * reward)
    assert blamed(critic, generator) == "player 'critic': parameter 'weight'"
    critic.update(loss_of(critic.module))  # its own bad loss comes later than the generator's
    assert blamed(critic, generator) == "player 'critic': parameter 'weight'"


def test_a_critic_whose_scores_overflow_is_at_fault() -> None:
    critic, generator = pair(critic=PlayerConfig(optimizer="adam", lr=1e30))
    critic.update(loss_of(critic.module))
    assert critic.module.weight.isfinite().all()
    reward = critic.module.weight.detach().square().sum()
    generator.update(loss_of(generator.module) * reward)
    assert blamed(critic, generator) == "player 'critic': norm of parameter 'weight'"


@pytest.mark.parametrize(("rate", "named"), [(1e10, True), (1e-2, False)])
def test_a_critic_of_huge_finite_parameters_is_named_beside_the_generator(
    rate: float, named: bool
) -> None:
    """Its scores are finite, what the generator's gradient makes of them is not."""
    critic, generator = pair(critic=PlayerConfig(optimizer="adam", lr=rate))
    critic.update(loss_of(critic.module))
    generator.update(loss_of(generator.module) * NAN)
    with pytest.raises(NonFiniteError, match="player 'generator': loss") as caught:
        raise_if_not_finite([generator, critic], 9)
    hint = "; or players.critic.lr, for its parameter 'weight' has the norm"
    assert (hint in str(caught.value)) == named


def test_parameters_of_unusual_size_are_no_fault() -> None:
    critic, generator = pair(critic=PlayerConfig(optimizer="adam", lr=1e15))
    critic.update(loss_of(critic.module))
    generator.update(loss_of(generator.module))
    raise_if_not_finite([critic, generator], 1)


def test_a_generator_that_went_wrong_before_its_critic_is_at_fault() -> None:
    critic, generator = pair(generator=FAR)
    generator.update(loss_of(generator.module, 1e3))
    critic.update(loss_of(critic.module) * generator.module.weight.detach().sum())
    assert blamed(critic, generator) == "player 'generator': parameter 'weight'"


def test_going_back_to_an_earlier_generator_changes_nothing_about_who_was_first() -> None:
    """As evolution does for each of its children."""
    critic, generator = pair()
    raise_if_not_finite([critic, generator], 0)
    parent = copy.deepcopy(generator.state_dict())
    critic.update(loss_of(critic.module) * NAN)
    generator.update(loss_of(generator.module) * NAN)
    generator.load_state_dict(parent)
    assert blamed(critic, generator) == "player 'critic': loss"
    generator.update(loss_of(generator.module))
    assert blamed(critic, generator) == "player 'critic': loss"


def test_an_earlier_generator_is_still_to_blame_for_what_it_did() -> None:
    critic, generator = pair()
    parent = copy.deepcopy(generator.state_dict())
    generator.update(loss_of(generator.module) * NAN)
    generator.load_state_dict(parent)
    critic.update(loss_of(critic.module) * NAN)
    assert blamed(critic, generator) == "player 'generator': loss"
