"""Translators against the contract: cached = uncached, ids = simplices, padding is invisible."""

from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.config import validate
from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.modes import evaluating
from seqgan.core.tree import gather_rows, repeat_rows, take_rows, tree_map
from seqgan.core.types import Generator, SequenceSpace, SpacePair, StepOut
from seqgan.decoding import Greedy, StraightThrough, continuations, sample, token_log_probs
from seqgan.models.layers import Recurrent
from seqgan.models.seq2seq.config import EncoderDecoderConfig, PointerConfig
from seqgan.models.seq2seq.directed import Directed
from seqgan.models.seq2seq.pointer import PointerGenerator, copy_distribution
from seqgan.models.seq2seq.transformer import EncoderDecoder

END = 6
SOURCE = SequenceSpace(vocab_size=7, length=6, end_id=END)
SPACE = SequenceSpace(vocab_size=7, length=5, end_id=END)
OTHER = SequenceSpace(vocab_size=9, length=5, end_id=8)
COPY = PointerConfig(name="pointer", embed=5, hidden=6, dropout=0.2)
PLAIN = COPY.model_copy(update={"copy": False})
ATTENTION = EncoderDecoderConfig(name="encoder_decoder", width=8, heads=2, layers=2, dropout=0.2)
SHARED = {"shared": True}
APART = {"joint": False}
DIRECTIONS = {
    "copy": (COPY, SPACE),
    "copy-apart": (COPY.model_copy(update=APART), SPACE),
    "plain": (PLAIN, OTHER),
    "transformer": (ATTENTION, SPACE),
    "transformer-other": (ATTENTION, OTHER),
    "copy-shared": (COPY.model_copy(update=SHARED), SPACE),
    "transformer-shared": (ATTENTION.model_copy(update=SHARED), SPACE),
}


