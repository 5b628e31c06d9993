"""Games on pictures and points: who moves, in which direction, and what the critic is shown."""

from typing import Any

import pytest
import torch
from test_adversarial_game import changed, parameters, play, snapshot
from tiny_runs import (
    AUTOENCODER,
    CONDITIONAL,
    CYCLE,
    DIRECT,
    PICTURES,
    POINTS,
    REGRESSION,
    tiny_experiment,
)
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.modes import frozen
from seqgan.core.pictures import to_unit
from seqgan.core.types import Batch, SampleRequest
from seqgan.games.autoencode import kl_to_standard_normal
from seqgan.games.mismatched import wrong_labels
from seqgan.games.pool import Pool
from seqgan.games.regression import fixed_codes
from seqgan.objectives.names import DivergenceName

pytestmark = pytest.mark.usefixtures("drawn_once")

CPU = torch.device("cpu")
OBJECTIVES = [name for name in DivergenceName.__args__ if name != "cooperative"]
"""All but the one whose critic is a language model."""
PENALTIES = {
    "clip": [{"name": "weight_clip"}],
    "gp": [{"name": "gradient_penalty"}],
    "r1": [{"name": "r1"}],
    "sn": [{"name": "spectral_norm"}],
}
DCGAN = {
    "generator": {"name": "dcgan", "latent": 4, "width": 4},
    "critic": {"name": "dcgan", "width": 4},
}


def make_game(base: dict[str, Any], **overrides: Any) -> Any:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**base, **changes})
    return build_game(experiment, build_task(experiment, CPU, None), CPU)


ALONE = {"autoencoder": "reconstruct", "regression": "regress"}
"""The phase of the games without a critic."""


def phases(name: str) -> tuple[str, ...]:
    return (ALONE[name],) if name in ALONE else ("critic", "generator")


# ── Who moves ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DIRECT)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_in_each_phase_only_its_player_changes_buffers_included(name: str, penalty: str) -> None:
    extra: dict[str, Any] = {} if name in ALONE else {"penalties": PENALTIES[penalty]}
    if name in ("pictures", "conditional"):
        extra |= DCGAN  # batch statistics and power iterations are buffers
    game = make_game(DIRECT[name], **extra)
    for phase in phases(name) * 2:
        (((player, changes)),) = play(game, phase)
        assert player.name == ("critic" if phase == "critic" else "generator")
        for other, names in changes.items():
            assert bool(names) == (other == player.name), f"{phase}: {other} changed {names}"


@pytest.mark.parametrize("name", DIRECT)
def test_every_trainable_parameter_moves(name: str) -> None:
    game = make_game(DIRECT[name])
    moved: dict[str, set[str]] = {player: set() for player in game.players}
    for phase in phases(name) * 6:
        for player, changes in play(game, phase):
            moved[player.name] |= changes[player.name]
    for player, names in moved.items():
        module = game.players[player].module
        trainable = {n for n, p in module.named_parameters() if p.requires_grad}
        assert trainable <= names, (player, trainable - names)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", ["points", "pictures", "conditional", "cycle"])
def test_every_objective_works_with_every_penalty(name: str, objective: str) -> None:
    """Each through the same lines as for text."""
    for penalties in PENALTIES.values():
        game = make_game(DIRECT[name], objective={"name": objective}, penalties=penalties)
        for phase in ("critic", "generator"):
            for player, loss, stats in game.updates(phase):
                player.update(loss)
                assert all(torch.isfinite(value).all() for value in stats.values())
        for player in game.players.values():
            player.raise_if_not_finite(1)


@pytest.mark.parametrize("name", ["points", "cycle"])
def test_a_lazy_penalty_counts_the_critics_own_updates(name: str) -> None:
    """Not those of the generator in between, nor steps of the schedule."""
    game = make_game(DIRECT[name], penalties=[{"name": "r1", "every": 2}])
    found = []
    for phase in ("critic", "generator", "critic", "critic", "generator"):
        for player, loss, stats in game.updates(phase):
            player.update(loss)
            if phase == "critic":
                found.append(any("r1" in key for key in stats))
    assert found == [True, False, True]


# ── Directions ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_generator_step_against_a_frozen_critic_raises_its_mean_score(objective: str) -> None:
    """A lecture note has the generator descend on log D(G(z)): that one would fail here."""
    game = make_game(
        POINTS,
        objective={"name": objective},
        train__batch_size=512,
        players__generator={"optimizer": "sgd", "lr": 0.05, "clip_norm": None},
    )
    for _ in range(10):  # a critic that tells samples apart
        for player, loss, _ in game.updates("critic"):
            player.update(loss)
    generator, critic = (game.players[name].module for name in ("generator", "critic"))
    z_BL = generator.draw(4096)

    def mean_score() -> float:
        with torch.no_grad(), frozen(generator):
            return float(critic(generator(z_BL)).score.mean())

    before, weights = mean_score(), snapshot(critic)
    for player, loss, _ in game.updates("generator"):
        player.update(loss)
    assert mean_score() > before + 1e-5
    assert not changed(weights, critic)


