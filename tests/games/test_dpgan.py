"""DPGAN as its configuration makes it: a critic that is a language model M of generated sentences,
and a generator that is paid the surprise −log M(y_t | y_<t) of each token that it wrote."""

from pathlib import Path

import pytest
import torch
from enumeration import assert_same_vector, gradient, log_probs
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.experiment import load_experiment
from seqgan.games.adversarial import AdversarialGame
from seqgan.models.critics.action import ActionCritic

CPU = torch.device("cpu")
CONFIG = Path(__file__).parents[2] / "configs/families/dpgan.yaml"
SMALL = ["device=cpu", "data.train=64", "data.valid=8", "data.test=8", "train.batch_size=8"]
VOCAB_SIZE = 8


@pytest.fixture
def game() -> AdversarialGame:
    torch.manual_seed(0)
    experiment = load_experiment(CONFIG, SMALL)
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, AdversarialGame)
    return game


def critic_of(game: AdversarialGame) -> ActionCritic:
    critic = game.players["critic"].module
    assert isinstance(critic, ActionCritic)
    return critic


def watch(critic: ActionCritic) -> list[Tensor]:
    """Fills up with the sentences that the critic is shown."""
    shown: list[Tensor] = []
    critic.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    return shown


def surprise(critic: ActionCritic, ids_BT: Tensor) -> Tensor:
    """`surprise_BT`: −log M(y_t | y_<t), the network run anew on each prefix alone."""
    columns = []
    for time, ids_B in enumerate(ids_BT.unbind(1)):
        start_B1E = critic.start_E.expand(len(ids_BT), 1, -1)
        x_BtE = torch.cat([start_B1E, critic.embedding(ids_BT[:, :time])], 1)
        h_BtH, _ = critic.recurrent(x_BtE)
        weight_BV = critic.readout(h_BtH[:, -1]).exp()
        prob_BV = weight_BV / weight_BV.sum(-1, keepdim=True)
        columns.append(-prob_BV[torch.arange(len(ids_BT)), ids_B].log())
    return torch.stack(columns, 1)


def only_write(game: AdversarialGame, token: int) -> None:
    """A generator whose sentences no real one can be taken for."""
    readout = game.players["generator"].module.readout
    with torch.no_grad():
        readout.weight.zero_()
        readout.bias.copy_(50.0 * torch.eye(VOCAB_SIZE)[token])


def real_and_generated(shown: list[Tensor], token: int) -> tuple[Tensor, Tensor]:
    (generated_BT,) = [x for x in shown if (x == token).all()]
    (real_BT,) = [x for x in shown if not (x == token).all()]
    return real_BT, generated_BT


def test_the_critic_learns_to_expect_generated_sentences_and_not_real_ones(game) -> None:
    """Its loss is E_generated[surprise] − E_real[surprise]; a step lowers the one, raises the
    other."""
    critic, token = critic_of(game), 7
    only_write(game, token)
    shown = watch(critic)
    ((player, loss, _),) = game.updates("critic")
    real_BT, generated_BT = real_and_generated(shown, token)
    of_real, of_generated = surprise(critic, real_BT), surprise(critic, generated_BT)
    expected = of_generated.mean() - of_real.mean()
    torch.testing.assert_close(loss, expected)
    by_hand = gradient(expected, critic)
    assert_same_vector(gradient(loss, critic, retain_graph=True), by_hand)
    player.update(loss)
    assert surprise(critic, generated_BT).mean() < of_generated.mean()
    assert surprise(critic, real_BT).mean() > of_real.mean()


def test_each_token_is_paid_the_surprise_from_there_on(game) -> None:
    """G_t = Σ_{s≥t} −log M(y_s | y_<s), less the mean of the other sentences' G_t."""
    critic, generator = critic_of(game), game.players["generator"].module
    shown = watch(critic)
    ((_, loss, _),) = game.updates("generator")
    (ids_BT,) = shown
    assert len(ids_BT.unique()) > 1
    reward_BT = surprise(critic, ids_BT).detach()
    return_BT = torch.stack([reward_BT[:, t:].sum(1) for t in range(ids_BT.shape[1])], 1)
    others_BT = (return_BT.sum(0) - return_BT) / (len(ids_BT) - 1)
    expected = -((return_BT - others_BT) * log_probs(generator, ids_BT)).sum(1).mean()
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))
