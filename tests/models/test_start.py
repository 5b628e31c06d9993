"""Critics that start from the generator: read out as the generator does, they score its logits."""

from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import SequenceSpace
from seqgan.models.config import (
    RnnCriticConfig,
    RnnGeneratorConfig,
    TransformerCriticConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.generators_config import LoraConfig

SPACE = SequenceSpace(vocab_size=7, length=5)
SIZES: dict[str, dict[str, Any]] = {
    "lstm": {"embed": 4, "hidden": 6, "layers": 2},
    "gru": {"embed": 4, "hidden": 6, "layers": 1},
    "transformer": {"width": 8, "heads": 2, "layers": 2},
}


def make_generator(name: str, space: SequenceSpace = SPACE, **fields: Any) -> nn.Module:
    torch.manual_seed(0)
    kind = TransformerGeneratorConfig if name == "transformer" else RnnGeneratorConfig
    generator = kind(name=name, **(SIZES[name] | fields)).build(space).eval()
    for parameter in generator.parameters():
        parameter.data.mul_(1.5)  # so that logits differ from prefix to prefix
    return generator


def make_critic(name: str, space: SequenceSpace = SPACE, **fields: Any) -> nn.Module:
    torch.manual_seed(1)
    fields = {"from_generator": True} | SIZES[name] | fields
    if name == "transformer":
        config = TransformerCriticConfig(name="transformer", causal=True, **fields)
        return config.build(space).eval()
    return RnnCriticConfig(name="rnn", cell=name, **fields).build(space).eval()


def all_true(ids_BT: Tensor) -> Tensor:
    return torch.ones_like(ids_BT, dtype=torch.bool)


@pytest.fixture
def ids_BT() -> Tensor:
    torch.manual_seed(2)
    return torch.randint(SPACE.vocab_size, (6, SPACE.length))


@pytest.mark.parametrize("name", SIZES)
def test_the_critic_then_knows_what_the_generator_knows(name, ids_BT) -> None:
    """Its score behind token t, read out like token 3, is the logit of 3 as token t + 1."""
    generator, critic = make_generator(name), make_critic(name)
    critic.start_from(generator)
    with torch.no_grad():
        critic.readout.weight.copy_(generator.readout.weight[3:4])
        critic.readout.bias.copy_(generator.readout.bias[3:4])
        scores_BT = critic(ids_BT, all_true(ids_BT)).score
        logits_BT = generator(ids_BT)[..., 3]
    assert logits_BT.std() > 0.05
    torch.testing.assert_close(scores_BT[:, :-1], logits_BT[:, 1:])


@pytest.mark.parametrize("name", SIZES)
def test_a_copy_is_no_shared_parameter_and_leaves_the_read_out_alone(name) -> None:
    generator, critic = make_generator(name), make_critic(name)
    readout = critic.readout.weight.clone()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    critic.start_from(generator)
    assert torch.equal(critic.readout.weight, readout)
    assert all(parameter.requires_grad for parameter in critic.readout.parameters())
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())


def test_the_present_weights_are_copied_not_the_first_ones(ids_BT) -> None:
    generator, critic = make_generator("gru"), make_critic("gru")
    critic.start_from(generator)
    first = critic(ids_BT, all_true(ids_BT)).score
    generator.embedding.weight.data.add_(torch.randn(7, 4))
    critic.start_from(generator)
    assert not torch.allclose(critic(ids_BT, all_true(ids_BT)).score, first)
    assert torch.equal(critic.embedding.weight, generator.embedding.weight)


def test_the_position_that_no_generator_knows_is_the_one_before_it() -> None:
    generator, critic = make_generator("transformer"), make_critic("transformer")
    critic.start_from(generator)
    positions = critic.positions.weight
    assert torch.equal(positions[:5], generator.positions.weight)
    assert torch.equal(positions[5], positions[4])


def test_networks_behind_a_prompt_are_found() -> None:
    space = SequenceSpace(7, 5, prompt=3)
    generator, critic = make_generator("gru", space), make_critic("gru", space)
    critic.start_from(generator)
    assert torch.equal(critic.inner.embedding.weight, generator.inner.embedding.weight)