@pytest.fixture(params=DIRECTIONS)
def generator(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    config, space = DIRECTIONS[request.param]
    return config.build_pair(SpacePair(SOURCE, space))["a2b"].eval()


@pytest.fixture
def cond_BS() -> Tensor:
    """Sources of 6, 3, 1 and 6 tokens, one of which has no end token."""
    return torch.tensor(
        [[0, 1, 2, 3, 4, END], [5, 0, END, 2, 2, 1], [END, 0, 1, 2, 3, 4], [1, 2, 1, 2, 0, 5]]
    )


def targets(generator: Generator) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(generator.vocab_size, (4, SPACE.length))


def step_loop(generator: Generator, tokens: Tensor, cond: Tensor) -> Tensor:
    out = generator.start(len(tokens), cond)
    logits = [out.logits_BV]
    for time in range(tokens.shape[1] - 1):
        out = generator.step(tokens[:, time], out.state)
        logits.append(out.logits_BV)
    return torch.stack(logits, 1)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def one_hot(ids: Tensor, vocab: int = SOURCE.vocab_size) -> Tensor:
    return F.one_hot(ids, vocab).float()


def soft_like(ids: Tensor, vocab: int = SOURCE.vocab_size) -> Tensor:
    """Soft rows that peak where the ids are."""
    return (4 * one_hot(ids, vocab) + torch.randn(*ids.shape, vocab)).softmax(-1)


# ── The contract ──────────────────────────────────────────────────────────────────────────────


def test_step_loop_equals_forward(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    logits_BTV = generator(ids_BT, cond_BS)
    assert logits_BTV.shape == (4, SPACE.length, generator.vocab_size)
    close(step_loop(generator, ids_BT, cond_BS), logits_BTV)


def test_step_loop_equals_forward_on_soft_tokens(generator, cond_BS) -> None:
    soft_BTV = soft_like(targets(generator), generator.vocab_size)
    soft_BSV = soft_like(cond_BS)
    logits_BTV = generator(soft_BTV, soft_BSV)
    close(step_loop(generator, soft_BTV, soft_BSV), logits_BTV)
    assert (logits_BTV - generator(soft_BTV, cond_BS)).abs().max() > 1e-3


def test_ids_equal_their_one_hot_rows(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    simplex_BTV = one_hot(ids_BT, generator.vocab_size)
    close(generator(simplex_BTV, one_hot(cond_BS)), generator(ids_BT, cond_BS))
    close(step_loop(generator, simplex_BTV, one_hot(cond_BS)), generator(ids_BT, cond_BS))


def test_what_stands_behind_the_end_of_the_source_changes_nothing(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    changed_BS = torch.where(mask_until_end(cond_BS, END), cond_BS, (cond_BS + 3) % 7)
    assert (changed_BS != cond_BS).any(1).tolist() == [False, True, True, False]
    expected = generator(ids_BT, cond_BS)
    close(generator(ids_BT, changed_BS), expected)
    close(generator(ids_BT, one_hot(changed_BS)), expected)
    close(generator(ids_BT[1:2], cond_BS[1:2, :3]), expected[1:2])


def test_every_visible_token_of_the_source_matters(generator, cond_BS) -> None:
    """The first, the last and the end token itself too, and their order."""
    ids_BT = targets(generator)
    before = generator(ids_BT, cond_BS)
    for column in range(SOURCE.length):
        changed_BS = cond_BS.clone()
        changed_BS[0, column] = 0 if column else 5
        after = generator(ids_BT, changed_BS)
        assert (after[0] - before[0]).abs().max() > 1e-4, column
        close(after[1:], before[1:])
    swapped_BS = cond_BS[:, [1, 0, 2, 3, 4, 5]]
    assert (generator(ids_BT, swapped_BS)[0] - before[0]).abs().max() > 1e-4


@pytest.mark.parametrize("column", range(SPACE.length))
def test_a_token_changes_only_what_comes_after_it(generator, cond_BS, column) -> None:
    ids_BT = targets(generator)
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % generator.vocab_size
    before, after = generator(ids_BT, cond_BS), generator(changed_BT, cond_BS)
    close(after[:, : column + 1], before[:, : column + 1])
    if column + 1 < SPACE.length:
        assert not torch.allclose(after[:, column + 1], before[:, column + 1])


def test_rows_do_not_know_each_other(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    order = torch.tensor([2, 0, 3, 1])
    expected = generator(ids_BT, cond_BS)
    close(generator(ids_BT[order], cond_BS[order]), expected[order])
    for row in range(4):
        alone = slice(row, row + 1)
        close(generator(ids_BT[alone], cond_BS[alone]), expected[alone])


def test_rows_of_the_state_continue_by_themselves(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    out = generator.step(ids_BT[:, 0], generator.start(4, cond_BS).state)
    expected = generator.step(ids_BT[:, 1], out.state).logits_BV
    some = generator.step(ids_BT[1:3, 1], take_rows(out.state, 1, 3)).logits_BV
    close(some, expected[1:3])
    twice = generator.step(ids_BT[:, 1].repeat(2), repeat_rows(out.state, 2)).logits_BV
    close(twice, expected.repeat(2, 1))
    order = torch.tensor([3, 3, 0])
    close(
        generator.step(ids_BT[order, 1], gather_rows(out.state, order)).logits_BV, expected[order]
    )
    close(generator.step(ids_BT[:, 1], out.state).logits_BV, expected)  # it was not touched


def test_every_tensor_of_the_state_has_a_row_for_each_sentence(generator, cond_BS) -> None:
    state = generator.step(targets(generator)[:, 0], generator.start(4, cond_BS).state).state
    rows = []
    tree_map(lambda x: rows.append(len(x)), state)
    assert set(rows) == {4}


@pytest.mark.parametrize("loop", [False, True])
def test_every_parameter_and_the_source_get_a_gradient(generator, cond_BS, loop) -> None:
    ids_BT = targets(generator)
    source_BSV = one_hot(cond_BS).requires_grad_()
    simplex_BTV = one_hot(ids_BT, generator.vocab_size).requires_grad_()
    compute = step_loop if loop else lambda network, *args: network(*args)
    compute(generator, simplex_BTV, source_BSV).log_softmax(-1)[..., 0].sum().backward()
    for name, parameter in generator.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    visible_BS = mask_until_end(cond_BS, END)
    assert (source_BSV.grad.abs().amax(2) > 0).equal(visible_BS)
    assert (simplex_BTV.grad[:, :-1].abs().amax((0, 2)) > 0).all()
    assert (simplex_BTV.grad[:, -1] == 0).all()


def test_the_gradient_of_the_source_is_that_of_differences(generator, cond_BS) -> None:
    """Through the encoder and through what is copied."""
    ids_BT, source_BSV = targets(generator), soft_like(cond_BS).requires_grad_()
    direction = torch.randn_like(source_BSV) * mask_until_end(cond_BS, END)[..., None]

    def value(x: Tensor) -> Tensor:
        return generator(ids_BT, x)[..., 1].sum()

    (grad,) = torch.autograd.grad(value(source_BSV), source_BSV)
    with torch.no_grad():
        after, before = (value(source_BSV + step * direction) for step in (0.01, -0.01))
    slope = (after - before) / 0.02
    torch.testing.assert_close((grad * direction).sum(), slope, rtol=1e-2, atol=1e-2)


def test_a_cycle_carries_a_gradient_through_straight_through_samples(generator, cond_BS) -> None:
    rollout = sample(generator, SPACE, 4, StraightThrough(), cond_BS)
    back = PLAIN.build_pair(SpacePair(SequenceSpace(generator.vocab_size, 5, 6), SOURCE))["a2b"]
    back(cond_BS, rollout.tokens).log_softmax(-1)[..., 0].sum().backward()
    grads = [p.grad for p in generator.parameters() if p.grad is not None]
    assert sum(float(grad.abs().sum()) for grad in grads) > 0


def test_continuations_use_the_condition(generator, cond_BS) -> None:
    """Greedy continuations of a greedy translation are that translation."""
    space = SequenceSpace(generator.vocab_size, SPACE.length, END)
    with torch.no_grad():
        rollout = sample(generator, space, 4, Greedy(), cond_BS)
    ids_PNBT = continuations(generator, space, rollout, 2, Greedy())
    assert (ids_PNBT == rollout.ids_BT).all()


def test_dropout_acts_in_training_only(generator, cond_BS) -> None:
    ids_BT = targets(generator)
    assert torch.equal(generator(ids_BT, cond_BS), generator(ids_BT, cond_BS))
    generator.train()
    assert not torch.equal(generator(ids_BT, cond_BS), generator(ids_BT, cond_BS))


def test_without_an_end_token_every_column_is_visible(cond_BS) -> None:
    endless = SequenceSpace(7, 6)
    for config in (COPY, ATTENTION):
        torch.manual_seed(0)
        generator = config.build_pair(SpacePair(endless, SPACE))["a2b"].eval()
        changed_BS = cond_BS.clone()
        changed_BS[:, -1] = 3
        ids_BT = targets(generator)
        difference = (generator(ids_BT, changed_BS) - generator(ids_BT, cond_BS)).abs().amax((1, 2))
        assert (difference > 1e-5).all()


def test_logits_are_float_under_autocast(generator, cond_BS) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for source in (cond_BS, one_hot(cond_BS)):
            logits_BTV = generator(targets(generator), source)
            assert logits_BTV.dtype == torch.float32
            assert torch.isfinite(logits_BTV).all()
            assert generator.start(4, source).logits_BV.dtype == torch.float32


# ── The pointer ───────────────────────────────────────────────────────────────────────────────


def pointer(config: PointerConfig = COPY) -> PointerGenerator:
    torch.manual_seed(0)
    return config.build_network(SOURCE, SPACE).eval()


def attention(generator: PointerGenerator, ids_BT: Tensor, cond: Tensor) -> Tensor:
    """softmax(hᵀ W m) written out, one sentence and one column at a time."""
    h_BH, (_, memory_BSM, _, visible_BS) = generator._read(cond, None)
    start_B1E = generator.start_E.expand(len(ids_BT), 1, -1)
    x_BTE = torch.cat([start_B1E, generator.embedding(ids_BT[:, :-1])], 1)
    h_BTH, _ = generator.decoder(x_BTE, (h_BH,))
    weights_BTS = torch.zeros(*ids_BT.shape, cond.shape[1])
    for b, t in torch.cartesian_prod(torch.arange(len(ids_BT)), torch.arange(ids_BT.shape[1])):
        seen = int(visible_BS[b].sum())
        scores_S = memory_BSM[b, :seen] @ generator.keys.weight.T @ h_BTH[b, t]
        weights_BTS[b, t, :seen] = scores_S.softmax(0)
    return weights_BTS


@pytest.mark.parametrize("soft", [False, True])
def test_a_closed_gate_copies_the_attended_source(cond_BS, soft) -> None:
    generator = pointer()
    source_BSV = soft_like(cond_BS) if soft else one_hot(cond_BS)
    nn.init.constant_(generator.gate.bias, -100.0)
    ids_BT = targets(generator)
    expected_BTV = attention(generator, ids_BT, source_BSV) @ source_BSV
    close(generator(ids_BT, source_BSV if soft else cond_BS).softmax(-1), expected_BTV)


def test_an_open_gate_generates(cond_BS) -> None:
    generator, plain = pointer(), pointer(PLAIN)
    nn.init.constant_(generator.gate.bias, 100.0)
    plain.load_state_dict(generator.state_dict(), strict=False)
    ids_BT = targets(generator)
    close(generator(ids_BT, cond_BS).softmax(-1), plain(ids_BT, cond_BS).softmax(-1))


def test_the_mixture_is_a_distribution(cond_BS) -> None:
    total_BT = pointer()(targets(pointer()), soft_like(cond_BS)).exp().sum(-1)
    torch.testing.assert_close(total_BT, torch.ones_like(total_BT), rtol=0, atol=1e-5)


def test_copied_tokens_add_up() -> None:
    weights_BTS = torch.tensor([[[0.2, 0.3, 0.5]]])
    copied_BTV = copy_distribution(weights_BTS, torch.tensor([[1, 0, 1]]), 3)
    torch.testing.assert_close(copied_BTV, torch.tensor([[[0.3, 0.7, 0.0]]]))


def test_the_encoder_reads_backwards_from_the_end(cond_BS) -> None:
    """Each row against the same layer on the row alone, cut and turned by hand."""
    generator = pointer()
    h_BH, (_, memory_BSM, _, visible_BS) = generator._read(cond_BS, None)
    for row in range(4):
        seen = int(visible_BS[row].sum())
        x_1SE = generator.source_embedding(cond_BS[row : row + 1, :seen])
        right_1SH, (last_1H,) = generator.rightward(x_1SE)
        left_1SH, (first_1H,) = generator.leftward(x_1SE.flip(1))
        close(memory_BSM[row, :seen], torch.cat([right_1SH, left_1SH.flip(1)], 2)[0])
        close(h_BH[row], generator.bridge(torch.cat([last_1H, first_1H], 1)).tanh()[0])


def test_the_pointer_learns_to_reverse() -> None:
    """Five tokens of 12 and an end; the reversed sentences of the test were never seen."""
    torch.manual_seed(0)
    space = SequenceSpace(13, 6, 12)
    config = PointerConfig(name="pointer", embed=32, hidden=48)
    generator = config.build_pair(SpacePair(space, space))["a2b"]
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    end_B1 = torch.full((64, 1), 12)
    mask_BT = torch.ones(64, 6, dtype=torch.bool)
    for _ in range(120):
        x_BT = torch.randint(12, (64, 5))
        source_BT, ids_BT = torch.cat([x_BT, end_B1], 1), torch.cat([x_BT.flip(1), end_B1], 1)
        loss = -token_log_probs(generator, ids_BT, mask_BT, cond=source_BT).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.manual_seed(1)
    x_BT = torch.randint(12, (64, 5))
    source_BT, ids_BT = torch.cat([x_BT, end_B1], 1), torch.cat([x_BT.flip(1), end_B1], 1)
    written_BT = sample(generator, space, 64, Greedy(), source_BT).ids_BT
    assert (written_BT == ids_BT).all(1).float().mean() > 0.9


# ── The transformer ───────────────────────────────────────────────────────────────────────────


def test_the_source_is_read_once(cond_BS, monkeypatch) -> None:
    generator = ATTENTION.build_pair(SpacePair(SOURCE, SPACE))["a2b"].eval()
    assert isinstance(generator, EncoderDecoder)
    calls = []
    monkeypatch.setattr(generator, "_read", _counting(generator._read, calls))
    for block in generator.decoder:
        monkeypatch.setattr(block, "remember", _counting(block.remember, calls))
    step_loop(generator, targets(generator), cond_BS)
    assert len(calls) == 1 + ATTENTION.layers


def _counting(function: Any, calls: list) -> Any:
    def counted(*args: Any) -> Any:
        calls.append(function)
        return function(*args)

    return counted


def test_a_token_behind_the_last_column_is_refused(cond_BS) -> None:
    generator = ATTENTION.build_pair(SpacePair(SOURCE, SPACE))["a2b"].eval()
    out = generator.start(4, cond_BS)
    for time in range(SPACE.length - 1):
        out = generator.step(targets(generator)[:, time], out.state)
    with pytest.raises(IndexError):
        generator.step(targets(generator)[:, -1], out.state)


def test_the_read_out_is_the_embedding() -> None:
    generator = ATTENTION.build_pair(SpacePair(SOURCE, OTHER))["a2b"]
    shapes = [p.shape for p in generator.parameters() if OTHER.vocab_size in p.shape]
    assert shapes == [torch.Size([9, 8])]


# ── Pairs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", [COPY, ATTENTION])
def test_joint_sides_share_their_embedding(config) -> None:
    pair = config.build_pair(SpacePair(SOURCE, SPACE))
    assert all(side.source_embedding is side.embedding for side in pair.values())
    pair = config.model_copy(update=APART).build_pair(SpacePair(SOURCE, SPACE))
    assert all(side.source_embedding is not side.embedding for side in pair.values())


@pytest.mark.parametrize("config", [COPY, ATTENTION])
def test_two_networks_share_nothing(config) -> None:
    pair = config.build_pair(SpacePair(SOURCE, SPACE))
    sides = [{id(p) for p in side.parameters()} for side in pair.values()]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize("config", [PLAIN, ATTENTION])
def test_each_of_two_networks_writes_what_the_other_reads(config) -> None:
    pair = config.build_pair(SpacePair(SOURCE, OTHER)).eval()
    of_a, of_b = torch.tensor([[0, 1, 2, 3, 4, END]]), torch.tensor([[7, 0, 5, 7, 8]])
    assert pair["a2b"](of_b, of_a).shape == (*of_b.shape, OTHER.vocab_size)
    assert pair["b2a"](of_a, of_b).shape == (*of_a.shape, SOURCE.vocab_size)


@pytest.mark.parametrize("config", [COPY, ATTENTION])
def test_a_shared_pair_has_one_set_of_parameters(config, cond_BS) -> None:
    torch.manual_seed(0)
    shared = config.model_copy(update=SHARED)
    pair = shared.build_pair(SpacePair(SOURCE, SPACE)).eval()
    for each in (pair, deepcopy(pair)):
        a2b, b2a = each["a2b"], each["b2a"]
        assert isinstance(a2b, Directed)
        assert a2b.network is b2a.network
        assert len(list(each.parameters())) == len(list(a2b.parameters()))
        ids_BT = targets(a2b)
        # One network, two tasks.
        assert (a2b(ids_BT, cond_BS) - b2a(ids_BT, cond_BS)).abs().max() > 1e-3
    # Both lengths fit in both directions, whichever is longer.
    for each in (pair, shared.build_pair(SpacePair(SPACE, SOURCE))):
        for side in each.values():
            side(cond_BS, targets(side))
            step_loop(side, cond_BS, targets(side))
            side(targets(side), cond_BS)


def test_the_style_acts_on_both_ends(cond_BS) -> None:
    """On the encoder's input and on the decoder's start vector."""
    torch.manual_seed(0)
    recurrent = COPY.build_network(SOURCE, SPACE, styles=2).eval()
    attending = ATTENTION.build_network(SOURCE, SPACE, styles=2).eval()
    memories = [recurrent._read(cond_BS, style)[1][1] for style in (0, 1)]
    assert (memories[0] - memories[1]).abs().max() > 1e-3
    values = [attending._read(cond_BS, style)[0][0][1] for style in (0, 1)]
    assert (values[0] - values[1]).abs().max() > 1e-3
    for network in (recurrent, attending):
        started: list[Tensor] = []
        network._step = lambda x_BE, state, kept=started: kept.append(x_BE) or StepOut(x_BE, state)
        for style in (0, 1):
            network.start(4, cond_BS, style)
            expected_E = network.start_E + network.style.vectors[style]
            close(started[style], expected_E.expand(4, -1))


def test_handles_of_one_network_have_one_mode() -> None:
    """A block that evaluates both handles must not wake the network when the inner one ends."""
    pair = COPY.model_copy(update=SHARED).build_pair(SpacePair(SOURCE, SPACE))
    network = pair["a2b"].network
    with evaluating(pair["a2b"]):
        assert not pair["b2a"].training
        with evaluating(pair["b2a"]):
            assert not network.training
        assert not network.training
    assert network.training
    assert pair["b2a"].training


def test_recurrent_layers_keep_their_single_bias() -> None:
    frozen = [
        p
        for layer in pointer().modules()
        if isinstance(layer, Recurrent)
        for p in layer.parameters()
    ]
    assert sum(not p.requires_grad for p in frozen) == 3


@pytest.mark.parametrize(
    ("config", "b", "words"),
    [
        (COPY, OTHER, "copy=true.*7 and 9.*set it to false"),
        (COPY.model_copy(update=SHARED), OTHER, "shared=true.*7 and 9"),
        (ATTENTION.model_copy(update=SHARED), OTHER, "shared=true.*7 and 9"),
        (ATTENTION.model_copy(update=SHARED), SequenceSpace(7, 5), "ends: 6, None"),
    ],
)
def test_what_does_not_fit_is_refused(config, b, words) -> None:
    with pytest.raises(UserError, match=words):
        config.build_pair(SpacePair(SOURCE, b))


def test_heads_divide_the_width() -> None:
    tree = {"name": "encoder_decoder", "width": 10, "heads": 4}
    with pytest.raises(UserError, match="heads=4 does not divide width=10"):
        validate(EncoderDecoderConfig, tree, "x")


def test_copy_is_a_plain_field() -> None:
    assert validate(PointerConfig, {"name": "pointer", "copy": False}, "x").copy is False
    assert PLAIN.model_dump()["copy"] is False


def test_a_seed_decides_every_parameter_wherever_the_modules_lie_in_memory() -> None:
    """The networks stay alive, so that each one has other addresses."""
    space = SequenceSpace(5, 4, 0)
    networks = []
    for _ in range(24):
        torch.manual_seed(0)
        networks.append(EncoderDecoder(space, space, width=4, layers=1, heads=1, joint=False))
    first, *others = [network.source_embedding.weight for network in networks]
    assert all(torch.equal(first, other) for other in others)


# ── Words that the vocabulary lacks ───────────────────────────────────────────────────────────

UNKNOWN = 5


@pytest.mark.parametrize("name", ["copy", "copy-shared"])
def test_a_copied_unknown_word_is_that_with_the_most_attention(name: str) -> None:
    """By hand from the step loop: where each `<unk>` was written, and how likely it was copied."""
    config, space = DIRECTIONS[name]
    torch.manual_seed(3)
    generator = config.build_pair(SpacePair(SOURCE, space))["a2b"].eval()
    network, style = (generator.network, 0) if name == "copy-shared" else (generator, None)
    network.keys.weight.data.mul_(8)  # attention that prefers one place
    network.gate.weight.data.mul_(4)
    cond = torch.tensor(
        [[0, UNKNOWN, 2, UNKNOWN, UNKNOWN, END], [UNKNOWN, 1, 2, END, END, END]] * 8
    )
    ids_BT = torch.randint(UNKNOWN, (16, 5))
    ids_BT[:, [1, 3]] = UNKNOWN
    found = generator.copied_columns(ids_BT, cond, UNKNOWN)
    _, memory = network._read(cond, style)
    states = []
    out = generator.start(16, cond)
    for column in range(5):
        states.append(out.state[0])
        if column < 4:
            out = generator.step(ids_BT[:, column], out.state)
    attention = (torch.stack(states, 1) @ memory[0].mT).masked_fill(~memory[3][:, None], -torch.inf)
    unknown = attention.softmax(-1) * (cond == UNKNOWN)[:, None]
    total = token_log_probs(generator, ids_BT, torch.ones_like(ids_BT).bool(), cond=cond).exp()
    seen = set()
    for row, column in ((r, c) for r in range(16) for c in range(5)):
        if ids_BT[row, column] != UNKNOWN:
            assert found[row, column] == -1
            continue
        x_E = network.embedding(ids_BT[row, column - 1])
        read = attention[row, column].softmax(-1) @ memory[1][row]
        joint = torch.cat([read, states[column][row], x_E])
        copied = (1 - network.gate(joint).sigmoid()) * unknown[row, column].sum()
        generated = total[row, column] - copied
        best = int(unknown[row, column].argmax()) if copied > generated else -1
        assert found[row, column] == best
        seen.add(best)
    assert {-1, 0} < seen, "copied and generated ones, or the test proves little"
    assert len(seen) > 2


def test_a_translator_that_cannot_copy_has_no_copied_words(cond_BS: Tensor) -> None:
    for config in (PLAIN, ATTENTION, ATTENTION.model_copy(update=SHARED)):
        generator = config.build_pair(SpacePair(SOURCE, SPACE))["a2b"].eval()
        assert generator.copied_columns(torch.full((4, 5), 2), cond_BS, 2) is None
