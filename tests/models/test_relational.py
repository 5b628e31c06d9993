"""The relational memory core: the contract, and one step against arithmetic by loops."""

from collections.abc import Iterator
from math import exp, sqrt, tanh

import pytest
import torch
import torch.nn.functional as F
from enumeration import step_logits
from torch import Tensor

from seqgan.core.tree import repeat_rows, take_rows
from seqgan.core.types import SequenceSpace
from seqgan.models.config import RelationalGeneratorConfig
from seqgan.models.generators.relational import RelationalCore, RelationalGenerator

SPACE = SequenceSpace(vocab_size=7, length=5)
SIZES = {"embed": 3, "slots": 3, "heads": 2, "head_size": 4}
CONFIGS = {
    gates: RelationalGeneratorConfig(name="relational", gates=gates, dropout=0.2, **SIZES)
    for gates in ("unit", "slot")
}


@pytest.fixture(params=CONFIGS)
def generator(request) -> RelationalGenerator:
    torch.manual_seed(0)
    built = CONFIGS[request.param].build(SPACE).eval()
    assert isinstance(built, RelationalGenerator)
    return built


@pytest.fixture
def ids_BT() -> Tensor:
    torch.manual_seed(1)
    return torch.randint(SPACE.vocab_size, (4, SPACE.length))


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


# ── The contract ──────────────────────────────────────────────────────────────────────────────


def test_step_loop_equals_forward(generator, ids_BT) -> None:
    close(step_logits(generator, ids_BT), generator(ids_BT))


def test_step_loop_equals_forward_on_soft_tokens(generator) -> None:
    soft_BTV = torch.randn(4, SPACE.length, SPACE.vocab_size).softmax(-1)
    close(step_logits(generator, soft_BTV), generator(soft_BTV))


def test_ids_equal_their_one_hot_rows(generator, ids_BT) -> None:
    simplex_BTV = F.one_hot(ids_BT, SPACE.vocab_size).float()
    close(generator(simplex_BTV), generator(ids_BT))


@pytest.mark.parametrize("column", range(SPACE.length))
def test_a_token_changes_only_what_comes_after_it(generator, ids_BT, column) -> None:
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % SPACE.vocab_size
    before, after = generator(ids_BT), generator(changed_BT)
    close(after[:, : column + 1], before[:, : column + 1])
    for time in range(column + 1, SPACE.length):
        assert not torch.allclose(after[:, time], before[:, time])


def test_rows_of_the_state_continue_by_themselves(generator, ids_BT) -> None:
    out = generator.step(ids_BT[:, 0], generator.start(4).state)
    both = generator.step(ids_BT[:, 1], out.state).logits_BV
    one = generator.step(ids_BT[2:3, 1], take_rows(out.state, 2, 3)).logits_BV
    close(one, both[2:3])
    copies = generator.step(ids_BT[:, 1].repeat(2), repeat_rows(out.state, 2)).logits_BV
    close(copies, both.repeat(2, 1))


def test_every_parameter_and_the_tokens_get_a_gradient(generator, ids_BT) -> None:
    simplex_BTV = F.one_hot(ids_BT, SPACE.vocab_size).float().requires_grad_()
    generator(simplex_BTV).log_softmax(-1)[..., 0].sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert (simplex_BTV.grad[:, :-1].abs().amax((0, 2)) > 0).all()
    assert (simplex_BTV.grad[:, -1] == 0).all()


def test_dropout_acts_in_training_only(generator, ids_BT) -> None:
    assert torch.equal(generator(ids_BT), generator(ids_BT))
    generator.train()
    assert not torch.equal(generator(ids_BT), generator(ids_BT))


def test_the_defaults_are_those_of_the_paper() -> None:
    generator = RelationalGenerator(SPACE)
    assert generator.start(2).state.shape == (2, 1, 512)
    assert generator.embedding.weight.shape == (7, 32)


# ── One step, number by number ────────────────────────────────────────────────────────────────


