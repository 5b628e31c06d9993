"""Monte-Carlo rollouts: every reward comes back to the sentence and the position it belongs to."""

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    PrefixTable,
    SentenceReward,
    chi_square_is_plausible,
    index_of,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.types import (
    Batch,
    Critic,
    Generator,
    Reward,
    Rollout,
    Scores,
    SequenceSpace,
    SharedPrefix,
)
from seqgan.data.stream import Stream
from seqgan.decoding import Ancestral, continuations, prefix_states, sample
from seqgan.estimators.credit import RewardedRollout
from seqgan.estimators.rollout import Rollout as RolloutCredit
from seqgan.estimators.score_function import ScoreFunction
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.criterion import Criterion
from seqgan.games.surrogate import Learner
from seqgan.objectives.divergences import Divergence
from seqgan.training.config import PlayerConfig
from seqgan.training.player import Player

SPACE = SequenceSpace(vocab_size=3, length=4)
ENDING = SequenceSpace(vocab_size=3, length=4, end_id=1)
BOTH = {"fixed": SPACE, "ending": ENDING}


def rollout_returns(
    generator: Generator, space: SequenceSpace, rollout: Rollout, reward: Reward, copies: int
) -> torch.Tensor:
    return RolloutCredit(copies)(RewardedRollout(rollout, reward, generator, space))


def sampled(generator: nn.Module, space: SequenceSpace, rows: int, seed: int = 0) -> Rollout:
    torch.manual_seed(seed)
    with torch.no_grad():
        return sample(generator, space, rows, Ancestral())


# ── Alignment ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_continuation_p_n_b_starts_with_p_plus_1_tokens_of_sentence_b(name, space, copies) -> None:
    generator = make_generator(name, space)
    rollout = sampled(generator, space, 6)
    ids_PNBT = continuations(generator, space, rollout, copies, Ancestral())
    assert ids_PNBT.shape == (3, copies, 6, 4)
    for p in range(3):
        for n in range(copies):
            assert torch.equal(ids_PNBT[p, n, :, : p + 1], rollout.ids_BT[:, : p + 1])


def test_a_reward_of_the_first_token_comes_back_to_its_sentence_at_every_position() -> None:
    generator = make_generator("gru", SPACE)
    rollout = sampled(generator, SPACE, 50)
    value_V = torch.tensor([0.25, -3.0, 7.0])
    returns_BT = rollout_returns(
        generator, SPACE, rollout, lambda x, *_: value_V[x[:, 0]], copies=4
    )
    expected_B1 = value_V[rollout.ids_BT[:, :1]]
    assert torch.equal(returns_BT, expected_B1.expand(50, 4))


@pytest.mark.parametrize("position", range(4))
def test_a_reward_of_one_position_is_certain_from_there_on(position) -> None:
    """Before it the return is a mean over continuations, at it and behind it the exact value."""
    generator = make_generator("gru", SPACE)
    rollout = sampled(generator, SPACE, 200)
    value_V = torch.tensor([0.0, 1.0, 4.0])
    returns_BT = rollout_returns(
        generator, SPACE, rollout, lambda x, *_: value_V[x[:, position]], copies=3
    )
    own_B = value_V[rollout.ids_BT[:, position]]
    assert torch.equal(returns_BT[:, position:], own_B[:, None].expand(200, 4 - position))
    for earlier in range(position):
        assert (returns_BT[:, earlier] != own_B).any()


def test_a_deterministic_generator_gives_every_prefix_its_own_future() -> None:
    """With one possible continuation the return of prefix x_≤t is R of that continuation."""
    space = SPACE
    generator = PrefixTable(space, sharpness=1000.0)
    ids_BT = sentences(space)
    reward = SentenceReward(space)
    returns_BT = rollout_returns(generator, space, rollout_of(ids_BT, space), reward, copies=2)
    for row, ids in enumerate(ids_BT.tolist()):
        for t in range(space.length):
            future = ids[: t + 1]
            while len(future) < space.length:
                prefix = torch.tensor([future])
                logits_V = generator.tables[len(future)][index_of(prefix, 3)[0]]
                future = [*future, int(logits_V.argmax())]
            assert returns_BT[row, t] == reward(torch.tensor([future]), None)[0]


def scrambled_returns(ids_PNBT: Tensor, rollout: Rollout, value) -> Tensor:
    """TextGAN-PyTorch: a [N·T, B] buffer, filled time by time within each rollout, is viewed as
    (B, T, N) and averaged over its last axis."""
    length, copies, batch, _ = ids_PNBT.shape[0] + 1, *ids_PNBT.shape[1:]
    buffer = torch.zeros(copies * length, batch)
    for n in range(copies):
        for t in range(length):
            whole = rollout.ids_BT if t == length - 1 else ids_PNBT[t, n]
            buffer[n * length + t] = value(whole)
    return buffer.view(batch, length, copies).mean(-1)


