"""What a run spends, counted by hand on the tiny experiment: batches of 8, T = 3, four rounds."""

from pathlib import Path
from typing import Any

import pytest
from tiny_runs import metric_lines, train

from seqgan.core.budget import Budget, count_critic_calls, count_tokens, counting, uncounted


@pytest.mark.parametrize(
    ("overrides", "tokens", "samples"),
    [
        # A round: 8 sentences for the critic and 8 for the generator; 16 and 8 are scored.
        ({}, 4 * 16 * 3, 4 * 24),
        # Drawing fresh training sentences from the oracle costs the generator nothing.
        ({"data.fresh": True, "data.train": 12}, 4 * 16 * 3, 4 * 24),
        ({"estimator": {"name": "soft_gumbel"}}, 4 * 16 * 3, 4 * 24),
        ({"penalties": [{"name": "gradient_penalty"}]}, 4 * 16 * 3, 4 * 32),
        # Two continuations of each of two prefixes: 8 · 2 · (2 + 1) more tokens, 32 more scores.
        (
            {
                "estimator": {
                    "name": "score_function",
                    "credit": {"name": "rollout", "continuations": 2},
                }
            },
            4 * (48 + 48),
            4 * (24 + 32),
        ),
        ({"schedule": [{"repeat": 4, "phases": {"mle": 1}}]}, 0, 0),
    ],
    ids=["plain", "fresh data", "relaxed", "penalty", "rollouts", "likelihood"],
)
def test_tokens_and_scores_are_counted(
    tmp_path: Path, overrides: dict[str, Any], tokens: int, samples: int
) -> None:
    last = metric_lines(train(tmp_path / "run", overrides))[-1]
    assert (last["tokens"], last["critic_calls"]) == (tokens, samples)


def test_an_account_is_open_inside_only_and_one_at_a_time() -> None:
    outer, inner = Budget(), Budget()
    count_tokens(7)
    with counting(outer):
        count_tokens(1)
        with counting(inner):
            count_tokens(10)
            count_critic_calls(3)
        with uncounted():
            count_tokens(100)
        count_critic_calls(2)
    count_tokens(7)
    assert (outer.tokens, outer.critic_calls) == (1, 2)
    assert (inner.tokens, inner.critic_calls) == (10, 3)


def test_a_checkpoint_holds_both_counts() -> None:
    budget = Budget(tokens=3, critic_calls=5)
    restored = Budget()
    restored.load_state_dict(budget.state_dict())
    assert restored == budget
