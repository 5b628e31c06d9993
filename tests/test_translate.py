"""Greedy and beam search against enumeration, on networks with given and with random logits."""

from itertools import product

import pytest
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.generators import ParallelGenerator
from seqgan.core.masks import mask_until_end
from seqgan.core.tree import gather_rows
from seqgan.core.types import Generator, SequenceSpace, SpacePair, State, StepOut
from seqgan.decoding import Greedy, sample, token_log_probs
from seqgan.models.seq2seq.config import EncoderDecoderConfig, PointerConfig
from seqgan.translate import translate

CONFIGS = [
    PointerConfig(name="pointer", embed=6, hidden=6, copy=False),
    EncoderDecoderConfig(name="encoder_decoder", width=8, heads=2, layers=1),
]


def network(space: SequenceSpace, config=CONFIGS[1]):
    """A random translator from sources of 4 tokens of 5, with logits far apart."""
    torch.manual_seed(0)
    generator = config.build_pair(SpacePair(SequenceSpace(5, 4), space))["a2b"].eval()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if "norm" not in name or name.startswith("norm."):  # of norms the last one only
                parameter *= 3
    return generator


def sources(rows: int) -> Tensor:
    torch.manual_seed(7)
    return torch.randint(5, (rows, 4))


def scores(generator: Generator, ids_BT: Tensor, end_id: int | None, cond: Tensor, penalty: float):
    """log p / length**penalty from teacher forcing."""
    mask_BT = mask_until_end(ids_BT, end_id)
    with torch.no_grad():
        logp_B = token_log_probs(generator, ids_BT, mask_BT, cond=cond).sum(1)
    return logp_B / mask_BT.sum(1) ** penalty


def every_sentence(space: SequenceSpace) -> Tensor:
    """`ids_NT` of all sentences; behind an end there are ends only."""
    ids_NT = torch.tensor(list(product(range(space.vocab_size), repeat=space.length)))
    if space.end_id is None:
        return ids_NT
    filled_NT = torch.where(mask_until_end(ids_NT, space.end_id), ids_NT, space.end_id)
    return filled_NT.unique(dim=0)