def test_the_cycle_games_generators_raise_the_scores_and_lower_the_distance() -> None:
    sgd = {"optimizer": "sgd", "lr": 0.02, "clip_norm": None}
    objective = {"name": "non_saturating"}
    game = make_game(
        CYCLE, objective=objective, players__generator=sgd, train__batch_size=24, game__pool=0
    )
    a, b = (domain.stream.next().x for domain in game._domains)
    ways = game.players["generator"].module
    critics = game.players["critic"].module
    none = a.new_zeros(len(a), 0)

    def value() -> float:
        """What the players are after, with the weights of the configuration."""
        with torch.no_grad(), frozen(ways), frozen(critics):
            to_b, to_a = ways["a2b"](none, a), ways["b2a"](none, b)
            scores = critics["b"](to_b).score.sigmoid().log().mean()
            scores = scores + critics["a"](to_a).score.sigmoid().log().mean()
            there_and_back = (ways["b2a"](none, to_b) - a).abs().mean()
            there_and_back += (ways["a2b"](none, to_a) - b).abs().mean()
            same = (ways["a2b"](none, b) - b).abs().mean() + (ways["b2a"](none, a) - a).abs().mean()
            return float(scores - 10 * there_and_back - 5 * same)

    before = value()
    for _ in range(3):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
    assert value() > before + 1e-3


def test_the_cycle_loss_is_the_documented_sum() -> None:
    game = make_game(CYCLE, objective={"name": "non_saturating"}, train__batch_size=24)
    batches = {domain.name: domain.stream.next() for domain in game._domains}
    for domain in game._domains:  # 24 samples per batch: one epoch, so the same set comes again
        domain.stream.load_state_dict({"epoch": 0, "position": 0})
    ((_, loss, stats),) = game.updates("generator")
    ways, critics = game.players["generator"].module, game.players["critic"].module
    a, b = batches["a"].x, batches["b"].x
    none = a.new_zeros(len(a), 0)
    total = torch.zeros(())
    for name, x, y in (("b", a, b), ("a", b, a)):
        into, back = (ways["a2b"], ways["b2a"])[:: 1 if name == "b" else -1]
        made = into(none, x)
        realism = torch.nn.functional.logsigmoid(critics[name](made).score).mean()
        cycle, identity = (back(none, made) - x).abs().mean(), (into(none, y) - y).abs().mean()
        total = total - realism + 10 * cycle + 5 * identity
        torch.testing.assert_close(stats[f"{name}/cycle"], cycle.detach())
        torch.testing.assert_close(stats[f"{name}/identity"], identity.detach())
    torch.testing.assert_close(loss, total, rtol=1e-4, atol=1e-4)


def test_without_a_cycle_no_gradient_depends_on_the_way_back() -> None:
    one_way = {"name": "cycle", "cycle_weight": 0.0, "identity_weight": 0.0}
    game = make_game(CYCLE, game=one_way)
    ((_, _, stats),) = game.updates("generator")
    assert "b/cycle" not in stats
    assert "b/identity" not in stats


# ── Conditions ────────────────────────────────────────────────────────────────────────────────


def test_wrong_labels_differ_in_exactly_one_label_and_reach_every_class() -> None:
    torch.manual_seed(0)
    cond_BA = torch.tensor([[1, 2, 0]]).expand(6000, -1)
    sizes = (2, 4, 3)
    wrong_BA = wrong_labels(cond_BA, torch.tensor(sizes))
    assert ((wrong_BA != cond_BA).sum(1) == 1).all()
    assert ((wrong_BA >= 0) & (wrong_BA < torch.tensor(sizes))).all()
    reached = [{int(x) for x in wrong_BA[:, column]} for column in range(3)]
    assert reached == [{0, 1}, {0, 1, 2, 3}, {0, 1, 2}]
    shares = (wrong_BA != cond_BA).float().mean(0)
    assert (shares - 1 / 3).abs().max() < 0.03
    others = wrong_BA[wrong_BA[:, 1] != 2, 1].bincount(minlength=4).float()
    assert (others[[0, 1, 3]] / others.sum() - 1 / 3).abs().max() < 0.05


class Spy(torch.nn.Module):
    """Stands before a critic and remembers what it is asked."""

    def __init__(self, critic: Any) -> None:
        super().__init__()
        self.critic = critic
        self.asked: list[tuple[Tensor, Any]] = []

    def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Any:
        self.asked.append((x.detach(), cond))
        return self.critic(x, mask, cond)


