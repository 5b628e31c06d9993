"""LeakGAN's generator: the contract of generators, and what it reads of the critic."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from enumeration import chi_square_is_plausible, mask_of, sentences, step_logits
from torch import Tensor

from seqgan.core.tree import tree_map
from seqgan.core.types import Critic, SequenceSpace
from seqgan.decoding import Ancestral, continuations, sample, sequence_log_probs
from seqgan.models.config import CnnCriticConfig, LeakGanGeneratorConfig
from seqgan.models.generators.leakgan import LeakGanGenerator
from seqgan.objectives.penalties import SpectralNorm
from seqgan.training.config import GeneratorPlayerConfig
from seqgan.training.player import Player

FIXED = SequenceSpace(vocab_size=5, length=6)
ENDING = SequenceSpace(vocab_size=5, length=6, end_id=1)
SPACES = {"fixed": FIXED, "ending": ENDING}
CRITIC = CnnCriticConfig(name="cnn", embed=4, widths=[1, 2, 4], filters=[3, 4, 3], dropout=0.5)
CONFIG = LeakGanGeneratorConfig(name="leakgan", embed=4, hidden=5, goal=3, horizon=2)


def make_pair(space: SequenceSpace, seed: int = 0) -> tuple[LeakGanGenerator, Critic]:
    """A generator far from uniform that has listened to the critic."""
    torch.manual_seed(seed)
    generator = CONFIG.build(space, CRITIC)
    critic = CRITIC.build(space)
    with torch.no_grad():
        for parameter in (*generator.parameters(), *critic.parameters()):
            if parameter.requires_grad:
                parameter.mul_(2)
    generator.sync_critic_features(critic)
    return generator.eval(), critic.eval()


def some_ids(space: SequenceSpace, rows: int = 7) -> Tensor:
    """Sentences; of a space with an end some end early, one at once and one never."""
    torch.manual_seed(1)
    ids_BT = torch.randint(space.vocab_size, (rows, space.length))
    if space.end_id is not None:
        ids_BT[0, 0] = space.end_id
        ids_BT[1][ids_BT[1] == space.end_id] = 0
        ids_BT[~mask_of(ids_BT, space.end_id)] = space.end_id
    return ids_BT


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


# ── The contract ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_step_loop_equals_forward(space) -> None:
    generator, _ = make_pair(space)
    ids_BT = some_ids(space)
    close(step_logits(generator, ids_BT), generator(ids_BT))
    close(generator.read(ids_BT).logits_BTV, generator(ids_BT))


def test_step_loop_equals_forward_on_soft_tokens() -> None:
    generator, _ = make_pair(FIXED)
    soft_BTV = torch.randn(4, FIXED.length, FIXED.vocab_size).softmax(-1)
    close(step_logits(generator, soft_BTV), generator(soft_BTV))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_ids_equal_their_one_hot_rows(space) -> None:
    generator, _ = make_pair(space)
    ids_BT = some_ids(space)
    rows_BTV = F.one_hot(ids_BT, space.vocab_size).float()
    close(generator(rows_BTV), generator(ids_BT))
    close(step_logits(generator, rows_BTV), step_logits(generator, ids_BT))


@pytest.mark.parametrize("column", range(FIXED.length))
def test_a_token_changes_only_what_comes_after_it(column) -> None:
    generator, _ = make_pair(FIXED)
    ids_BT = some_ids(FIXED)
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % FIXED.vocab_size
    before, after = generator(ids_BT), generator(changed_BT)
    close(after[:, : column + 1], before[:, : column + 1])
    for time in range(column + 1, FIXED.length):
        assert not torch.allclose(after[:, time], before[:, time])


def test_rows_of_the_state_continue_by_themselves() -> None:
    generator, _ = make_pair(FIXED)
    ids_BT = some_ids(FIXED)
    out = generator.step(ids_BT[:, 0], generator.start(7).state)
    one = tree_map(lambda x: x[2:3], out.state)
    close(
        generator.step(ids_BT[2:3, 1], one).logits_BV,
        generator.step(ids_BT[:, 1], out.state).logits_BV[2:3],
    )


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_it_samples_from_the_distribution_whose_likelihood_it_states(space) -> None:
    """No temperature in one of the two only."""
    small = SequenceSpace(3, 4, space.end_id)
    generator, _ = make_pair(small)
    ids_RT = sentences(small)
    probs_R = sequence_log_probs(generator, ids_RT, mask_of(ids_RT, small.end_id)).exp()
    assert float(probs_R.sum()) == pytest.approx(1, abs=1e-5)
    torch.manual_seed(0)
    drawn = sample(generator, small, 20_000, Ancestral()).ids_BT
    hits = (drawn[:, None] == ids_RT[None]).all(-1)
    assert chi_square_is_plausible(hits.sum(0), probs_R)


def test_continuations_keep_their_prefixes() -> None:
    generator, _ = make_pair(ENDING)
    rollout = sample(generator, ENDING, 6, Ancestral())
    ids_PNBT = continuations(generator, ENDING, rollout, 3, Ancestral())
    for prefix in range(1, ENDING.length):
        same = ids_PNBT[prefix - 1, :, :, :prefix] == rollout.ids_BT[:, :prefix]
        assert bool(same.all())


def test_logits_are_action_embeddings_times_the_embedded_sum_of_the_last_goals() -> None:
    """O w by its definition: token v, row v of O [V, k]; goals from the loop over columns."""
    generator, critic = make_pair(FIXED)
    ids_BT = some_ids(FIXED)
    goals = loop_goals(generator, critic, ids_BT, FIXED)
    state = generator.worker.zero_state(len(ids_BT))
    x_BE = generator.start_E.expand(len(ids_BT), -1)
    for column, logits_BV in enumerate(generator(ids_BT).unbind(1)):
        h_BH, state = generator.worker.step(x_BE, state)
        O_BVK = generator.actions(h_BH).view(len(ids_BT), FIXED.vocab_size, CONFIG.goal)
        total_BF = sum(goals[max(0, column - CONFIG.horizon + 1) : column + 1])
        w_BK = torch.einsum("kf,bf->bk", generator.embed_goal.weight, total_BF)
        close(torch.einsum("bvk,bk->bv", O_BVK, w_BK), logits_BV)
        x_BE = generator.embedding(ids_BT[:, column])


# ── The leak ──────────────────────────────────────────────────────────────────────────────────


def prefix_features(critic: Critic, ids_BT: Tensor, space: SequenceSpace) -> list[Tensor]:
    """The critic's own features of the first 0, 1, … T tokens: columns behind them are masked."""
    found = []
    for length in range(space.length + 1):
        mask_BT = mask_of(ids_BT, space.end_id)
        mask_BT[:, length:] = False
        found.append(critic(ids_BT, mask_BT).features_BF.detach())
    return found


