"""LeakGAN's two losses against hand arithmetic, its ranks against hand-made examples, and who
learns what. What goals and features are is tested in tests/models/test_leakgan.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from enumeration import SentenceReward, log_probs, mask_of
from tiny_runs import assert_same_run, last_checkpoint, tiny_experiment, train
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Critic, Rollout, SampleRequest, SequenceSpace
from seqgan.estimators.leakgan import LeakGan, at_arrival, rescaled
from seqgan.estimators.policy_gradient_config import LeakGanConfig
from seqgan.experiment import load_run
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.mle import likelihood_loss, real_loss
from seqgan.models.config import CnnCriticConfig, LeakGanGeneratorConfig
from seqgan.models.generators.leakgan import LeakGanGenerator
from seqgan.runs.weights import load_generator

CPU = torch.device("cpu")
ENDING = SequenceSpace(vocab_size=4, length=5, end_id=1)
IDS_BT = torch.tensor([[0, 2, 3, 3, 0], [2, 3, 1, 1, 1], [1, 1, 1, 1, 1], [3, 0, 2, 0, 1]])
HORIZON = 2
MANAGER = {"manager", "goal"}
SEQUENCE = {"name": "sequence"}
NONE = {"name": "none"}


def make_pair() -> tuple[LeakGanGenerator, Critic]:
    torch.manual_seed(0)
    critic_config = CnnCriticConfig(name="cnn", embed=4, widths=[1, 3], filters=[4, 5])
    config = LeakGanGeneratorConfig(name="leakgan", embed=4, hidden=5, goal=3, horizon=HORIZON)
    generator = config.build(ENDING, critic_config)
    critic = critic_config.build(ENDING).eval()
    generator.sync_critic_features(critic)
    return generator.eval(), critic


def make_estimator(**fields: Any) -> LeakGan:
    fields = {"credit": SEQUENCE, "baseline": NONE} | fields
    return LeakGanConfig.model_validate({"name": "leakgan"} | fields).build(ENDING, CPU)


def some_rollout() -> Rollout:
    return Rollout(IDS_BT, IDS_BT, mask_of(IDS_BT, ENDING.end_id))


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


# ── Ranks ─────────────────────────────────────────────────────────────────────────────────────


def test_ranks_of_an_example_made_by_hand() -> None:
    """Four sentences; column 0 has ranks 2, 4, 1, 3, column 1 has 1, 2, 3, 4."""
    returns_BT = torch.tensor([[0.5, 9.0], [-3.0, 8.0], [0.6, 7.0], [0.1, 6.0]])
    expected = [[2, 1], [4, 2], [1, 3], [3, 4]]
    for row, ranks in zip(rescaled(returns_BT, 12.0).tolist(), expected, strict=True):
        assert row == pytest.approx([sigmoid(12 * (0.5 - rank / 4)) for rank in ranks], rel=1e-5)


def test_equal_returns_share_their_mean_rank() -> None:
    """Of 5, 1, 5, 2, 5 the fives have ranks 1, 2, 3, so 2 each."""
    column = rescaled(torch.tensor([[5.0], [1.0], [5.0], [2.0], [5.0]]), 4.0)[:, 0].tolist()
    assert column == pytest.approx([sigmoid(4 * (0.5 - r / 5)) for r in (2, 5, 2, 4, 2)], rel=1e-5)


def test_ranks_follow_the_rewards_and_not_their_place_in_the_batch() -> None:
    """The published rescaling numbers rewards in the order in which they first stand there."""
    torch.manual_seed(0)
    returns_BT = torch.randn(64, 3)
    ours = rescaled(returns_BT, 12.0)
    assert torch.equal(ours.argsort(0), returns_BT.argsort(0))
    order = torch.randperm(64)
    torch.testing.assert_close(rescaled(returns_BT[order], 12.0), ours[order])
    published = [published_rescaling(column.tolist()) for column in returns_BT.unbind(1)]
    place = torch.arange(64.0)
    for column, values in enumerate(published):
        assert abs(correlation(torch.tensor(values), returns_BT[:, column])) < 0.3
        assert correlation(torch.tensor(values), place) > 0.9
        assert correlation(ours[:, column], returns_BT[:, column]) > 0.85


def published_rescaling(rewards: list[float]) -> list[float]:
    """What the official code computes, where dictionaries keep the order of insertion."""
    places = {reward: place for place, reward in enumerate(dict.fromkeys(rewards), start=1)}
    return [sigmoid(16 * places[reward] / len(rewards) - 8) for reward in rewards]


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def test_a_goal_is_worth_the_prefix_where_it_has_arrived() -> None:
    """Column s is the prefix that ends with token s; goal 0 is set before token 0."""
    worth_BT = torch.tensor([[10.0, 11.0, 12.0, 13.0, 14.0]])
    assert at_arrival(worth_BT, 1).tolist() == [[10, 11, 12, 13, 14]]
    assert at_arrival(worth_BT, 3).tolist() == [[12, 13, 14, 14, 14]]
    assert at_arrival(worth_BT, 9).tolist() == [[14, 14, 14, 14, 14]]


# ── Losses ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("baseline", ["none", "leave_one_out"])
def test_both_losses_by_loops(baseline: str) -> None:
    """Returns that differ in every column; a sum over tokens, a mean over the batch."""
    generator, _ = make_pair()
    torch.manual_seed(3)
    returns_BT = torch.randn(4, 5)
    estimator = make_estimator(delta=7.0, baseline={"name": baseline})
    estimator.credit = lambda *_: returns_BT
    found = estimator.loss(generator, some_rollout(), SentenceReward(ENDING))
    read, mask_BT = generator.read(IDS_BT), mask_of(IDS_BT, ENDING.end_id)
    followed = read.worker_reward_BT.tolist()
    logp_BT = log_probs(generator, IDS_BT, ENDING.end_id)
    manager = worker = 0.0
    for b, t in mask_BT.nonzero().tolist():
        arrival = min(t + HORIZON - 1, 4)
        rank = 1 + int((returns_BT[:, arrival] > returns_BT[b, arrival]).sum())
        manager -= sigmoid(7 * (0.5 - rank / 4)) * read.manager_alignment_BT[b, t].item() / 4
        others = [followed[other][t] for other in range(4) if other != b]
        paid = followed[b][t] - (np.mean(others) if baseline == "leave_one_out" else 0)
        worker -= paid * logp_BT[b, t].item() / 4
    assert found.parts["manager"].item() == pytest.approx(manager, rel=1e-4)
    assert found.parts["worker"].item() == pytest.approx(worker, rel=1e-4)
    assert found.loss.item() == pytest.approx(manager + worker, rel=1e-4)


def reached(loss: Tensor, generator: LeakGanGenerator) -> set[str]:
    """Children of the generator in which the loss has a gradient other than 0."""
    trainable = {name: p for name, p in generator.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(
        loss, list(trainable.values()), allow_unused=True, retain_graph=True
    )
    return {
        name.split(".")[0]
        for name, gradient in zip(trainable, gradients, strict=True)
        if gradient is not None and bool(gradient.any())
    }


def test_what_each_loss_reaches() -> None:
    generator, _ = make_pair()
    everything = {name.split(".")[0] for name, _ in generator.named_parameters()}
    found = make_estimator().loss(generator, some_rollout(), SentenceReward(ENDING))
    assert reached(found.parts["manager"], generator) == MANAGER
    assert reached(found.parts["worker"], generator) == everything - MANAGER
    batch = Batch(IDS_BT, mask_of(IDS_BT, ENDING.end_id))
    assert reached(likelihood_loss(generator, batch), generator) == everything - MANAGER
    assert reached(real_loss(generator, batch)[0], generator) == everything


def test_one_step_on_the_managers_loss_turns_goals_to_the_better_sentence() -> None:
    """The first goal, which both share, turns more towards the one that is worth more. (Only the
    first column counts here.)"""
    ids_BT = torch.tensor([[0, 2, 3, 3, 0], [2, 0, 0, 3, 3]])
    rollout = Rollout(ids_BT, ids_BT, torch.tensor([[True] + [False] * 4] * 2))
    gains = []
    for rewards in ([1.0, 0.0], [0.0, 1.0]):
        generator, _ = make_pair()
        before = generator.read(ids_BT).manager_alignment_BT[:, 0]
        found = make_estimator().loss(generator, rollout, lambda *_, r=rewards: torch.tensor(r))
        goal = generator.goal
        weights = [goal.weight, goal.bias]
        for weight, gradient in zip(
            weights, torch.autograd.grad(found.parts["manager"], weights), strict=True
        ):
            weight.data.sub_(0.05 * gradient)
        gains.append(generator.read(ids_BT).manager_alignment_BT[:, 0] - before)
    assert gains[0][0] > gains[1][0]
    assert gains[0][1] < gains[1][1]


def test_the_phase_mle_teaches_likelihood_and_goals_of_real_sentences() -> None:
    generator, _ = make_pair()
    mask_BT = mask_of(IDS_BT, ENDING.end_id)
    loss, stats = real_loss(generator, Batch(IDS_BT, mask_BT))
    nll = -log_probs(generator, IDS_BT, ENDING.end_id).sum() / mask_BT.sum()
    ahead = generator.read(IDS_BT).manager_alignment_BT[mask_BT].mean()
    assert loss.item() == pytest.approx((nll - ahead).item(), rel=1e-4)
    assert stats["nll_train"].item() == pytest.approx(nll.item(), rel=1e-4)


def test_samples_are_hard_and_carry_no_gradient() -> None:
    generator, _ = make_pair()
    rollout = make_estimator().sample(generator, SampleRequest(5))
    assert rollout.tokens is rollout.ids_BT
    assert rollout.ids_BT.dtype == torch.long
    assert torch.equal(rollout.mask_BT, mask_of(rollout.ids_BT, ENDING.end_id))


# ── In a game ─────────────────────────────────────────────────────────────────────────────────

TINY: dict[str, Any] = {
    "generator": {"name": "leakgan", "embed": 4, "hidden": 4, "goal": 3, "horizon": 2},
    "critic": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4], "dropout": 0.5},
    "estimator": {"name": "leakgan", "credit": {"name": "rollout", "continuations": 2}},
}


def state_of(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(before: dict[str, Tensor], network: torch.nn.Module) -> set[str]:
    after = network.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("penalties", [[], [{"name": "spectral_norm"}], [{"name": "weight_clip"}]])
def test_who_moves_in_which_phase(penalties: list[dict[str, Any]]) -> None:
    """The copy moves with the critic and at no other time; it has the critic's features, always."""
    experiment = tiny_experiment(TINY | {"penalties": penalties})
    data = build_task(experiment, CPU, None)
    game = build_game(experiment, data, CPU)
    assert isinstance(game, AdversarialGame)
    generator, critic = game.players["generator"].module, game.players["critic"].module
    trainable = {name for name, p in generator.named_parameters() if p.requires_grad}
    ids_BT = data.stream.next().x
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    for phase in ("critic", "mle", "critic", "generator", "mle"):
        before = state_of(generator), state_of(critic)
        for player, loss, _ in game.updates(phase):
            player.update(loss)
        moved = changed(before[0], generator)
        if phase == "critic":
            assert moved
            assert all(name.startswith("leaked.") for name in moved)
            assert changed(before[1], critic)
        else:
            assert moved == trainable
            assert not changed(before[1], critic)
        critic.eval()
        theirs = critic(ids_BT, mask_BT).features_BF
        critic.train()
        torch.testing.assert_close(generator.leaked(ids_BT, mask_BT).features_BF, theirs)