def test_the_critic_sees_real_generated_and_mismatched_under_the_right_labels() -> None:
    game = make_game(CONDITIONAL)
    game.critic.module = spy = Spy(game.critic.module)
    position = game.stream.state_dict()
    real = game.stream.next()
    game.stream.load_state_dict(position)
    list(game.updates("critic"))
    (x_real, c_real), (x_fake, c_fake), (x_wrong, c_wrong) = spy.asked
    assert torch.equal(x_real, real.x)
    assert torch.equal(c_real, real.cond)
    assert torch.equal(c_fake, real.cond)
    assert not torch.equal(x_fake, real.x)
    assert torch.equal(x_wrong, real.x)
    assert ((c_wrong != real.cond).sum(1) == 1).all()


def test_the_generator_is_rewarded_under_the_labels_it_was_told() -> None:
    game = make_game(CONDITIONAL)
    game.critic.module = spy = Spy(game.critic.module)
    conds: list[Tensor] = []
    generator = game.players["generator"].module
    generator.register_forward_pre_hook(lambda module, inputs: conds.append(inputs[1]))
    list(game.updates("generator"))
    ((_, measured),) = spy.asked
    assert torch.equal(conds[0], measured)


def test_without_mismatched_pairs_the_critic_sees_two_kinds() -> None:
    game = make_game(CONDITIONAL, game={"name": "conditional", "mismatched": 0.0})
    game.critic.module = spy = Spy(game.critic.module)
    list(game.updates("critic"))
    assert len(spy.asked) == 2


def test_shares_weigh_the_kinds_of_fakes() -> None:
    """With a critic that says 0 everywhere each kind costs log 2, whatever the shares."""
    losses = []
    for share in (0.0, 0.25, 0.75):
        game = make_game(CONDITIONAL, game={"name": "conditional", "mismatched": share})
        for parameter in parameters(game.players["critic"].module):
            parameter.data.zero_()
        ((_, loss, _),) = game.updates("critic")
        losses.append(float(loss.detach()))
    assert losses == pytest.approx([2 * 0.6931472] * 3, rel=1e-5)


def test_the_critics_loss_is_the_documented_mixture() -> None:
    game = make_game(CONDITIONAL, game={"name": "conditional", "mismatched": 0.25})
    critic = game.critic.module
    game.critic.module = spy = Spy(critic)
    ((_, loss, _),) = game.updates("critic")
    real, fake, wrong = (critic(x, None, cond).score for x, cond in spy.asked)
    softplus = torch.nn.functional.softplus
    expected = softplus(-real).mean() + 0.75 * softplus(fake).mean() + 0.25 * softplus(wrong).mean()
    torch.testing.assert_close(loss, expected)
    assert abs(float((fake.mean() - wrong.mean()).detach())) > 1e-4, "the test says nothing"


# ── The generator alone ───────────────────────────────────────────────────────────────────────


def test_the_kl_of_gaussians_is_the_closed_form() -> None:
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    expected = 0.5 * (1 + 1 - 1 - 0) + 0.5 * (0 + float(torch.tensor(2.0).exp()) - 1 - 2)
    assert float(kl_to_standard_normal(mean, log_variance)) == pytest.approx(expected)
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(
        normal(mean, (0.5 * log_variance).exp()), normal(torch.zeros(2), torch.ones(2))
    ).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), exact)


def test_the_autoencoders_loss_is_the_evidence_bound() -> None:
    game = make_game(AUTOENCODER, train__batch_size=24)
    module = game.players["generator"].module
    position = game._stream.state_dict()
    real = game._stream.next()
    game._stream.load_state_dict(position)
    torch.manual_seed(3)
    ((_, loss, stats),) = game.updates("reconstruct")
    torch.manual_seed(3)
    mean, log_variance = module.encode(real.x, None)
    z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    error = (module(z) - real.x).square().flatten(1).sum(1).mean() / (2 * 0.1**2)
    expected = error + kl_to_standard_normal(mean, log_variance).mean()
    torch.testing.assert_close(loss, expected)
    assert float(stats["kl"]) >= 0


def test_noise_on_the_input_corrupts_what_is_encoded_and_not_the_target() -> None:
    noisy = {"name": "autoencode", "variational": False, "input_noise": 0.7}
    game = make_game(AUTOENCODER, game=noisy, train__batch_size=24)
    module = game.players["generator"].module
    position = game._stream.state_dict()
    x = game._stream.next().x
    game._stream.load_state_dict(position)
    torch.manual_seed(3)
    ((_, _, stats),) = game.updates("reconstruct")
    torch.manual_seed(3)
    code, _ = module.encode(x + 0.7 * torch.randn_like(x), None)
    torch.testing.assert_close(stats["squared_error"], (module(code) - x).square().mean())


