"""Game reward: BLEU and the oracle as fixed scorers, and a generator that raises them."""

from typing import Any

import numpy as np
import pytest
import torch
from enumeration import log_probs
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.budget import Budget, counting
from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.games.reward import RewardGame
from seqgan.metrics.bleu_reward import BleuReward, BleuScorer
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.exact_bleu import sentence_bleu

CPU = torch.device("cpu")
ALL = all_sequences(4, 3)
ONES = torch.ones_like(ALL, dtype=torch.bool)


# ── BLEU with references that are counted once ────────────────────────────────────────────────


@pytest.mark.parametrize("order", [1, 2, 4, 7])
@pytest.mark.parametrize("vocab_size", [2, 6, 40])
def test_scores_are_those_of_the_metric(order: int, vocab_size: int) -> None:
    """Sentences of 0 to 8 words: shorter than the order, empty, and longer than all references."""
    stream = np.random.default_rng(order)

    def corpus(rows: int, longest: int) -> Corpus:
        lengths = stream.integers(longest + 1, size=rows)
        return Corpus.from_lists([stream.integers(vocab_size, size=n).tolist() for n in lengths])

    references, hypotheses = corpus(30, 6), corpus(200, 8)
    found = BleuScorer(references, vocab_size, order)(hypotheses)
    expected = sentence_bleu(hypotheses, references, [order])[order]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 0 < expected.max() <= 1
    assert len(np.unique(expected)) > 5


def test_the_end_token_is_no_word() -> None:
    scorer = BleuScorer(Corpus.from_lists([[1, 2], [2, 2, 1]]), 4, 2)
    ids_BT = torch.tensor([[1, 2, 3, 3], [2, 2, 1, 3], [3, 3, 3, 3], [0, 0, 0, 0]])
    mask_BT = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()
    value_B = BleuReward(scorer, end_id=3)(ids_BT, mask_BT)
    assert value_B.dtype == torch.float32
    assert value_B.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_no_references_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        BleuScorer(Corpus.from_lists([]), 4, 2)


# ── The game ──────────────────────────────────────────────────────────────────────────────────

BASE: dict[str, Any] = {
    "critic": None,
    "objective": None,
    "schedule": [{"repeat": 4, "phases": {"mle": 1, "generator": 1}}],
}
SCORERS: dict[str, dict[str, Any]] = {
    "bleu": {"name": "reward", "scorer": "bleu", "order": 2, "references": 3},
    "oracle": {"name": "reward", "scorer": "oracle"},
}


def make_game(scorer: str, **overrides: Any) -> RewardGame:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**BASE, "game": SCORERS[scorer], **changes})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, RewardGame)
    return game


def test_bleu_compares_with_the_first_training_sentences() -> None:
    game = make_game("bleu")
    sequences = build_task(tiny_experiment(), CPU, None).sequences
    assert sequences is not None
    references = Corpus.from_lists(sequences.train.x[:3].tolist())
    expected = sentence_bleu(Corpus.from_lists(ALL.tolist()), references, [2])[2]
    np.testing.assert_allclose(game._reward(ALL, ONES).numpy(), expected, rtol=1e-6)


def test_the_oracle_scores_by_its_log_density() -> None:
    game, oracle = make_game("oracle"), tiny_experiment().data.oracle.build_network()
    expected_R = log_probs(oracle, ALL).sum(1).detach()
    torch.testing.assert_close(game._reward(ALL, ONES), expected_R, rtol=1e-4, atol=1e-5)
    assert float(expected_R.exp().sum()) == pytest.approx(1, abs=1e-4)


def expected_reward(game: RewardGame) -> float:
    """E_G[R], summed over all sentences."""
    logp_R = log_probs(game.players["generator"].module, ALL).sum(1).detach()
    return float((logp_R.exp() * game._reward(ALL, ONES)).sum())