def test_text_gan_pytorch_scrambles_what_comes_back_in_order_here() -> None:
    """Correlation with the right reward: 1 here, about 0 after `[N·T, B].view(B, T, N)`."""
    space = SequenceSpace(vocab_size=3, length=8)
    generator = make_generator("gru", space)
    rollout = sampled(generator, space, 256)
    value_V = torch.tensor([0.0, 1.0, 5.0])

    def value(ids_RT: Tensor) -> Tensor:
        return value_V[ids_RT[:, 0]]

    right_BT = value(rollout.ids_BT)[:, None].expand(256, 8)
    ours_BT = rollout_returns(generator, space, rollout, lambda x, *_: value(x), copies=4)
    ids_PNBT = continuations(generator, space, rollout, 4, Ancestral())
    theirs_BT = scrambled_returns(ids_PNBT, rollout, value)

    def correlation(x: Tensor) -> float:
        return float(torch.corrcoef(torch.stack([x.flatten(), right_BT.flatten()]))[0, 1])

    assert correlation(ours_BT) == pytest.approx(1.0)
    assert abs(correlation(theirs_BT)) < 0.15


# ── Distribution ──────────────────────────────────────────────────────────────────────────────


def conditional(
    generator: nn.Module, space: SequenceSpace, prefix: list[int]
) -> tuple[Tensor, Tensor]:
    """Sentences and p(sentence | prefix), enumerated; all mass on itself where it has ended."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp().detach()
    starts_R = (ids_RT[:, : len(prefix)] == torch.tensor(prefix)).all(1)
    prob_R = prob_R * starts_R
    return ids_RT, prob_R / prob_R.sum()


@pytest.mark.parametrize("rows", ["one block", "small blocks"])
@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", ["gru", "transformer", "table"])
def test_continuations_follow_the_conditional_distribution(monkeypatch, name, space, rows) -> None:
    if rows == "small blocks":
        monkeypatch.setattr("seqgan.decoding.loop._block_rows", lambda logits_BV: 700)
    generator = PrefixTable(space) if name == "table" else make_generator(name, space)
    picks = [0, 5, 13, -1]
    rollout = rollout_of(sentences(space)[picks], space)
    torch.manual_seed(0)
    ids_PNBT = continuations(generator, space, rollout, 4000, Ancestral())
    for p in range(space.length - 1):
        for b in range(len(picks)):
            prefix = rollout.ids_BT[b, : p + 1].tolist()
            ids_RT, prob_R = conditional(generator, space, prefix)
            index_R = index_of(ids_RT, space.vocab_size)
            found_N = index_of(ids_PNBT[p, :, b], space.vocab_size)
            counts_R = (found_N[:, None] == index_R).sum(0)
            assert int(counts_R.sum()) == 4000, "only well-formed sentences"
            assert chi_square_is_plausible(counts_R, prob_R)


@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
def test_rollout_returns_estimate_the_enumerated_value_of_every_prefix(space) -> None:
    generator, reward = make_generator("gru", space), SentenceReward(space)
    rollout = rollout_of(sentences(space), space)
    torch.manual_seed(0)
    copies = 2000
    returns_BT = rollout_returns(generator, space, rollout, reward, copies)
    for b, ids in enumerate(rollout.ids_BT.tolist()):
        for t in range(space.length):
            ids_RT, prob_R = conditional(generator, space, ids[: t + 1])
            value_R = reward(ids_RT, None)
            mean = float(prob_R @ value_R)
            error = float((prob_R @ (value_R - mean).square()).clamp(min=0) / copies) ** 0.5
            assert abs(float(returns_BT[b, t]) - mean) < 5.5 * error + 1e-4


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer", "table"])
def test_prefix_states_start_from_the_start_token(name) -> None:
    """Entry t is the distribution after the first t tokens, so entry 0 that after none."""
    generator = PrefixTable(SPACE) if name == "table" else make_generator(name, SPACE)
    ids_BT = sentences(SPACE)[[4, 40, 77]]
    outs = prefix_states(generator, ids_BT)
    assert len(outs) == SPACE.length
    torch.testing.assert_close(outs[0].logits_BV, generator.start(3).logits_BV)
    for t, out in enumerate(outs):
        torch.testing.assert_close(out.logits_BV, generator(ids_BT)[:, t], rtol=1e-4, atol=1e-5)


# ── Ends ──────────────────────────────────────────────────────────────────────────────────────


def test_a_prefix_that_has_ended_continues_as_itself() -> None:
    generator = make_generator("gru", ENDING)
    rollout = rollout_of(torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1], [2, 0, 1, 1]]), ENDING)
    ids_PNBT = continuations(generator, ENDING, rollout, 50, Ancestral())
    for b, ended_at in enumerate([0, 1, 2]):
        for p in range(ended_at, 3):
            assert (ids_PNBT[p, :, b] == rollout.ids_BT[b]).all()
    assert (ids_PNBT[0, :, 1] != rollout.ids_BT[1]).any()
    assert (ids_PNBT[1, :, 2] != rollout.ids_BT[2]).any()


@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
def test_what_continuations_share_is_the_prefix_and_no_token_more(space) -> None:
    generator = make_generator("gru", space)
    rollout = sampled(generator, space, 6)
    told: list[SharedPrefix | None] = []

    def reward(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        told.append(shared)
        if shared is not None:
            prefix = rollout.ids_BT[:, : shared.columns].repeat(len(x) // shared.batch, 1)
            assert torch.equal(x[:, : shared.columns], prefix)
        return torch.zeros(len(x))

    rollout_returns(generator, space, rollout, reward, copies=4)
    assert told == [SharedPrefix(6, 1), SharedPrefix(6, 2), SharedPrefix(6, 3), None]


def test_the_critic_sees_the_mask_of_each_continuation_not_that_of_its_sentence() -> None:
    generator = make_generator("gru", ENDING)
    rollout = sampled(generator, ENDING, 30)
    seen = []

    def reward(tokens: Tensor, mask_BT: Tensor, shared: object = None) -> Tensor:
        seen.append((tokens, mask_BT))
        return tokens[:, 0].float()

    rollout_returns(generator, ENDING, rollout, reward, copies=3)
    assert sum(len(tokens) for tokens, _ in seen) == 3 * 3 * 30 + 30
    for tokens, mask_BT in seen:
        assert torch.equal(mask_BT, mask_of(tokens, ENDING.end_id))


def test_sequences_of_one_token_need_no_continuation() -> None:
    space = SequenceSpace(vocab_size=3, length=1)
    generator = make_generator("gru", space)
    rollout = sampled(generator, space, 5)
    returns_BT = rollout_returns(generator, space, rollout, lambda x, *_: x[:, 0].float(), copies=2)
    assert torch.equal(returns_BT, rollout.ids_BT.float())


# ── The critic while it rewards ───────────────────────────────────────────────────────────────


class NoisyCritic(Critic):
    """Dropout, a batch norm with buffers, and a diary of the mode it was called in."""

    def __init__(self, space: SequenceSpace) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        width = space.vocab_size * space.length
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(0.9)
        self.readout = nn.Linear(width, 1)
        self.diary: list[bool] = []

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        self.diary.append(self.training)
        if not x.is_floating_point():
            x = F.one_hot(x, self.vocab_size).float()
        return Scores(self.readout(self.dropout(self.norm(x.flatten(1))))[:, 0])


def test_the_critic_rewards_without_dropout_and_does_not_change() -> None:
    torch.manual_seed(0)
    critic, generator = NoisyCritic(SPACE), make_generator("gru", SPACE)
    critic.train()
    real_NT = sentences(SPACE)
    game = AdversarialGame(
        Learner(
            Player("generator", generator, PlayerConfig()),
            ScoreFunction(SPACE, credit=RolloutCredit(2)),
        ),
        Player("critic", critic, PlayerConfig()),
        Criterion(Divergence("wgan"), [], SPACE),
        Stream(Batch(real_NT, torch.ones_like(real_NT, dtype=torch.bool)), 8, 0),
    )
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    weights = [p.clone() for p in generator.parameters()]
    for player, loss, stats in game.updates("generator"):
        player.update(loss)
        # The first score of the real value: recomputed without dropout it is the same.
        assert stats["return"].isfinite()
    assert critic.diary
    assert not any(critic.diary), "evaluation mode at every call"
    assert critic.training, "and back to training afterwards"
    assert all(p.requires_grad and p.grad is None for p in critic.parameters())
    for name, value in critic.state_dict().items():
        assert torch.equal(value, before[name]), name
    moved = [not torch.equal(p, w) for p, w in zip(generator.parameters(), weights, strict=True)]
    trainable = [p.requires_grad for p in generator.parameters()]
    assert moved == trainable

    critic.diary.clear()
    before = [p.clone() for p in generator.parameters()]
    for player, loss, _ in game.updates("critic"):
        player.update(loss)
    assert all(critic.diary), "while it learns, the critic has its dropout"
    assert all(torch.equal(p, w) for p, w in zip(generator.parameters(), before, strict=True))
