"""Networks of the transformers library as players: against the contract and the library itself."""

import builtins
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

transformers = pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")

from enumeration import (  # noqa: E402
    chi_square_is_plausible,
    index_of,
    log_probs,
    mask_of,
    sentences,
    step_logits,
)
from tiny_networks import VOCAB, write_network  # noqa: E402

from seqgan.core.errors import UserError  # noqa: E402
from seqgan.core.masks import mask_until_end  # noqa: E402
from seqgan.core.modes import double_backward  # noqa: E402
from seqgan.core.tree import gather_rows, repeat_rows, take_rows, tree_cat  # noqa: E402
from seqgan.core.types import SequenceSpace  # noqa: E402
from seqgan.decoding import Ancestral, sample  # noqa: E402
from seqgan.models.config import HfCriticConfig, HfGeneratorConfig  # noqa: E402
from seqgan.models.critics.hf import HfCritic  # noqa: E402
from seqgan.models.generators.hf import HfGenerator  # noqa: E402
from seqgan.models.generators_config import LoraConfig  # noqa: E402

END = 2
SPACE = SequenceSpace(vocab_size=9, length=6, end_id=END)
"""Fewer tokens than the networks know."""
BEGIN = 1
LANGUAGE_MODELS = ["gpt2", "llama", "gemma"]
Network = Callable[[str], str]


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The folder of a tiny network, by name."""
    folder = tmp_path_factory.mktemp("networks")

    def path(name: str) -> str:
        if not (folder / name).exists():
            write_network(name, folder / name)
        return str(folder / name)

    return path


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ask the hub; where something tries, it is told so at once."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def make_generator(path: str, space: SequenceSpace = SPACE, **fields: Any) -> HfGenerator:
    torch.manual_seed(0)
    generator = HfGeneratorConfig(name="hf", path=path, **fields).build(space)
    assert isinstance(generator, HfGenerator)
    return generator.eval()


def make_critic(path: str, space: SequenceSpace = SPACE, **fields: Any) -> HfCritic:
    torch.manual_seed(0)
    critic = HfCriticConfig(name="hf", path=path, **fields).build(space)
    assert isinstance(critic, HfCritic)
    return critic.eval()


@pytest.fixture(params=LANGUAGE_MODELS)
def generator(request, network: Network) -> HfGenerator:
    return make_generator(network(request.param))


@pytest.fixture
def ids_BT() -> Tensor:
    """Four full sentences, and three that end in columns 0, 1 and 4."""
    torch.manual_seed(1)
    ids_BT = torch.randint(3, SPACE.vocab_size, (7, SPACE.length))
    for row, end in enumerate([0, 1, 4]):
        ids_BT[row, end:] = END
    return ids_BT


def one_hot(ids_BT: Tensor) -> Tensor:
    return F.one_hot(ids_BT, SPACE.vocab_size).float()


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


# ── Generators ────────────────────────────────────────────────────────────────────────────────


def test_logits_are_those_of_the_library_behind_the_start_token(generator, ids_BT):
    """Its own forward pass over [begin, x_0, …], without a cache and without vectors."""
    plain = transformers.AutoModelForCausalLM.from_pretrained(
        generator.network.config.name_or_path, local_files_only=True
    )
    read_BT = torch.cat([torch.full((len(ids_BT), 1), BEGIN), ids_BT[:, :-1]], 1)
    with torch.no_grad():
        expected = plain.eval()(input_ids=read_BT).logits
    assert expected.shape[-1] == VOCAB
    assert expected.std() > 0.1, "logits differ, or agreement proves nothing"
    close(generator(ids_BT), expected[..., : SPACE.vocab_size])


def test_step_loop_equals_forward(generator, ids_BT) -> None:
    close(step_logits(generator, ids_BT), generator(ids_BT))


def test_step_loop_equals_forward_on_soft_tokens(generator) -> None:
    soft_BTV = torch.randn(3, SPACE.length, SPACE.vocab_size).softmax(-1)
    close(step_logits(generator, soft_BTV), generator(soft_BTV))


def test_ids_equal_their_one_hot_rows(generator, ids_BT) -> None:
    close(generator(one_hot(ids_BT)), generator(ids_BT))


@pytest.mark.parametrize("column", [0, 3, 5])
def test_a_token_changes_only_what_comes_after_it(generator, ids_BT, column) -> None:
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % SPACE.vocab_size
    before, after = generator(ids_BT), generator(changed_BT)
    close(after[:, : column + 1], before[:, : column + 1])
    for time in range(column + 1, SPACE.length):
        assert not torch.allclose(after[:, time], before[:, time], atol=1e-3)


def test_several_tokens_read_at_once_are_as_many_steps(generator, ids_BT) -> None:
    out = generator.read_prompt(ids_BT[:, :4], None, generator.start(7))
    close(out.logits_BV, generator(ids_BT)[:, 4])
    close(generator.step(ids_BT[:, 4], out.state).logits_BV, generator(ids_BT)[:, 5])


def test_rows_of_a_state_can_be_repeated_cut_joined_and_chosen(generator, ids_BT) -> None:
    state = generator.step(ids_BT[:, 0], generator.start(7).state).state
    next_BV = generator.step(ids_BT[:, 1], state).logits_BV

    def after(ids_B: Tensor, rows: Any) -> Tensor:
        return generator.step(ids_B, rows).logits_BV

    close(after(ids_BT[:, 1].repeat(2), repeat_rows(state, 2)), next_BV.repeat(2, 1))
    close(after(ids_BT[2:5, 1], take_rows(state, 2, 5)), next_BV[2:5])
    joined = tree_cat([take_rows(state, 4, 7), take_rows(state, 0, 4)])
    close(after(ids_BT[:, 1].roll(3), joined), next_BV.roll(3, 0))
    chosen = torch.tensor([5, 0, 5])
    close(after(ids_BT[chosen, 1], gather_rows(state, chosen)), next_BV[chosen])


def test_a_state_can_be_continued_twice(generator, ids_BT) -> None:
    state = generator.start(7).state
    first = generator.step(ids_BT[:, 0], state).logits_BV
    generator.step(ids_BT[:, 1], state)
    assert torch.equal(generator.step(ids_BT[:, 0], state).logits_BV, first)


def test_samples_have_the_enumerated_distribution(network) -> None:
    space = SequenceSpace(vocab_size=4, length=3, end_id=END)
    generator = make_generator(network("gpt2"), space)
    ids_RT = sentences(space)
    with torch.no_grad():
        prob_R = log_probs(generator, ids_RT, END).sum(1).exp()
        torch.manual_seed(0)
        drawn = sample(generator, space, 20_000, Ancestral()).ids_BT
    counts = index_of(drawn, 4).bincount(minlength=64)[index_of(ids_RT, 4)]
    assert counts.sum() == 20_000
    assert prob_R.max() > 0.1
    assert chi_square_is_plausible(counts, prob_R)


@pytest.mark.parametrize("loop", [False, True])
def test_every_parameter_and_the_tokens_get_a_gradient(generator, ids_BT, loop) -> None:
    simplex_BTV = one_hot(ids_BT).requires_grad_()
    logits_BTV = step_logits(generator, simplex_BTV) if loop else generator(simplex_BTV)
    logits_BTV.log_softmax(-1)[..., 0].sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert (simplex_BTV.grad[:, :-1].abs().amax((0, 2)) > 0).all()
    assert (simplex_BTV.grad[:, -1] == 0).all()


def test_dropout_acts_in_training_only(network, ids_BT) -> None:
    generator = make_generator(network("gpt2"))
    assert torch.equal(generator(ids_BT), generator(ids_BT))
    generator.train()
    assert not torch.equal(generator(ids_BT), generator(ids_BT))


def test_a_network_is_loaded_in_training_mode(network) -> None:
    generator = HfGeneratorConfig(name="hf", path=network("gpt2")).build(SPACE)
    assert all(module.training for module in generator.modules())


def test_parameters_are_drawn_anew_where_asked_and_read_where_not(network, ids_BT) -> None:
    pretrained = make_generator(network("gpt2"))
    random = make_generator(network("gpt2"), random_init=True)
    again = make_generator(network("gpt2"), random_init=True)
    assert torch.equal(random(ids_BT), again(ids_BT))
    assert not torch.allclose(random(ids_BT), pretrained(ids_BT))
    assert {p.dtype for p in random.parameters()} == {torch.float32}


# ── Adapters ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_adapters_start_as_nothing_and_are_all_that_learns(name, network, ids_BT) -> None:
    plain = make_generator(network(name))
    adapted = make_generator(network(name), lora=LoraConfig(rank=2))
    torch.testing.assert_close(adapted(ids_BT), plain(ids_BT))
    trainable = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    assert trainable
    assert all("lora_" in parameter for parameter in trainable)
    frozen = {n: p.clone() for n, p in adapted.named_parameters() if not p.requires_grad}
    optimizer = torch.optim.SGD(list(trainable.values()), lr=1.0)
    for _ in range(2):  # A moves as soon as B is no longer zero
        before = {n: p.detach().clone() for n, p in trainable.items()}
        optimizer.zero_grad()
        adapted(ids_BT).log_softmax(-1)[..., 3].mean().backward()
        optimizer.step()
    assert all(not torch.equal(trainable[n], before[n]) for n in trainable)
    assert all(torch.equal(p, frozen[n]) for n, p in adapted.named_parameters() if n in frozen)
    assert not torch.allclose(adapted(ids_BT), plain(ids_BT))
    close(step_logits(adapted, ids_BT), adapted(ids_BT))


def test_an_adapter_is_alpha_over_rank_times_b_a(network, ids_BT) -> None:
    config = LoraConfig(rank=2, alpha=6, targets=["q_proj"])
    adapted = make_generator(network("llama"), lora=config)
    plain = make_generator(network("llama"))
    for ours, theirs in zip(adapted.network.model.layers, plain.network.model.layers, strict=True):
        layer = ours.self_attn.q_proj
        b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
        with torch.no_grad():
            b.copy_(torch.randn_like(b))
            theirs.self_attn.q_proj.weight += 6 / 2 * b @ a
    close(adapted(ids_BT), plain(ids_BT))


def test_adapters_that_fit_nowhere_are_refused(network) -> None:
    with pytest.raises(UserError, match=r"generator\.lora\.targets=\['nowhere'\].*name linear"):
        make_generator(network("gpt2"), lora=LoraConfig(targets=["nowhere"]))


@pytest.mark.parametrize(
    ("package", "fields"), [("peft", {"lora": LoraConfig()}), ("transformers", {})]
)
def test_a_missing_package_is_named_with_its_remedy(package, fields, network, monkeypatch) -> None:
    path, load = network("gpt2"), builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return load(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=rf"{package} is not installed; run: pip install 'seqgan"):
        make_generator(path, **fields)


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


def test_a_vocabulary_that_is_too_small_is_refused(network) -> None:
    with pytest.raises(UserError, match=rf"has {VOCAB} tokens, but the data have 13"):
        make_generator(network("gpt2"), SequenceSpace(13, 4))


@pytest.mark.parametrize("make", [make_generator, make_critic])
def test_sequences_that_are_too_long_are_refused(make, network) -> None:
    fields = {"kind": "causal"} if make is make_critic else {}
    with pytest.raises(UserError, match=r"cannot read .* columns .*max_position_embeddings is 16"):
        make(network("gpt2"), SequenceSpace(9, 17), **fields)


def test_the_longest_sequences_are_read(network) -> None:
    generator = make_generator(network("gpt2"), SequenceSpace(9, 16))
    assert generator(torch.zeros(1, 16, dtype=torch.long)).shape == (1, 16, 9)


@pytest.mark.parametrize("path", ["/nowhere/at/all", "nobody/no-such-network"])
def test_what_cannot_be_loaded_is_said_in_one_line(path) -> None:
    with pytest.raises(UserError, match=r"generator\.path=.*cannot be loaded.*give a folder") as e:
        make_generator(path)
    assert "\n" not in str(e.value)


def test_nothing_is_unpickled(network, tmp_path) -> None:
    plain = transformers.AutoModelForCausalLM.from_pretrained(network("gpt2"))
    plain.config.save_pretrained(tmp_path)
    torch.save(plain.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        make_generator(str(tmp_path))


def test_parameters_that_a_file_lacks_are_not_drawn_at_random(network, tmp_path) -> None:
    plain = transformers.AutoModelForCausalLM.from_pretrained(network("gpt2"))
    plain.config.save_pretrained(tmp_path)
    weights = {name: value.clone() for name, value in plain.state_dict().items()}
    del weights["transformer.h.1.ln_1.weight"], weights["lm_head.weight"]  # the embedding again
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks 1 parameters of .*'transformer\.h\.1\.ln_1"):
        make_generator(str(tmp_path))


def test_a_network_that_sees_the_future_is_no_generator(network) -> None:
    path = network("bert with ends")
    with pytest.raises(UserError, match="is no causal language model"):
        make_generator(path)
    with pytest.raises(UserError, match=r"critic\.path.*is no causal language model"):
        make_critic(path, kind="causal")


def test_a_network_without_a_start_token_is_no_generator(network) -> None:
    with pytest.raises(UserError, match="neither bos_token_id nor eos_token_id"):
        make_generator(network("bert"))


def test_a_recurrent_network_is_refused(network) -> None:
    with pytest.raises(UserError, match="mamba remembers more than keys and values"):
        make_generator(network("mamba"))


# ── Critics ───────────────────────────────────────────────────────────────────────────────────

CRITICS: dict[str, dict[str, str]] = {
    "bert": {"kind": "encoder"},
    "roberta": {"kind": "encoder", "pooling": "first"},
    "gpt2": {"kind": "causal"},
    "gemma": {"kind": "causal"},
}


@pytest.fixture(params=CRITICS)
def critic(request, network: Network) -> HfCritic:
    return make_critic(network(request.param), **CRITICS[request.param])


def test_critics_score_ids_as_their_one_hot_rows(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, END)
    scores = critic(ids_BT, mask_BT)
    assert scores.score.shape == (7,)
    assert scores.mask_BT is None
    assert scores.score.std() > 0.05, "scores differ, or agreement proves nothing"
    close(critic(one_hot(ids_BT), mask_BT).score, scores.score)
    close(critic.readout(scores.features_BF)[:, 0], scores.score)


def test_columns_behind_the_end_change_no_score_and_get_no_gradient(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, END)
    changed_BT = torch.where(mask_BT, ids_BT, torch.randint(9, ids_BT.shape))
    assert not torch.equal(changed_BT, ids_BT)
    close(critic(changed_BT, mask_BT).score, critic(ids_BT, mask_BT).score)
    simplex_BTV = one_hot(ids_BT).requires_grad_()
    critic(simplex_BTV, mask_BT).score.square().sum().backward()
    gradient_BT = simplex_BTV.grad.abs().amax(2)
    assert (gradient_BT[~mask_BT] == 0).all()
    assert (gradient_BT[mask_BT] > 0).all(), "every column that counts matters, the end too"


def test_every_parameter_of_a_critic_gets_a_gradient(critic, ids_BT) -> None:
    critic(ids_BT, mask_until_end(ids_BT, END)).score.square().sum().backward()
    for name, parameter in critic.named_parameters():
        assert parameter.grad is not None, name
        if "key.bias" not in name:  # softmax does not see what all keys have in common
            assert parameter.grad.abs().max() > 0, name


def test_many_rows_without_gradient_score_as_they_do_with_it(critic, ids_BT) -> None:
    many_BT = ids_BT.repeat(90, 1)
    mask_BT = mask_until_end(many_BT, END)
    with torch.no_grad():
        chunked = critic(many_BT, mask_BT)
    close(chunked.score, critic(many_BT, mask_BT).score)
    assert chunked.features_BF.shape == (630, 16)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_critics_can_be_differentiated_twice(name, network, ids_BT) -> None:
    """Gradient penalties ask for it. (Gemma computes in float32 in places, even so.)"""
    critic = make_critic(network(name), **CRITICS[name]).double()
    few_BT = ids_BT[1:3, :3]
    mask_BT = mask_until_end(few_BT, END)
    simplex_BTV = one_hot(few_BT).double().requires_grad_()
    with double_backward():
        assert torch.autograd.gradgradcheck(
            lambda x: critic(x, mask_BT).score.tanh(), (simplex_BTV,), fast_mode=True
        )


def hidden_of(path: str, ids_T: list[int]) -> Tensor:
    """What the library itself makes of a sentence: [T, H]."""
    plain = transformers.AutoModel.from_pretrained(path, local_files_only=True).eval()
    with torch.no_grad():
        return plain(input_ids=torch.tensor([ids_T])).last_hidden_state[0]


def test_a_causal_critic_reads_the_last_token_that_counts(network, ids_BT) -> None:
    critic = make_critic(network("gpt2"), kind="causal")
    features_BF = critic(ids_BT, mask_until_end(ids_BT, END)).features_BF
    for row, length in enumerate([1, 2, 5, 6]):
        hidden_TH = hidden_of(network("gpt2"), [BEGIN, *ids_BT[row, :length].tolist()])
        close(features_BF[row], hidden_TH[-1])


def test_an_encoder_critic_reads_the_mean_over_the_sentence(network, ids_BT) -> None:
    critic = make_critic(network("bert"), kind="encoder")
    features_BF = critic(ids_BT, mask_until_end(ids_BT, END)).features_BF
    for row, length in enumerate([1, 2, 5, 6]):
        hidden_TH = hidden_of(network("bert"), ids_BT[row, :length].tolist())
        close(features_BF[row], hidden_TH.mean(0))


def test_a_summary_column_begins_as_the_begin_token(network, ids_BT) -> None:
    critic = make_critic(network("bert with ends"), kind="encoder", pooling="first")
    features_BF = critic(ids_BT, mask_of(ids_BT, END)).features_BF
    for row, length in enumerate([1, 2, 5, 6]):
        sentence = [BEGIN, *ids_BT[row, :length].tolist()]
        close(features_BF[row], hidden_of(network("bert with ends"), sentence)[0])


def test_networks_and_games_come_without_the_library() -> None:
    """Only a configuration that names it pays for its import."""
    code = "import sys, seqgan.assembly, seqgan.cli; sys.exit('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0