ESTIMATORS: dict[str, dict[str, Any]] = {
    "sequence": {"name": "score_function"},
    "rollout": {"name": "score_function", "credit": {"name": "rollout", "continuations": 2}},
    "actor critic": {
        "name": "score_function",
        "credit": {"name": "gae"},
        "baseline": {"name": "learned"},
    },
    "ppo": {"name": "ppo", "epochs": 2},
    "grpo": {"name": "grpo"},
    "rao_blackwell": {"name": "rao_blackwell"},
    "unordered_set": {"name": "unordered_set", "k": 4},
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("scorer", SCORERS)
def test_the_generator_raises_its_reward(scorer: str, estimator: str) -> None:
    torch.manual_seed(0)
    game = make_game(
        scorer,
        estimator=ESTIMATORS[estimator],
        train__batch_size=256,
        players__generator={"optimizer": "sgd", "lr": 0.05, "clip_norm": 1.0},
    )
    values = [expected_reward(game)]
    for _ in range(4):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
        values.append(expected_reward(game))
    assert values == sorted(values), values
    assert values[-1] > values[0] + 1e-3


def test_within_a_trust_region_the_optimum_is_the_former_generator_times_the_reward() -> None:
    """p ∝ G_ref · e^{R/W}: it does not collapse to the best sentence."""
    torch.manual_seed(0)
    game = make_game(
        "oracle",
        game__reference_kl=2.0,
        estimator=ESTIMATORS["sequence"],
        train__batch_size=256,
        players__generator={"lr": 0.02},
    )
    generator = game.players["generator"].module
    former_R = log_probs(generator, ALL).sum(1).detach()
    optimum_R = (former_R + game._reward(ALL, ONES) / 2).log_softmax(0)
    for _ in range(150):
        updates = game.updates("generator")
        player, loss, stats = next(updates)
        player.update(loss)
    logp_R = log_probs(generator, ALL).sum(1).detach()
    assert float((logp_R.exp() * (logp_R - optimum_R)).sum()) < 0.02
    kl = float((logp_R.exp() * (logp_R - former_R)).sum())
    assert float(stats["reference_kl"]) == pytest.approx(kl, abs=0.1)
    assert kl > 0.1


def test_who_moves_in_a_visit() -> None:
    def movers(estimator: str) -> list[str]:
        game = make_game("bleu", estimator=ESTIMATORS[estimator])
        return [player.name for player, _, _ in game.updates("generator")]

    assert movers("sequence") == ["generator"]
    assert movers("actor critic") == ["generator", "baseline"]
    assert movers("ppo") == ["generator", "generator"]
    assert [player.name for player, _, _ in make_game("bleu").updates("mle")] == ["generator"]


def test_scores_are_counted() -> None:
    game, budget = make_game("bleu"), Budget()
    with counting(budget):
        list(game.updates("generator"))
    assert budget.critic_calls == 8
    assert budget.tokens == 8 * 3


def test_shuffled_rewards_are_a_null_arm() -> None:
    """The same rewards, of other sentences: a batch's advantages are a permutation."""
    game = make_game("bleu", estimator={"name": "score_function", "reward": "shuffled"})
    torch.manual_seed(1)
    generator = game.players["generator"].module
    plain = make_game("bleu", estimator={"name": "score_function"})
    rollout = plain._estimator.sample(generator, type("R", (), {"rows": 8, "cond": None}))
    torch.manual_seed(2)
    shuffled_B = advantages(game, rollout)
    right_B = advantages(plain, rollout)
    assert not torch.allclose(shuffled_B, right_B)
    torch.testing.assert_close(shuffled_B.sort().values, right_B.sort().values)


def advantages(game: RewardGame, rollout: Any) -> Tensor:
    estimator: Any = game._estimator
    module = game.players["generator"].module
    return estimator.advantages(module, rollout, game._reward).total_BT[:, 0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"estimator": {"name": "soft_gumbel"}}, "choose from: score_function"),
        ({"estimator": {"name": "maligan"}}, "choose from: score_function"),
        ({"estimator": {"name": "score_function", "credit": {"name": "per_step"}}}, "rollout"),
        ({"critic": {"name": "mlp"}}, "no use for critic"),
        ({"objective": {"name": "wgan"}}, "no use for objective"),
        ({"estimator": None}, "needs estimator"),
        ({"train.batch_size": 1}, "at least 2"),
        ({"schedule": [{"repeat": 1, "phases": {"critic": 1}}]}, "it has: mle, generator"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({**BASE, "game": SCORERS["bleu"], **overrides})


def test_a_density_of_zero_is_no_reward() -> None:
    oracle = {"name": "palindrome", "vocab_size": 4, "length": 4}
    with pytest.raises(UserError, match="use scorer bleu"):
        tiny_experiment({**BASE, "game": SCORERS["oracle"], "data.oracle": oracle})