@pytest.mark.parametrize(
    ("generator", "critic", "message"),
    [
        (("gru", {}), ("gru", {"hidden": 7}), r"'0\.rnn\.bias_hh_l0' is of shape \(21,\)"),
        (("gru", {}), ("lstm", {"layers": 1}), r"'0\.rnn\..*in the critic and of shape"),
        (("gru", {}), ("gru", {"layers": 2}), "in the critic and missing in the generator"),
        (("gru", {}), ("gru", {"from_generator": False}), "from_generator=false: this critic"),
        (("gru", {}), ("transformer", {}), "a TransformerCritic cannot start from a RnnGenerator"),
    ],
)
def test_networks_that_are_not_alike_are_refused(generator, critic, message) -> None:
    with pytest.raises(UserError, match=message):
        make_critic(critic[0], **critic[1]).start_from(make_generator(generator[0], **generator[1]))


# ── Networks of the transformers library ──────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")
    from tiny_networks import write_network

    return write_network("llama", tmp_path_factory.mktemp("networks") / "llama")


def hf_pair(folder: str, **fields: Any) -> tuple[nn.Module, nn.Module]:
    from seqgan.models.config import HfCriticConfig, HfGeneratorConfig

    generator = HfGeneratorConfig(name="hf", path=folder, **fields).build(SPACE)
    config = HfCriticConfig(name="hf", path=folder, kind="causal", from_generator=True)
    return generator.eval(), config.build(SPACE).eval()


def test_a_language_model_is_copied_as_it_is_now(folder, ids_BT) -> None:
    generator, critic = hf_pair(folder)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(1.1)
    critic.start_from(generator)
    mask_BT = all_true(ids_BT)
    mask_BT[:, 3:] = False  # the last token that counts stands in column 2
    with torch.no_grad():
        features_BF = critic(ids_BT, mask_BT).features_BF
        logits_BV = generator.network.lm_head(features_BF)[:, : SPACE.vocab_size]
        torch.testing.assert_close(logits_BV, generator(ids_BT)[:, 3], rtol=1e-4, atol=1e-4)


def test_adapters_cannot_be_copied(folder) -> None:
    generator, critic = hf_pair(folder, lora=LoraConfig(rank=2))
    with pytest.raises(UserError, match=r"give both the same sizes, without generator\.lora"):
        critic.start_from(generator)


# ── The configuration ─────────────────────────────────────────────────────────────────────────

GRU = {"name": "gru", "embed": 4, "hidden": 8}
STARTED = {"name": "rnn", "embed": 4, "hidden": 8, "from_generator": True}
HF = {"name": "hf", "path": "a"}


@pytest.mark.parametrize(
    ("generator", "critic", "message"),
    [
        ({**GRU, "hidden": 9}, STARTED, r"critic\.hidden=8 and generator\.hidden=9"),
        ({**GRU, "name": "lstm"}, STARTED, r"critic\.cell=gru and generator\.name=lstm"),
        ({"name": "transformer"}, STARTED, "critic rnn can start from generator lstm or gru"),
        (GRU, {"name": "transformer", "from_generator": True}, "set causal=true"),
        (HF, {**HF, "kind": "encoder", "from_generator": True}, "set kind=causal"),
        (HF, {**HF, "path": "b", "kind": "causal", "from_generator": True}, r"critic\.path=b"),
        (
            {**HF, "lora": {}},
            {**HF, "kind": "causal", "from_generator": True},
            r"generator\.lora has them in two parts",
        ),
    ],
)
def test_a_configuration_in_which_they_are_not_alike_is_refused(generator, critic, message) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({"generator": generator, "critic": critic})


def test_copied_weights_are_not_normalised() -> None:
    parts = {
        "generator": {"name": "transformer"},
        "critic": {"name": "transformer", "causal": True, "from_generator": True},
        "penalties": [{"name": "spectral_norm"}],
        "schedule": [{"repeat": 1, "phases": {"copy_critic": 1}}],
    }
    message = "needs new weights in plain layers, .*; set critic.from_generator=false"
    with pytest.raises(UserError, match=message):
        tiny_experiment(parts)