class Table(Generator):
    """Given logits of the next token for each prefix."""

    def __init__(self, logits: dict[tuple[int, ...], list[float]], vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.logits = logits
        self.calls = 0

    def _look_up(self, prefix_RT: Tensor) -> StepOut:
        self.calls += 1
        default = [0.0] * self.vocab_size
        rows = [self.logits.get(tuple(row), default) for row in prefix_RT.tolist()]
        return StepOut(torch.tensor(rows), (prefix_RT,))

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self._look_up(torch.zeros(batch, 0, dtype=torch.long))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._look_up(torch.cat([state[0], x[:, None]], 1))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        outs = [self._look_up(tokens[:, :t]).logits_BV for t in range(tokens.shape[1])]
        return torch.stack(outs, 1)


def logs(*probs: float) -> list[float]:
    return torch.tensor(probs).log().tolist()


ONE = torch.zeros(1, 1, dtype=torch.long)
"""One source; tables do not read it."""


# ── Greedy ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("end_id", [None, 2])
@pytest.mark.parametrize("simplex", [False, True])
def test_one_beam_is_greedy_decoding(config, end_id, simplex) -> None:
    space = SequenceSpace(4, 6, end_id)
    generator, cond = network(space, config), sources(30)
    if simplex:
        cond = torch.randn(30, 4, 5).softmax(-1)
    with torch.no_grad():
        expected = sample(generator, space, 30, Greedy(), cond)
    rollout = translate(generator, space, cond)
    assert torch.equal(rollout.ids_BT, expected.ids_BT)
    assert torch.equal(rollout.mask_BT, expected.mask_BT)
    assert rollout.tokens is rollout.ids_BT
    assert rollout.cond is cond


def test_decoding_stops_when_every_row_has_ended() -> None:
    """Token 1 is the end; the table ends after two tokens."""
    table = Table({(): [1.0, 0.0], (0,): [0.0, 1.0]}, 2)
    rollout = translate(table, SequenceSpace(2, 50, 1), ONE)
    assert rollout.ids_BT.tolist() == [[0] + [1] * 49]
    assert int(rollout.mask_BT.sum()) == 2
    assert table.calls == 2


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_end_in_the_last_column_needs_no_padding(length) -> None:
    table = Table({(0,) * t: [float(t < length - 1), 0.5] for t in range(length)}, 2)
    rollout = translate(table, SequenceSpace(2, length, 1), ONE)
    assert rollout.ids_BT.tolist() == [[0] * (length - 1) + [1]]


# ── Beam search ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0, -1.0])
@pytest.mark.parametrize(
    "space", [SequenceSpace(4, 3), SequenceSpace(4, 3, 2), SequenceSpace(3, 3, 0)]
)
def test_a_wide_beam_finds_the_best_of_all(config, penalty, space) -> None:
    generator, cond = network(space, config), sources(8)
    all_NT = every_sentence(space)
    scores_BN = torch.stack(
        [scores(generator, all_NT, space.end_id, c.expand(len(all_NT), -1), penalty) for c in cond]
    )
    rollout = translate(
        generator, space, cond, space.vocab_size**space.length, length_penalty=penalty
    )
    assert torch.equal(rollout.ids_BT, all_NT[scores_BN.argmax(1)])
    assert torch.equal(rollout.mask_BT, mask_until_end(rollout.ids_BT, space.end_id))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("end_id", [None, 2])
def test_a_beam_is_likelier_than_greedy_decoding(config, end_id) -> None:
    """Pruning may lose greedy's sentence now and then, but on the whole a beam finds better."""
    space, cond = SequenceSpace(4, 8, end_id), sources(60)
    generator = network(space, config)
    greedy_B, narrow_B, wide_B = (
        scores(generator, translate(generator, space, cond, beam).ids_BT, end_id, cond, 1.0)
        for beam in (1, 3, 64)
    )
    assert (narrow_B >= greedy_B - 1e-5).float().mean() > 0.9
    assert (wide_B >= greedy_B - 1e-5).all()
    assert greedy_B.mean() < narrow_B.mean() <= wide_B.mean() + 1e-6


def test_a_beam_sees_past_the_likeliest_first_token() -> None:
    """Greedy takes 0 (0.6), behind which all is even; 1 (0.4) is followed by a certain 1."""
    table = Table({(): logs(0.6, 0.4), (0,): logs(0.5, 0.5), (1,): logs(1e-9, 1.0)}, 2)
    space = SequenceSpace(2, 2)
    assert translate(table, space, ONE).ids_BT.tolist()[0][0] == 0
    assert translate(table, space, ONE, beam=2).ids_BT.tolist() == [[1, 1]]


def test_the_length_penalty_decides_between_short_and_long() -> None:
    """[end] has probability 0.4, [0, 0, 0, end] only 0.6⁴ = 0.13, but 0.6 for each token."""
    table = Table(
        {(0,) * t: logs(0.6 if t < 3 else 0.4, 0.4 if t < 3 else 0.6) for t in range(4)}, 2
    )
    space = SequenceSpace(2, 4, 1)
    for penalty, expected in ((0.0, [1, 1, 1, 1]), (1.0, [0, 0, 0, 1])):
        rollout = translate(table, space, ONE, beam=2, length_penalty=penalty)
        assert rollout.ids_BT.tolist() == [expected]


def test_a_finished_sentence_is_kept_though_its_beam_goes_on() -> None:
    """The end (2) comes third in column 0 and still is the best; two prefixes fill the beam."""
    even = logs(0.499, 0.499, 0.002)
    table = Table({(): logs(0.35, 0.34, 0.31), (0,): even, (1,): even}, 3)
    rollout = translate(table, SequenceSpace(3, 4, 2), ONE, beam=2, length_penalty=0.0)
    assert rollout.ids_BT.tolist() == [[2, 2, 2, 2]]


def test_a_search_stops_when_nothing_can_win_any_more() -> None:
    table = Table({(): logs(0.01, 0.99)}, 2)
    rollout = translate(table, SequenceSpace(2, 50, 1), ONE, beam=3, length_penalty=0.0)
    assert rollout.ids_BT.tolist() == [[1] * 50]
    assert table.calls == 1


@pytest.mark.parametrize(
    ("penalty", "logits", "expected"),
    [  # the end (1) scores log 0.7 = -0.36, eight tokens log 0.3 / 8 = -0.15
        (1.0, {(): logs(0.3, 0.7), **{(0,) * t: logs(1.0, 1e-9) for t in range(1, 8)}}, [0] * 8),
        # the end scores log 0.3 = -1.2, a token and the end 2 log 0.7 = -0.71
        (-1.0, {(): logs(0.7, 0.3), (0,): logs(1e-9, 1.0)}, [0] + [1] * 7),
    ],
)
def test_a_search_goes_on_while_something_can_win(penalty, logits, expected) -> None:
    rollout = translate(
        Table(logits, 2), SequenceSpace(2, 8, 1), ONE, beam=2, length_penalty=penalty
    )
    assert rollout.ids_BT.tolist() == [expected]


@pytest.mark.parametrize("config", CONFIGS)
def test_sources_do_not_know_each_other_in_a_beam(config) -> None:
    """States follow their hypotheses: each source alone, and in any order, gives the same."""
    space, cond = SequenceSpace(4, 6, 3), sources(12)
    generator = network(space, config)
    together = translate(generator, space, cond, beam=3).ids_BT
    alone = [translate(generator, space, cond[row : row + 1], beam=3).ids_BT for row in range(12)]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(translate(generator, space, cond.flip(0), beam=3).ids_BT, together.flip(0))
    assert len(together.unique(dim=0)) > 2


def test_gathered_rows_keep_shared_leaves() -> None:
    tree = (3, (torch.arange(4), torch.eye(4)))
    column, (rows, matrix) = gather_rows(tree, torch.tensor([2, 2, 0]))
    assert column == 3
    assert rows.tolist() == [2, 2, 0]
    assert torch.equal(matrix, torch.eye(4)[[2, 2, 0]])


# ── Length ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_length_is_kept_exactly(config, beam, length) -> None:
    space, cond = SequenceSpace(4, 6, 2), sources(20)
    generator = network(space, config)
    rollout = translate(generator, space, cond, beam, length)
    assert (rollout.ids_BT[:, :length] != 2).all()
    assert (rollout.ids_BT[:, length:] == 2).all()
    assert (rollout.mask_BT.sum(1) == length + 1).all()


def test_a_wide_beam_finds_the_best_of_a_length() -> None:
    """The ban takes the end's share: the rest is as likely as before, among the rest."""
    space, cond = SequenceSpace(4, 3, 3), sources(6)
    generator = network(space)
    all_NT = every_sentence(space)
    all_NT = all_NT[mask_until_end(all_NT, 3).sum(1).eq(3) & all_NT[:, 2].eq(3)]
    with torch.no_grad():
        for row in range(6):
            logits_NTV = generator(all_NT, cond[row].expand(len(all_NT), -1))
            rest_NTV = logits_NTV[:, :2, :3].log_softmax(-1)
            logp_N = rest_NTV.gather(2, all_NT[:, :2, None]).sum((1, 2))
            found = translate(generator, space, cond[row : row + 1], 64, length=2)
            assert torch.equal(found.ids_BT[0], all_NT[logp_N.argmax()])


# ── The rest ──────────────────────────────────────────────────────────────────────────────────


class Shift(ParallelGenerator):
    """Writes every token plus one."""

    vocab_size = 5

    def emit(self, cond: Tensor) -> Tensor:
        return torch.nn.functional.one_hot((cond + 1) % 5, 5).float()


def test_parallel_generators_write_at_once() -> None:
    cond = sources(3)
    rollout = translate(Shift(), SequenceSpace(5, 4, 2), cond)
    assert torch.equal(rollout.ids_BT, (cond + 1) % 5)
    assert torch.equal(rollout.mask_BT, mask_until_end(rollout.ids_BT, 2))


def test_dropout_is_off_and_the_mode_comes_back() -> None:
    space, cond = SequenceSpace(4, 6, 2), sources(20)
    config = CONFIGS[1].model_copy(update={"dropout": 0.5})
    generator = network(space, config).train()
    first, second = (translate(generator, space, cond, length=4) for _ in range(2))
    assert torch.equal(first.ids_BT, second.ids_BT)
    assert generator.training
    assert not translate(generator.eval(), space, cond, length=4).ids_BT.requires_grad
    assert not generator.training


@pytest.mark.parametrize(
    ("generator", "space", "options", "words"),
    [
        (Table({}, 4), SequenceSpace(4, 6, 3), {"length": 6}, "length=6: .*1 to 5"),
        (Table({}, 4), SequenceSpace(4, 6, 3), {"length": 0}, "length=0: .*1 to 5"),
        (Table({}, 4), SequenceSpace(4, 6), {"length": 3}, "length=3: .*no end token"),
        (Shift(), SequenceSpace(5, 4, 2), {"length": 3}, "length=3: .*of the source"),
        (Table({}, 4), SequenceSpace(4, 6, 3), {"beam": 0}, "beam=0"),
        (Shift(), SequenceSpace(5, 4, 2), {"beam": 2}, "beam=2: .*at once.*leave it out"),
    ],
)
def test_what_cannot_be_had_is_refused(generator, space, options, words) -> None:
    with pytest.raises(UserError, match=words):
        translate(generator, space, sources(2), **options)