def loop_goals(
    generator: LeakGanGenerator, critic: Critic, ids_BT: Tensor, space: SequenceSpace
) -> list[Tensor]:
    """The manager column by column, from the critic's own features."""
    state = generator.manager.zero_state(len(ids_BT))
    goals = []
    for features_BF in prefix_features(critic, ids_BT, space)[:-1]:
        h_BH, state = generator.manager.step(features_BF, state)
        goal_BF = generator.goal(h_BH).detach()
        goals.append(goal_BF / goal_BF.square().sum(1, keepdim=True).sqrt())
    return goals


def cosine(a: Tensor, b: Tensor) -> float:
    u, v = a.double().numpy(), b.double().numpy()
    size = np.sqrt((u * u).sum() * (v * v).sum())
    return float((u * v).sum() / size) if size > 1e-6 else 0.0


@pytest.mark.parametrize("horizon", [1, 2, 4, 9])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_two_cosines_against_loops_in_numpy(space, horizon) -> None:
    generator, critic = make_pair(space)
    generator.horizon = horizon
    ids_BT = some_ids(space)
    f, g = prefix_features(critic, ids_BT, space), loop_goals(generator, critic, ids_BT, space)
    read, mask_BT = generator.read(ids_BT), mask_of(ids_BT, space.end_id)
    compared = 0
    for b, t in mask_BT.nonzero().tolist():
        arrival = min(t + horizon, space.length)
        expected = cosine(f[arrival][b] - f[t][b], g[t][b])
        assert read.manager_alignment_BT[b, t].item() == pytest.approx(expected, abs=1e-4)
        before = [s for s in range(t + 1) if t + 1 - s <= horizon]
        expected = np.mean([cosine(f[t + 1][b] - f[s][b], g[s][b]) for s in before])
        assert read.worker_reward_BT[b, t].item() == pytest.approx(expected, abs=1e-4)
        compared += 1
    assert compared > 15


