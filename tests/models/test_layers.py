"""Shared layers: embeddings of simplices, recurrent steps by hand, attention with a cache."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.modes import double_backward
from seqgan.core.types import Scores
from seqgan.models.layers import (
    Block,
    Highway,
    LabelEmbeddings,
    LabelProjection,
    Positions,
    Recurrent,
    Stack,
    TokenEmbedding,
    score_in_chunks,
)

CELLS = ["lstm", "gru"]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_embedding_of_one_hot_rows_equals_that_of_ids() -> None:
    embedding = TokenEmbedding(7, 3)
    ids_BT = torch.randint(7, (4, 5))
    close(embedding(F.one_hot(ids_BT, 7).float()), embedding(ids_BT))


def test_embedding_of_a_mixture_is_the_mixture_of_embeddings() -> None:
    embedding = TokenEmbedding(2, 3)
    mixed = embedding(torch.tensor([0.25, 0.75]))
    close(mixed, 0.25 * embedding.weight[0] + 0.75 * embedding.weight[1])


def test_positions_at_a_column_equal_positions_of_the_sequence() -> None:
    positions = Positions(4, 3)
    x_BTE = torch.randn(2, 4, 3)
    close(positions.at(x_BTE[:, 2], 2), positions(x_BTE)[:, 2])
    with pytest.raises(IndexError):
        positions.at(x_BTE[:, 2], 4)


def test_highway_is_its_equation_and_carries_at_first() -> None:
    highway = Highway(6)
    f = torch.randn(5, 6)
    gate = torch.sigmoid(f @ highway.gate.weight.T + highway.gate.bias)
    candidate = torch.relu(f @ highway.transform.weight.T + highway.transform.bias)
    close(highway(f), gate * candidate + (1 - gate) * f)
    assert (highway.gate.bias == -2).all()


def lstm_by_hand(layer: Recurrent, x_BE: Tensor, h_BH: Tensor, c_BH: Tensor) -> list[Tensor]:
    weight_ih, weight_hh, bias, _ = layer.weights
    i, f, g, o = (x_BE @ weight_ih.T + h_BH @ weight_hh.T + bias).chunk(4, 1)
    c_BH = f.sigmoid() * c_BH + i.sigmoid() * g.tanh()
    return [o.sigmoid() * c_BH.tanh(), c_BH]


def gru_by_hand(layer: Recurrent, x_BE: Tensor, h_BH: Tensor) -> list[Tensor]:
    weight_ih, weight_hh, bias, _ = layer.weights
    reset_x, update_x, new_x = (x_BE @ weight_ih.T + bias).chunk(3, 1)
    reset_h, update_h, new_h = (h_BH @ weight_hh.T).chunk(3, 1)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    return [(1 - update) * (new_x + reset * new_h).tanh() + update * h_BH]


@pytest.mark.parametrize(("cell", "by_hand"), [("lstm", lstm_by_hand), ("gru", gru_by_hand)])
def test_recurrent_step_equals_the_equations(cell, by_hand) -> None:
    layer = Recurrent(cell, 3, 4)
    x_BE = torch.randn(2, 3)
    state = tuple(torch.randn_like(part) for part in layer.zero_state(2))
    h_BH, after = layer.step(x_BE, state)
    expected = by_hand(layer, x_BE, *state)
    close(h_BH, expected[0])
    for part, expected_part in zip(after, expected, strict=True):
        close(part, expected_part)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("given_state", [False, True])
def test_recurrent_sequence_equals_its_steps(cell, given_state) -> None:
    layer = Recurrent(cell, 3, 4)
    x_BTE = torch.randn(2, 5, 3)
    before = tuple(torch.randn_like(part) for part in layer.zero_state(2))
    state = before if given_state else None
    h_BTH, last = layer(x_BTE, state)
    steps = []
    for x_BE in x_BTE.unbind(1):
        h_BH, state = layer.step(x_BE, state)
        steps.append(h_BH)
    close(torch.stack(steps, 1), h_BTH)
    for part, expected in zip(state, last, strict=True):
        close(part, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_trains_one_bias_and_its_kernel_stays_in_training_mode(cell) -> None:
    layer = Recurrent(cell, 3, 4)
    trainable = [name for name, weight in layer.named_parameters() if weight.requires_grad]
    assert trainable == ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0"]
    assert (layer.weights[3] == 0).all()
    parent = torch.nn.Sequential(layer).eval()
    assert not layer.training
    assert layer.rnn.training
    parent.train()
    assert layer.training


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_differentiates_twice(cell) -> None:
    layer = Recurrent(cell, 3, 4)
    x_BTE = torch.randn(2, 5, 3, requires_grad=True)
    with double_backward():
        (gradient,) = torch.autograd.grad(layer(x_BTE)[0].sum(), x_BTE, create_graph=True)
    gradient.square().sum().backward()
    assert layer.weights[1].grad.abs().sum() > 0


def test_stack_survives_a_deep_copy() -> None:
    stack = Stack[Highway](Highway(3) for _ in range(2))
    copied = copy.deepcopy(stack)
    x = torch.randn(2, 3)
    for layer, other in zip(stack, copied, strict=True):
        close(layer(x), other(x))
        assert layer is not other


def test_attention_equals_its_equation() -> None:
    block = Block(width=6, heads=2, dropout=0.0, causal=True)
    x_BTE = torch.randn(3, 4, 6)
    joint = block.norm_attention(x_BTE) @ block.query_key_value.weight.T
    query, key, value = (joint + block.query_key_value.bias).chunk(3, -1)
    future_TT = torch.ones(4, 4).triu(1).bool()
    heads = []
    for columns in (slice(0, 3), slice(3, 6)):
        logits = query[..., columns] @ key[..., columns].transpose(1, 2) / 3**0.5
        heads.append(logits.masked_fill(future_TT, -torch.inf).softmax(-1) @ value[..., columns])
    h_BTE = x_BTE + block.project(torch.cat(heads, -1))
    close(block(x_BTE), h_BTE + block.mlp(block.norm_mlp(h_BTE)))


def test_cached_attention_equals_the_whole_sequence_and_leaves_the_cache_alone() -> None:
    block = Block(width=8, heads=2, dropout=0.0, causal=True)
    x_BTE = torch.randn(3, 5, 8)
    cache = block.empty_cache(3)
    outputs = []
    for x_BE in x_BTE.unbind(1):
        before = [part.clone() for part in cache]
        h_BE, after = block.step(x_BE, cache)
        assert all(torch.equal(part, old) for part, old in zip(cache, before, strict=True))
        outputs.append(h_BE)
        cache = after
    close(torch.stack(outputs, 1), block(x_BTE))
    assert cache[0].shape == (3, 2, 5, 4)


def test_attention_ignores_columns_that_are_not_visible() -> None:
    block = Block(width=8, heads=2, dropout=0.0, causal=False)
    x_BTE = torch.randn(2, 5, 8)
    visible_BT = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    whole = block(x_BTE, visible_BT)
    close(whole[1, :3], block(x_BTE[1:, :3])[0])
    assert not torch.allclose(whole[1, :3], block(x_BTE)[1, :3])


def test_chunks_without_gradient_give_what_one_call_gives() -> None:
    sizes: list[int] = []

    def score(tokens: Tensor, mask_BT: Tensor) -> Scores:
        sizes.append(len(tokens))
        return Scores(tokens.float() * 2, mask_BT, tokens.float())

    ids_BT = torch.randint(9, (7, 3))
    mask_BT = torch.rand(7, 3) < 0.5
    whole = score_in_chunks(score, ids_BT, mask_BT, rows=3)
    with torch.no_grad():
        chunked = score_in_chunks(score, ids_BT, mask_BT, rows=3)
    assert sizes == [7, 3, 3, 1]
    assert torch.equal(chunked.score, whole.score)
    assert torch.equal(chunked.mask_BT, mask_BT)
    assert torch.equal(chunked.features_BF, whole.features_BF)


@torch.no_grad()
def test_labels_weigh_as_much_as_the_read_out_at_first() -> None:
    """Entries N(0, 1/F): the product with features of size 1 has a standard deviation of 1."""
    projection = LabelProjection((500, 500), features=64)
    for table in projection.tables:
        assert float(table.weight.std()) == pytest.approx(1 / 8, rel=0.02)
        assert float(table.weight.mean()) == pytest.approx(0, abs=0.005)
    labels_BA, features_BF = torch.randint(500, (3000, 2)), torch.randn(3000, 64).sign()
    added_B = projection(torch.zeros(3000), features_BF, labels_BA)
    assert float(added_B.std()) == pytest.approx(2**0.5, rel=0.05)
    assert float(LabelEmbeddings((500,)).tables[0].weight.std()) == pytest.approx(1, rel=0.05)
