"""A recurrent generator that reads out by its embedding: the same matrix at both ends."""

import pytest
import torch
from enumeration import step_logits
from torch import Tensor

from seqgan.core.types import SequenceSpace
from seqgan.models.config import RnnCriticConfig, RnnGeneratorConfig
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.training.config import PlayerConfig
from seqgan.training.player import Player

SPACE = SequenceSpace(vocab_size=7, length=5)
SAME_WIDTH, OWN_WIDTH = {"embed": 6, "hidden": 6}, {"embed": 4, "hidden": 6}
BOTH = pytest.mark.parametrize("widths", [SAME_WIDTH, OWN_WIDTH], ids=["same", "own"])


def tied(widths: dict[str, int]) -> RnnGenerator:
    torch.manual_seed(0)
    config = RnnGeneratorConfig.model_validate({"name": "lstm", "tied": True, **widths})
    generator = config.build(SPACE)
    assert isinstance(generator, RnnGenerator)
    return generator


@pytest.fixture
def ids_BT() -> Tensor:
    torch.manual_seed(1)
    return torch.randint(SPACE.vocab_size, (4, SPACE.length))


@BOTH
def test_the_embedding_is_the_only_matrix_with_a_row_for_each_token(widths) -> None:
    tables = [name for name, p in tied(widths).named_parameters() if p.shape[:1] == (7,)]
    assert tables == ["embedding.weight", "readout.bias_V"]


@BOTH
def test_logits_are_products_with_the_vectors_of_the_embedding(widths, ids_BT) -> None:
    generator = tied(widths)
    vectors_VE, bias_V = generator.embedding.weight, torch.arange(7.0)
    generator.get_parameter("readout.bias_V").data.copy_(bias_V)
    start_B1E = generator.start_E.expand(4, 1, -1)
    (layer,) = generator.layers
    h_BTH, _ = layer(torch.cat([start_B1E, vectors_VE[ids_BT[:, :-1]]], 1))
    if widths is OWN_WIDTH:
        h_BTH = h_BTH @ generator.get_parameter("readout.project.weight").T
    torch.testing.assert_close(generator(ids_BT), h_BTH @ vectors_VE.T + bias_V)


@BOTH
def test_step_loop_equals_forward(widths, ids_BT) -> None:
    generator = tied(widths).eval()
    close = torch.testing.assert_close
    close(step_logits(generator, ids_BT), generator(ids_BT), rtol=1e-5, atol=1e-5)
    soft_BTV = torch.randn(4, SPACE.length, SPACE.vocab_size).softmax(-1)
    close(step_logits(generator, soft_BTV), generator(soft_BTV), rtol=1e-5, atol=1e-5)


@BOTH
def test_averaged_and_reloaded_networks_read_out_by_their_own_embedding(widths, ids_BT) -> None:
    player = Player("generator", tied(widths), PlayerConfig(lr=0.1), ema=0.5)
    player.update(player.module(ids_BT).logsumexp(-1).mean())
    other = Player("generator", tied(widths), PlayerConfig(lr=0.1), ema=0.5)
    other.load_state_dict(player.state_dict())
    with player.evaluated() as averaged, other.evaluated() as reloaded:
        assert averaged(ids_BT).equal(reloaded(ids_BT))
        before_BTV = averaged(ids_BT)
        averaged.embedding.weight.zero_()
        assert not averaged(ids_BT).equal(before_BTV)
        assert averaged(ids_BT)[0, 0].equal(averaged.get_parameter("readout.bias_V"))
    assert player.module.embedding.weight.abs().max() > 0


def test_a_critic_starts_from_it(ids_BT) -> None:
    generator = tied(SAME_WIDTH)
    critic = RnnCriticConfig(name="rnn", cell="lstm", from_generator=True, **SAME_WIDTH).build(
        SPACE
    )
    critic.start_from(generator)
    assert critic.get_parameter("embedding.weight").equal(generator.embedding.weight)