def test_behind_an_end_the_features_stand_still() -> None:
    """So a goal near the end is compared with the way to the whole sentence."""
    generator, critic = make_pair(ENDING)
    ids_BT = torch.tensor([[2, 3, 1, 1, 1, 1]])
    f = prefix_features(critic, ids_BT, ENDING)
    assert torch.equal(f[3], f[6])
    goal = loop_goals(generator, critic, ids_BT, ENDING)[2]
    expected = cosine(f[3][0] - f[2][0], goal[0])
    assert generator.read(ids_BT).manager_alignment_BT[0, 2].item() == pytest.approx(
        expected, abs=1e-5
    )


def test_the_copy_is_no_parameter_and_is_saved() -> None:
    generator, critic = make_pair(FIXED)
    assert not [name for name, _ in generator.named_parameters() if name.startswith("leaked")]
    assert not list(generator.leaked.parameters())
    saved = {name for name in generator.state_dict() if name.startswith("leaked.")}
    assert saved == {f"leaked.{name}" for name in critic.state_dict()}
    torch.manual_seed(5)
    other = CONFIG.build(FIXED, CRITIC).eval()
    other.load_state_dict(generator.state_dict())
    ids_BT = some_ids(FIXED)
    assert torch.equal(other(ids_BT), generator(ids_BT))


def test_the_critic_is_heard_when_it_is_listened_to() -> None:
    generator, critic = make_pair(FIXED)
    ids_BT = some_ids(FIXED)
    before = generator(ids_BT)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(0.3)
    assert torch.equal(generator(ids_BT), before)
    generator.sync_critic_features(critic)
    assert not torch.allclose(generator(ids_BT), before)


def test_of_normalised_layers_it_hears_the_weights_that_act() -> None:
    generator, critic = make_pair(FIXED)
    SpectralNorm(1).prepare(critic)
    critic.train()
    before = copy.deepcopy(critic.state_dict())
    generator.sync_critic_features(critic)
    assert critic.training
    for name, value in critic.state_dict().items():
        assert torch.equal(value, before[name]), "listening takes no power iteration"
    critic.eval()
    ids_BT, mask_BT = some_ids(FIXED), torch.ones(7, FIXED.length, dtype=torch.bool)
    mine, theirs = generator.leaked(ids_BT, mask_BT), critic(ids_BT, mask_BT)
    close(mine.features_BF, theirs.features_BF)


def test_no_gradient_passes_through_features() -> None:
    generator, critic = make_pair(FIXED)
    soft_BTV = torch.randn(2, FIXED.length, FIXED.vocab_size).softmax(-1).requires_grad_()
    generator.read(soft_BTV).manager_alignment_BT.sum().backward()
    assert soft_BTV.grad is None
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_a_moving_average_copies_what_was_heard() -> None:
    """Averaged critics would have features that no critic ever had."""
    generator, critic = make_pair(FIXED)
    player = Player("generator", generator.train(), GeneratorPlayerConfig(), ema=0.9)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.add_(0.3)
    generator.sync_critic_features(critic)
    player.update(
        -generator.read(some_ids(FIXED)).manager_alignment_BT.sum()
        - generator(some_ids(FIXED)).sum()
    )
    with player.evaluated() as averaged:
        for name, buffer in averaged.leaked.named_buffers():
            assert torch.equal(buffer, critic.state_dict()[name])
        assert not torch.equal(averaged.goal.weight, generator.goal.weight)