def times(weight: Tensor, x: list[float], bias: Tensor | None = None) -> list[float]:
    added = [0.0] * len(weight) if bias is None else bias.tolist()
    rows = weight.tolist()
    return [
        sum(w * n for w, n in zip(row, x, strict=True)) + b
        for row, b in zip(rows, added, strict=True)
    ]


def normalised(x: list[float]) -> list[float]:
    mean = sum(x) / len(x)
    variance = sum((n - mean) ** 2 for n in x) / len(x)
    return [(n - mean) / sqrt(variance + 1e-5) for n in x]


def attended(query: list[float], keys: list[list[float]], values: list[list[float]]) -> Iterator:
    """Head by head: the mean of the values under the softmax of scaled products."""
    size = SIZES["head_size"]
    for first in range(0, len(query), size):
        part = slice(first, first + size)
        products = [
            sum(q * k for q, k in zip(query[part], key[part], strict=True)) / sqrt(size)
            for key in keys
        ]
        weights = [exp(p) / sum(map(exp, products)) for p in products]
        for place in range(first, first + size):
            yield sum(w * value[place] for w, value in zip(weights, values, strict=True))


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def by_hand(core: RelationalCore, x: list[float], memory: list[list[float]]) -> list[list[float]]:
    """The equations of the module, for one sentence."""
    e = times(core.project.weight, x, core.project.bias)
    width = len(e)
    query_key_value = core.query_key_value.weight
    w_q, w_k, w_v = (query_key_value[i * width : (i + 1) * width] for i in range(3))
    rows = [*memory, e]
    keys, values = [times(w_k, row) for row in rows], [times(w_v, row) for row in rows]
    of_input = times(core.gates_of_input.weight, e, core.gates_of_input.bias)
    new_memory = []
    for slot in memory:
        a = list(attended(times(w_q, slot), keys, values))
        n = normalised([m + change for m, change in zip(slot, a, strict=True)])
        hidden = [max(0.0, h) for h in times(core.mlp[0].weight, n, core.mlp[0].bias)]
        changed = times(core.mlp[2].weight, hidden, core.mlp[2].bias)
        n = normalised([m + change for m, change in zip(n, changed, strict=True)])
        of_slot = times(core.gates_of_memory.weight, [tanh(m) for m in slot])
        gates = [sigmoid(p + q) for p, q in zip(of_input, of_slot, strict=True)]
        half = len(gates) // 2
        write, keep = gates[:half], gates[half:]
        each = width // half  # one gate for every number, or one for all of them
        new_memory.append(
            [write[i // each] * tanh(n[i]) + keep[i // each] * slot[i] for i in range(width)]
        )
    return new_memory


def core_of(gates: str) -> RelationalCore:
    config = CONFIGS[gates]
    return RelationalCore(config.embed, config.slots, config.heads, config.head_size, config.gates)


@pytest.mark.parametrize("gates", CONFIGS)
def test_a_step_is_the_published_equations(gates) -> None:
    torch.manual_seed(0)
    core = core_of(gates).double().requires_grad_(False)
    memory, x_BE = torch.randn(2, 3, 8).double(), torch.randn(2, 3).double()
    actual = core.step(core.read(x_BE), memory)
    expected = [by_hand(core, x, m) for x, m in zip(x_BE.tolist(), memory.tolist(), strict=True)]
    torch.testing.assert_close(actual, torch.tensor(expected).double())


def test_the_memory_starts_as_rows_of_the_identity() -> None:
    core = core_of("unit")
    assert torch.equal(core.empty_memory(2), torch.eye(8)[:3].expand(2, 3, 8))


@pytest.mark.parametrize("gates", CONFIGS)
def test_gates_start_at_the_published_biases(gates) -> None:
    bias = core_of(gates).gates_of_input.bias
    half = len(bias) // 2
    assert half == (8 if gates == "unit" else 1)
    assert (bias[:half] == 0).all()
    assert (bias[half:] == 1).all()