def test_a_saved_generator_brings_its_features_along(tmp_path: Path) -> None:
    """What is loaded for evaluation has heard the critic of the same checkpoint."""
    folder = train(tmp_path / "run", TINY)
    state = last_checkpoint(folder)
    experiment = load_run(folder)
    space = build_task(experiment, CPU, None).only_space
    generator = load_generator(experiment, space, state, CPU)
    for name, value in state["players"]["critic"]["module"].items():
        assert torch.equal(generator.leaked.state_dict()[name], value), name
    assert not any(p.requires_grad for p in generator.parameters())


def test_equal_seeds_make_equal_runs(tmp_path: Path) -> None:
    """Resuming bit for bit is tested where that of all games is: tests/resume."""
    assert_same_run(train(tmp_path / "a", TINY), train(tmp_path / "b", TINY))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generator": {"name": "gru"}}, ["generator.name=gru", "leakgan"]),
        ({"estimator": {"name": "score_function"}}, ["estimator.name=score_function"]),
        ({"critic": {"name": "mlp"}}, ["critic.name=mlp", "cnn"]),
        ({"train.batch_size": 1}, ["train.batch_size=1"]),
        (
            {
                "game": {"name": "mle"},
                "critic": None,
                "objective": None,
                "estimator": None,
                "schedule": [{"repeat": 1, "phases": {"mle": 1}}],
            },
            ["generator.name=leakgan", "game.name=mle has no estimator"],
        ),
    ],
)
def test_the_parts_come_together_or_not_at_all(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        tiny_experiment(TINY | change)
    assert all(word in str(caught.value) for word in words), caught.value
