"""AC-GAN, InfoGAN, EBGAN and α-GAN: what their losses are, and what their parts refuse."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_picture_games import make_game
from tiny_runs import AUTOENCODER, CONDITIONAL, PICTURES, tiny_experiment, train

from seqgan.core.errors import UserError
from seqgan.core.types import Scores
from seqgan.models.coded import CodedGenerator
from seqgan.objectives.auxiliary import Auxiliary
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.margin import Margin
from seqgan.runs.saved import open_run

SMALL: dict[str, Any] = {"name": "dcgan", "width": 4}
NETWORKS: dict[str, Any] = {
    "generator": {**SMALL, "latent": 3},
    "critic": {"name": "auxiliary", "trunk": SMALL},
    "objective": {"name": "auxiliary"},
}
ACGAN: dict[str, Any] = {**CONDITIONAL, **NETWORKS, "game.mismatched": 0.0}
INFO: dict[str, Any] = {
    **PICTURES,
    **NETWORKS,
    "game": {"name": "info", "codes": [3, 2]},
    "objective": {"name": "auxiliary", "labels_of": "generated"},
}
EBGAN: dict[str, Any] = {
    **PICTURES,
    "critic": {"name": "autoencoder", "width": 4, "code": 5},
    "objective": {"name": "margin", "margin": 0.3},
}
ALPHA: dict[str, Any] = {
    **AUTOENCODER,
    "game": {"name": "alpha"},
    "critic": SMALL,
    "encoder": SMALL,
    "objective": {"name": "non_saturating"},
    "schedule": [{"repeat": 6, "phases": {"critic": 1, "generator": 1}}],
}
ZOO = {"acgan": ACGAN, "info": INFO, "ebgan": EBGAN, "alpha": ALPHA}


def one(game: Any, phase: str) -> Any:
    ((player, loss, stats),) = game.updates(phase)
    return player, loss, stats


# ── Objectives ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("labels_of", ["both", "real", "generated"])
def test_both_players_raise_the_likelihood_of_labels(labels_of: Any) -> None:
    torch.manual_seed(0)
    real, fake = (
        Scores(torch.randn(6), log_labels_B=F.logsigmoid(torch.randn(6))) for _ in range(2)
    )
    assert real.log_labels_B is not None
    assert fake.log_labels_B is not None
    objective, gan = Auxiliary("hinge", 0.5, labels_of), Divergence("hinge")
    wanted = gan.critic_loss(real, fake)
    wanted = wanted - 0.5 * fake.log_labels_B.mean() * (labels_of != "real")
    wanted = wanted - 0.5 * real.log_labels_B.mean() * (labels_of != "generated")
    torch.testing.assert_close(objective.critic_loss(real, fake), wanted)
    torch.testing.assert_close(objective.reward(fake), fake.score + 0.5 * fake.log_labels_B)


def test_beyond_the_margin_generated_samples_are_left_alone() -> None:
    real, fake = Scores(torch.tensor([-0.1, -0.3])), Scores(torch.tensor([-0.1, -0.5, -0.9]))
    # energies: real .1 and .3; generated .1, which lacks .3 to the margin of .4, and two beyond
    assert float(Margin(0.4).critic_loss(real, fake)) == pytest.approx(0.2 + 0.3 / 3)
    assert torch.equal(Margin(0.4).reward(fake), fake.score)


# ── Critics ───────────────────────────────────────────────────────────────────────────────────


def test_the_auxiliary_critic_reads_labels_and_is_not_told_them() -> None:
    critic = make_game(ACGAN).players["critic"].module
    x = torch.rand(5, 3, 16, 16)
    labels = torch.zeros(2, 5, 5, dtype=torch.long)
    labels[1, :, 1] = 3
    scores = [critic(x, None, label) for label in labels]
    assert torch.equal(scores[0].score, scores[1].score)
    assert not torch.equal(scores[0].log_labels_B, scores[1].log_labels_B)
    heads = critic.log_probs(scores[0].features_BF)
    assert [head.shape[1] for head in heads] == [2, 4, 3, 2, 2]
    wanted = sum(head[:, 0] for head in heads)
    torch.testing.assert_close(scores[0].log_labels_B, wanted)
    with torch.no_grad():  # in chunks
        many = critic(x.repeat(200, 1, 1, 1), None, labels[0].repeat(200, 1))
    torch.testing.assert_close(many.log_labels_B[:5], wanted)


def test_an_autoencoders_score_is_minus_its_error() -> None:
    critic = make_game(EBGAN).players["critic"].module
    x = torch.rand(4, 3, 16, 16)
    scores = critic(x)
    again = critic.decoder(scores.features_BF)
    torch.testing.assert_close(scores.score, -(again - x).square().mean((1, 2, 3)))


# ── Games ─────────────────────────────────────────────────────────────────────────────────────


def test_a_coded_generator_shows_the_codes_in_its_noise() -> None:
    generator = make_game(INFO).players["generator"].module
    assert isinstance(generator, CodedGenerator)
    torch.manual_seed(0)
    z = generator.draw(400, temperature=0.5)
    assert z.shape == (400, 3 + 3 + 2)
    assert torch.equal(z[:, 3:6].sum(1), torch.ones(400))
    assert float((z[:, 3:6].mean(0) - 1 / 3).abs().max()) < 0.1
    generator.eval()
    codes = torch.stack([z[:, 3:6].argmax(1), z[:, 6:].argmax(1)], 1)
    torch.testing.assert_close(generator(z), generator(z, codes))
    assert not torch.equal(generator(z[:1]), generator(z[:1], (codes[:1] + 1) % 2))


def test_info_learns_the_codes_that_it_drew_and_none_of_real_pictures() -> None:
    game = make_game(INFO)
    real = game.stream.next()
    assert real.cond.shape == (8, 2)
    assert not torch.equal(real.cond, game.stream.next().cond)
    game.stream.next = lambda: real
    torch.manual_seed(0)
    _, loss, _ = one(game, "critic")
    critic = game.players["critic"].module
    torch.manual_seed(0)
    generator = game.players["generator"].module.eval()
    fake = critic(generator(generator.draw(8), real.cond), None, real.cond)
    true = critic(real.x, None, real.cond)
    wanted = Divergence("non_saturating").critic_loss(true, fake) - fake.log_labels_B.mean()
    torch.testing.assert_close(loss, wanted)


def test_alpha_is_a_reconstruction_and_three_rewards() -> None:
    game = make_game(ALPHA, game__reconstruction_weight=3.0)
    real = game._stream.next()
    game._stream.next = lambda: real
    torch.manual_seed(0)
    _, loss, _ = one(game, "generator")
    autoencoder, critics = (game.players[name].module for name in ("generator", "critic"))
    torch.manual_seed(0)
    code = autoencoder.encode(real.x)[0]
    z = autoencoder.draw(8)
    again, fresh = autoencoder(code), autoencoder(z)
    rewards = [F.logsigmoid(critics["picture"](x).score).mean() for x in (again, fresh)]
    wanted = 3 * (again - real.x).abs().mean() - sum(rewards) / 2
    wanted = wanted - F.logsigmoid(critics["code"](code).score).mean()
    torch.testing.assert_close(loss, wanted)


@pytest.mark.parametrize("name", ZOO)
def test_each_phase_moves_its_player_alone_and_all_of_it(name: str) -> None:
    game = make_game(ZOO[name])
    for phase in ("critic", "generator"):
        before = {
            who: {key: value.clone() for key, value in player.module.named_parameters()}
            for who, player in game.players.items()
        }
        player, loss, _ = one(game, phase)
        player.update(loss)
        for who, other in game.players.items():
            moved = {
                key
                for key, value in other.module.named_parameters()
                if not torch.equal(value, before[who][key])
            }
            assert bool(moved) == (who == phase), (phase, who)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({**ACGAN, "game.mismatched": 0.5}, "needs no mismatched pairs"),
        ({**ACGAN, "critic": SMALL}, "needs labels read off samples"),
        ({**INFO, "objective": {"name": "auxiliary"}}, "set objective.labels_of=generated"),
        ({**EBGAN, "critic": SMALL}, "needs energies"),
        ({**ALPHA, "encoder": None}, "game.name=alpha needs encoder"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment(overrides)


def test_an_auxiliary_critic_without_labels_is_refused() -> None:
    with pytest.raises(UserError, match="auxiliary: reads labels, and the game has none"):
        make_game({**PICTURES, **NETWORKS})


@pytest.mark.parametrize("name", ["info", "alpha"])
def test_a_run_is_opened_with_its_critic(name: str, tmp_path: Path) -> None:
    saved = open_run(train(tmp_path / name, ZOO[name]))
    assert saved.sample_arrays(2).shape == (2, 3, 16, 16)
    assert saved.critic is not None
