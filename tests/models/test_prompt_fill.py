"""What fills a prompt up in front is seen by no network: `data.prompt_length` changes nothing.

Every generator and critic is made twice, for prompts of 4 and of 9 columns, with the same
parameters where both have them; what only the longer row has stays random, and must not matter.
Both are compared with the network inside, which reads one row at a time without any fill.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from enumeration import mask_of
from torch import Tensor, nn

from seqgan.core.types import Critic, Generator, Scores, SequenceSpace, SharedPrefix
from seqgan.decoding import Ancestral, Greedy, continuations, sample
from seqgan.models.config import (
    ActionCriticConfig,
    CnnCriticConfig,
    CoOccurrenceCriticConfig,
    HfCriticConfig,
    HfGeneratorConfig,
    LocalCriticConfig,
    MlpCriticConfig,
    PairwiseCriticConfig,
    PairwiseGeneratorConfig,
    RelationalGeneratorConfig,
    RelganCriticConfig,
    RnnCriticConfig,
    RnnGeneratorConfig,
    TransformerCriticConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.critics.local import LocalCritic
from seqgan.models.critics.mlp import MlpCritic
from seqgan.models.critics.pairwise import PairwiseCritic
from seqgan.models.prompted import PromptedCritic
from seqgan.models.value import PrefixValue
from seqgan.translate import translate

END = 2
SHORT = SequenceSpace(vocab_size=6, length=4, end_id=END, prompt=4)
LONG = SequenceSpace(vocab_size=6, length=4, end_id=END, prompt=9)
PROMPTS = [[3, 1, 0, 5], [4, 0, 3], [1, 1], [5], []]
ANSWERS = torch.tensor(
    [[3, 0, 1, 4], [1, END, END, END], [5, 4, END, END], [0, 1, 3, END], [4, 4, 4, 4]]
)
MASK = mask_of(ANSWERS, END)
LANGUAGE_MODELS = ("gpt2", "llama", "gemma")

GENERATORS: dict[str, Any] = {
    "lstm": RnnGeneratorConfig(name="lstm", embed=4, hidden=6, layers=2),
    "gru": RnnGeneratorConfig(name="gru", embed=4, hidden=6),
    "transformer": TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=2),
    "pairwise": PairwiseGeneratorConfig(name="pairwise", embed=4, hidden=6, compare=4),
    "relational": RelationalGeneratorConfig(
        name="relational", embed=4, slots=2, heads=2, head_size=4
    ),
}
CRITICS: dict[str, Any] = {
    "mlp": MlpCriticConfig(name="mlp", hidden=8),
    "cnn": CnnCriticConfig(name="cnn", embed=4, widths=[1, 2, 4], filters=[6, 5, 7], dropout=0.0),
    "relgan": RelganCriticConfig(
        name="relgan", representations=3, embed=2, widths=[1, 3], filters=[6, 5], hidden=8
    ),
    "pairwise": PairwiseCriticConfig(name="pairwise", embed=4, channels=2, hidden=8),
    "local": LocalCriticConfig(name="local", width=6, windows=[3, 3]),
    "co_occurrence": CoOccurrenceCriticConfig(name="co_occurrence", width=6),
    "rnn": RnnCriticConfig(name="rnn", embed=4, hidden=6),
    "started rnn": RnnCriticConfig(name="rnn", embed=4, hidden=6, from_generator=True),
    "action": ActionCriticConfig(name="action", embed=4, hidden=6),
    "summary": TransformerCriticConfig(name="transformer", width=8, heads=2),
    "causal": TransformerCriticConfig(name="transformer", width=8, heads=2, causal=True),
    "started causal": TransformerCriticConfig(
        name="transformer", width=8, heads=2, causal=True, from_generator=True
    ),
}
HF_CRITICS: dict[str, dict[str, str]] = {
    "bert": {"kind": "encoder"},
    "roberta": {"kind": "encoder", "pooling": "first"},
    "gpt2": {"kind": "causal"},
    "gemma": {"kind": "causal"},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The folder of a tiny network of the transformers library, by name."""
    pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")
    from tiny_networks import write_network

    folder: Path = tmp_path_factory.mktemp("networks")

    def path(name: str) -> str:
        if not (folder / name).exists():
            write_network(name, folder / name)
        return str(folder / name)

    return path


def prompts(space: SequenceSpace) -> Tensor:
    """`cond` [B, P], filled up in front."""
    return torch.tensor([[END] * (space.prompt - len(ids)) + ids for ids in PROMPTS])


