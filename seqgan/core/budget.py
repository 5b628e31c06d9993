"""What a run has spent: tokens written and samples scored, the axes that arms are compared on.

Everything that writes tokens or asks a critic says so here, wherever it is called from, and
whoever wants to know opens an account:

    with counting(budget):
        ...                      # budget.tokens, budget.critic_calls grow

Counts are plain integers of shapes, so that nothing waits for the device: a column that is
computed for rows which have ended counts too, since it costs as much. Passing a critic backwards
counts once, like looking. Teacher-forced passes write nothing and are not counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from seqgan.core.renamed import upgrade_budget


@dataclass
class Budget:
    """See the module's docstring."""

    tokens: int = 0
    """Tokens that generators wrote, for critics, rewards and continuations."""
    critic_calls: int = 0
    """Samples, real and generated, that critics looked at."""

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "critic_calls": self.critic_calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = upgrade_budget(state)
        self.tokens, self.critic_calls = int(state["tokens"]), int(state["critic_calls"])


_open: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def counting(budget: Budget) -> Iterator[None]:
    """Everything spent inside goes on this account; on no other at the same time."""
    token = _open.set(budget)
    try:
        yield
    finally:
        _open.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Nothing inside is counted: an oracle that writes training sentences is no generator."""
    token = _open.set(None)
    try:
        yield
    finally:
        _open.reset(token)


def count_tokens(tokens: int) -> None:
    """So many tokens were written."""
    if (budget := _open.get()) is not None:
        budget.tokens += tokens


def count_critic_calls(samples: int) -> None:
    """A critic looked at so many samples."""
    if (budget := _open.get()) is not None:
        budget.critic_calls += samples
