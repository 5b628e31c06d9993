"""Demonstrations: which rows are real, their scores, and what the generator learns."""

from typing import Any

import pytest
import torch
from enumeration import PrefixTable, assert_same_vector, gradient, log_probs, mask_of, rollout_of
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.schedule import ShareSchedule
from seqgan.core.types import Batch, SequenceSpace
from seqgan.estimators.baselines import NoBaseline
from seqgan.estimators.ppo import Ppo
from seqgan.estimators.rollout import Rollout
from seqgan.estimators.score_function import ScoreFunction
from seqgan.games.adversarial_config import DemonstrationsConfig
from seqgan.games.demonstrations import Demonstrations

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
WRITTEN = torch.tensor([[0, 0, 1], [1, 2, 2], [2, 2, 2], [0, 1, 2], [1, 1, 1]])
SHOWN = torch.tensor([[2, 2, 2], [0, 1, 0], [1, 1, 0], [0, 0, 0], [2, 2, 2]])
REAL = Batch(SHOWN, mask_of(SHOWN, SPACE.end_id))


def score(ids_BT: Tensor, mask_BT: Tensor, shared: object = None) -> Tensor:
    """Differs from sentence to sentence, and is never the demonstrations' reward."""
    return (ids_BT * torch.tensor([1.0, 0.3, 0.1])).sum(1)


def score_per_step(ids_BT: Tensor, mask_BT: Tensor, shared: object = None) -> Tensor:
    return ids_BT * 0.5 + 1


def demonstrations(share: float = 0.4, reward: float = 2.0, steps: int = 4) -> Demonstrations:
    falls = ShareSchedule(start=share, end=0, steps=steps)
    return DemonstrationsConfig(share=falls, reward=reward).build()


def test_the_first_rows_are_real_and_the_others_as_written() -> None:
    mixed, reward = demonstrations().mix(rollout_of(WRITTEN, SPACE), REAL, score)
    expected_BT = torch.cat([SHOWN[:2], WRITTEN[2:]])
    assert torch.equal(mixed.ids_BT, expected_BT)
    assert torch.equal(mixed.tokens, expected_BT)
    assert torch.equal(mixed.mask_BT, mask_of(expected_BT, SPACE.end_id))
    value_B = reward(mixed.tokens, mixed.mask_BT)
    expected_B = torch.cat([torch.tensor([2.0, 2.0]), score(WRITTEN, REAL.mask)[2:]])
    assert torch.equal(value_B, expected_B)


def test_copies_of_the_batch_and_steps_have_the_reward_too() -> None:
    mixed, reward = demonstrations().mix(rollout_of(WRITTEN, SPACE), REAL, score)
    value_NB = reward(mixed.tokens.repeat(3, 1), mixed.mask_BT.repeat(3, 1)).view(3, 5)
    assert bool((value_NB[:, :2] == 2).all())
    assert torch.equal(value_NB[:, 2:], score(WRITTEN, REAL.mask)[2:].expand(3, 3))
    mixed, reward = demonstrations().mix(rollout_of(WRITTEN, SPACE), REAL, score_per_step)
    value_BT = reward(mixed.tokens, mixed.mask_BT)
    assert bool((value_BT[:2] == 2).all())
    assert torch.equal(value_BT[2:], WRITTEN[2:] * 0.5 + 1)


def test_the_share_falls_to_nothing() -> None:
    counts, shown = [], demonstrations(share=0.8, steps=4)
    rollout = rollout_of(WRITTEN, SPACE)
    for _ in range(6):
        mixed, reward = shown.mix(rollout, REAL, score)
        counts.append(int((reward(mixed.tokens, mixed.mask_BT) == 2).sum()))
    assert counts == [4, 3, 2, 1, 0, 0]
    assert mixed is rollout
    assert reward is score


def test_the_count_of_visits_is_saved() -> None:
    first, second = demonstrations(share=0.8), demonstrations(share=0.8)
    for _ in range(2):
        first.mix(rollout_of(WRITTEN, SPACE), REAL, score)
    second.load_state_dict(first.state_dict())
    mixed, _ = second.mix(rollout_of(WRITTEN, SPACE), REAL, score)
    assert torch.equal(mixed.ids_BT[:2], SHOWN[:2])
    assert torch.equal(mixed.ids_BT[2:], WRITTEN[2:])


@pytest.mark.parametrize("name", ["score_function", "ppo"])
def test_they_are_a_likelihood_loss_weighted_by_their_reward(name: str) -> None:
    """−1/B Σ_b R_b log p(x_b), with R_b = 2 on the real rows, by the step loop."""
    generator = PrefixTable(SPACE)
    estimator: Any = ScoreFunction(SPACE, baseline=NoBaseline())
    if name == "ppo":
        estimator = Ppo(SPACE, baseline=NoBaseline())
    mixed, reward = demonstrations().mix(rollout_of(WRITTEN, SPACE), REAL, score)
    loss = estimator.loss(generator, mixed, reward).loss
    rows_BT = torch.cat([SHOWN[:2], WRITTEN[2:]])
    logp_B = log_probs(generator, rows_BT, SPACE.end_id).sum(1)
    weight_B = torch.cat([torch.tensor([2.0, 2.0]), score(WRITTEN, REAL.mask)[2:]])
    expected = -(weight_B * logp_B).sum() / 5
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))


def test_continuations_of_a_demonstration_have_its_score() -> None:
    generator = PrefixTable(SPACE)
    estimator = ScoreFunction(SPACE, Rollout(2), NoBaseline())
    mixed, reward = demonstrations().mix(rollout_of(WRITTEN, SPACE), REAL, score)
    found = estimator.advantages(generator, mixed, reward)
    assert bool((found.total_BT[:2][mixed.mask_BT[:2]] == 2).all())
    assert not bool((found.total_BT[2:] == 2).any())


GAME = {"name": "adversarial", "demonstrations": {"share": {"start": 0.5, "end": 0, "steps": 3}}}


def test_the_game_shows_its_real_sentences_for_so_many_visits() -> None:
    experiment = tiny_experiment({"game": GAME})
    data = build_task(experiment, CPU, None)
    game = build_game(experiment, data, CPU)
    seen = []
    estimate = game.generator.estimator.loss

    def look(generator: Any, rollout: Any, reward: Any, *terms: Any) -> Any:
        seen.append(reward(rollout.tokens, rollout.mask_BT) == 2)
        return estimate(generator, rollout, reward, *terms)

    game.generator.estimator.loss = look
    for _ in range(4):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
    assert [int(rows.sum()) for rows in seen] == [4, 3, 1, 0]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        ({"name": "soft_gumbel"}, "use estimator score_function, ppo"),
        ({"name": "score_function", "baseline": {"name": "self_critical"}}, "its baseline to"),
    ],
)
def test_what_has_no_place_for_them_is_refused(estimator: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({"game": GAME, "estimator": estimator})