def both(build: Callable[[SequenceSpace], nn.Module]) -> list[Any]:
    """Networks for the short and the long row, with the same parameters for the same columns."""
    torch.manual_seed(0)
    networks = [build(space).eval() for space in (SHORT, LONG)]
    for large, small in zip(networks[1].parameters(), networks[0].parameters(), strict=True):
        if small.dim() > 1 and not small.any():
            nn.init.normal_(small)  # tables that start at zero
        put(small.data, large.data)
    return networks


def put(small: Tensor, large: Tensor) -> None:
    """Tables of columns are counted from the first real token. The layers that read whole rows
    instead, [H, columns · V] and [H, C · columns²], have the answer in their last columns."""
    short, long = (space.prompt + space.length for space in (SHORT, LONG))
    at_the_end = small.dim() == 2 and small.shape[1] != large.shape[1]
    if at_the_end and small.shape[1] == 2 * short**2:
        small, large = small.view(-1, 2, short, short), large.view(-1, 2, long, long)
    for axis, (size, least) in enumerate(zip(large.shape, small.shape, strict=True)):
        large = large.narrow(axis, size - least if at_the_end else 0, least)
    large.copy_(small)


def same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


# ── Generators ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[*GENERATORS, *LANGUAGE_MODELS])
def generators(request, network: Callable[[str], str]) -> list[Generator]:
    name = request.param
    config = GENERATORS.get(name) or HfGeneratorConfig(name="hf", path=network(name))
    return both(lambda space: config.build(space))


def without_fill(generator: Any) -> Tensor:
    """`logits_BTV` of the network inside, which reads each row by itself."""
    return torch.cat([generator.inner(row)[:, -ANSWERS.shape[1] :] for row in joint_rows()])


def joint_rows() -> list[Tensor]:
    """[1, n + T] each: a prompt as it is, and its answer."""
    pairs = zip(PROMPTS, ANSWERS, strict=True)
    return [torch.cat([torch.tensor(p, dtype=torch.long), ids_T])[None] for p, ids_T in pairs]


def test_densities_do_not_see_it(generators: list[Generator]) -> None:
    expected = without_fill(generators[0])
    assert expected.std(0).mean() > 1e-3, "prompts matter, or agreement proves nothing"
    for generator, space in zip(generators, (SHORT, LONG), strict=True):
        same(generator(ANSWERS, prompts(space)), expected)


def test_nor_do_steps_behind_it(generators: list[Generator]) -> None:
    expected = without_fill(generators[0])
    for generator, space in zip(generators, (SHORT, LONG), strict=True):
        out = generator.start(len(ANSWERS), prompts(space))
        for column in range(space.length):
            same(out.logits_BV, expected[:, column])
            if column + 1 < space.length:
                out = generator.step(ANSWERS[:, column], out.state)


def test_nor_do_samples_beams_and_rollouts(generators: list[Generator]) -> None:
    found = []
    for generator, space in zip(generators, (SHORT, LONG), strict=True):
        cond = prompts(space)
        torch.manual_seed(1)
        drawn = sample(generator, space, len(cond), Ancestral(), cond)
        greedy = sample(generator, space, len(cond), Greedy(), cond)
        beam = translate(generator, space, cond, beam=3)
        rolled = continuations(generator, space, drawn, 2, Greedy())
        found.append([drawn.ids_BT, greedy.ids_BT, beam.ids_BT, rolled])
    for short, long in zip(*found, strict=True):
        assert torch.equal(short, long)


def test_nor_do_gradients(generators: list[Generator]) -> None:
    gradients = []
    for generator, space in zip(generators, (SHORT, LONG), strict=True):
        generator.zero_grad()
        generator(ANSWERS, prompts(space)).square().sum().backward()
        gradients.append([p.grad for p in generator.parameters() if p.requires_grad])
    for small, large in zip(*gradients, strict=True):
        part = large[tuple(slice(size) for size in small.shape)]
        torch.testing.assert_close(part, small, rtol=1e-3, atol=1e-4)
        assert float(large.square().sum()) == pytest.approx(float(small.square().sum()), rel=1e-3)


def test_learned_baselines_do_not_see_it() -> None:
    values = []
    for network, space in zip(both(lambda s: PrefixValue(s, 4, 6)), (SHORT, LONG), strict=True):
        values.append(network(ANSWERS, prompts(space)))
    same(values[1], values[0])
    same(values[0][4:], both(lambda s: PrefixValue(s, 4, 6))[0](ANSWERS[4:]))