def test_regression_on_fixed_codes_pairs_each_picture_with_its_own_in_every_epoch() -> None:
    game = make_game(REGRESSION, train__batch_size=10)
    module, stream = game.players["generator"].module, game._stream
    codes_NL = fixed_codes(module, stream.size, seed=0)
    pictures_NCHW = to_unit(stream._data.x)
    for _ in range(8):  # more than three epochs of 24
        before = stream.state_dict()
        batch = stream.next()
        stream.load_state_dict(before)
        rows = [int((pictures_NCHW == x).flatten(1).all(1).nonzero()) for x in batch.x]
        ((_, _, stats),) = game.updates("regress")
        error = (module(codes_NL[rows], batch.cond) - batch.x).square().mean()
        torch.testing.assert_close(stats["squared_error"], error)


def test_regression_on_fresh_noise_makes_the_mean_of_all_that_is_possible() -> None:
    """Half of the pictures are 1 and half −1 everywhere: the generator is near neither."""
    fresh = {"name": "regression", "codes": "fresh"}
    game = make_game(REGRESSION, game=fresh, players__generator={"lr": 3e-3}, train__batch_size=64)
    half = torch.full((12, 3, 16, 16), 255, dtype=torch.uint8)
    game._stream._data = Batch(torch.cat([half, 0 * half]))
    errors = []
    for _ in range(100):
        for player, loss, stats in game.updates("regress"):
            player.update(loss)
            errors.append(float(stats["squared_error"]))
    module = game.players["generator"].module
    made = module(module.draw(50)).detach()
    assert float(made.abs().max()) < 0.4
    assert errors[-1] == pytest.approx(1, abs=0.05)  # the variance remains


@pytest.mark.parametrize("variational", [True, False])
def test_autoencoders_learn_to_reconstruct(variational: bool) -> None:
    game = make_game(
        AUTOENCODER,
        game={"name": "autoencode", "variational": variational},
        generator={"name": "mlp", "latent": 16, "hidden": 64, "layers": 1},
        encoder={"name": "mlp", "hidden": 64, "layers": 1},
        players__generator={"lr": 3e-3},
    )
    errors = []
    for _ in range(150):
        for player, loss, stats in game.updates("reconstruct"):
            player.update(loss)
            errors.append(float(stats["squared_error"]))
    assert sum(errors[-5:]) < 0.4 * sum(errors[:5])


# ── The pool ──────────────────────────────────────────────────────────────────────────────────


def test_the_pool_shows_new_and_old_samples_half_and_half() -> None:
    torch.manual_seed(0)
    pool = Pool(50)
    numbers = torch.arange(0, 4000).float()[:, None]
    shown = torch.cat([pool.exchange(Batch(block)).x for block in numbers.split(10)])
    assert torch.equal(shown[:50], numbers[:50])  # while it fills up
    late, now = shown[50:, 0], numbers[50:, 0]
    assert 0.45 < float((late == now).float().mean()) < 0.55
    assert (late <= now + 10).all()  # from the past, or from this very batch
    ages = (now - late)[late != now]
    assert 80 < float(ages.mean()) < 140  # a stored one waits for 100 exchanges on average


def test_the_pool_never_changes_what_it_was_given_and_shows_nothing_twice() -> None:
    pool = Pool(4)
    pool.exchange(Batch(torch.arange(4.0)[:, None]))
    x = torch.arange(10.0, 16.0)[:, None]
    kept = x.clone()
    shown = pool.exchange(Batch(x)).x
    assert torch.equal(x, kept)
    assert len(shown.unique()) == len(shown) == 6


def test_a_pool_of_nothing_passes_everything() -> None:
    x = torch.rand(3, 2)
    assert torch.equal(Pool(0).exchange(Batch(x)).x, x)


# ── Modes ─────────────────────────────────────────────────────────────────────────────────────


def test_the_generator_trains_in_training_mode_and_samples_for_the_critic_without() -> None:
    game = make_game(PICTURES, **DCGAN)
    modes: list[bool] = []
    generator = game.players["generator"].module
    generator.register_forward_hook(lambda module, *_: modes.append(module.training))
    list(game.updates("critic"))
    list(game.updates("generator"))
    assert modes == [False, True]


def test_pathwise_samples_carry_the_gradient_and_the_condition() -> None:
    game = make_game(CONDITIONAL)
    cond = torch.zeros(5, 5, dtype=torch.long)
    sample: Batch = game.generator.estimator.sample(
        game.players["generator"].module, SampleRequest(5, cond)
    )
    assert sample.x.requires_grad
    assert sample.cond is cond
    assert sample.mask is None