def test_what_a_network_of_the_library_takes_is_asked_once(
    network: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for every token that is sampled."""
    generator = HfGeneratorConfig(name="hf", path=network("gpt2")).build(LONG)

    def ask_again(_: Any) -> Any:
        raise AssertionError("asks for a signature")

    monkeypatch.setattr("seqgan.models.generators.hf.signature", ask_again)
    sample(generator, LONG, len(PROMPTS), Greedy(), prompts(LONG))


# ── Critics ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=[*CRITICS, *(f"hf {name}" for name in HF_CRITICS)])
def critics(request, network: Callable[[str], str]) -> list[Critic]:
    name = request.param.removeprefix("hf ")
    config = CRITICS.get(request.param) or HfCriticConfig(
        name="hf", path=network(name), **HF_CRITICS[name]
    )
    return both(lambda space: config.build(space))


def counted(scores: Scores) -> Tensor:
    return scores.score if scores.mask_BT is None else scores.score[scores.mask_BT]


def scores_without_fill(critic: Any) -> Tensor:
    """The scores that count, from the critic inside, which reads each row by itself."""
    critic.inner.filled_in_front = False
    found = []
    for row, mask_T in zip(joint_rows(), MASK, strict=True):
        prompt = torch.ones(1, row.shape[1] - len(mask_T), dtype=torch.bool)
        score = critic.inner(row, torch.cat([prompt, mask_T[None]], 1)).score[0]
        found.append(score[-len(mask_T) :][mask_T] if score.dim() else score[None])
    return torch.cat(found)


def test_scores_do_not_see_it(critics: list[Critic]) -> None:
    short, long = (
        critic(ANSWERS, MASK, prompts(space))
        for critic, space in zip(critics, (SHORT, LONG), strict=True)
    )
    assert counted(short).std() > 1e-3, "scores differ, or agreement proves nothing"
    same(counted(long), counted(short))
    if not isinstance(critics[0].inner, MlpCritic | PairwiseCritic):  # they need whole rows
        same(counted(short), scores_without_fill(critics[0]))
    soft = nn.functional.one_hot(ANSWERS, SHORT.vocab_size).float()
    same(counted(critics[1](soft, MASK, prompts(LONG))), counted(short))
    if short.features_BF is not None:
        same(long.features_BF, short.features_BF)


def test_scores_see_every_token_of_the_prompt(critics: list[Critic]) -> None:
    cond, mask = prompts(LONG)[:1], torch.ones(4, 4, dtype=torch.bool)
    ids_BT = ANSWERS[:1].repeat(4, 1)
    before = critics[1](ids_BT, mask, cond.repeat(4, 1)).score
    seen = []
    for column in range(LONG.prompt - SHORT.prompt, LONG.prompt):
        others = cond.repeat(4, 1)
        others[:, column] = torch.tensor([0, 1, 3, 4])
        seen.append(bool((critics[1](ids_BT, mask, others).score != before).any()))
    if isinstance(critics[1].inner, LocalCritic):
        assert seen == [False, False, True, True], "as far as two windows of three reach"
    else:
        assert all(seen)


def test_continuations_do_not_see_it(critics: list[Critic]) -> None:
    """Two continuations of each first token; where possible the prefix is read once for both."""
    ids_RT = torch.cat([ANSWERS, ANSWERS])
    ids_RT[5:, 1:] = torch.tensor([1, 5, 0])
    mask_RT = mask_of(ids_RT, END)
    for critic, space in zip(critics, (SHORT, LONG), strict=True):
        cond = prompts(space).repeat(2, 1)
        with torch.no_grad():
            shared = critic.score_continuations(ids_RT, mask_RT, SharedPrefix(5, 1), cond)
            same(counted(shared), counted(critics[0](ids_RT, mask_RT, prompts(SHORT).repeat(2, 1))))


class CountingCritic(Critic):
    """Recurrent, and silent about what it needs: it weighs each id by its column."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert mask is not None
        column_T = torch.arange(1, x.shape[1] + 1)
        return Scores((x * mask * column_T).sum(1).float())


def test_a_critic_that_says_nothing_gets_rows_that_begin_in_the_first_column() -> None:
    short, long = (
        PromptedCritic(CountingCritic(), space)(ANSWERS, MASK, prompts(space))
        for space in (SHORT, LONG)
    )
    assert torch.equal(short.score, long.score)
