"""What a run has spent: tokens written and samples scored, the axes that arms are compared on.

Code that writes tokens or calls a critic counts them here, and `counting` adds them up:

    with counting(budget):
        ...                      # budget.tokens, budget.critic_calls grow

Counts are integers taken from shapes, so no device is waited for. Columns of rows that have ended
count too where they are computed, since they cost as much. A backward pass through a critic adds
nothing to its forward pass. Teacher-forced passes write nothing and are not counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from seqgan.core.plain import StateDict
from seqgan.core.renamed import upgrade_budget


@dataclass
class Budget:
    """Tokens and critic calls, counted inside of `with counting(budget)`."""

    tokens: int = 0
    """Tokens that generators wrote, for critics, rewards and continuations."""
    critic_calls: int = 0
    """Samples, real and generated, that critics scored."""

    def state_dict(self) -> StateDict:
        return {"tokens": self.tokens, "critic_calls": self.critic_calls}

    def load_state_dict(self, state: StateDict) -> None:
        state = upgrade_budget(state)
        self.tokens, self.critic_calls = int(state["tokens"]), int(state["critic_calls"])


_open: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def counting(budget: Budget) -> Iterator[None]:
    """Count what happens inside in this budget, and in no outer one."""
    token = _open.set(budget)
    try:
        yield
    finally:
        _open.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Count nothing inside, e.g. while an oracle draws training sentences."""
    token = _open.set(None)
    try:
        yield
    finally:
        _open.reset(token)


def count_tokens(tokens: int) -> None:
    """Add tokens that a generator wrote."""
    if (budget := _open.get()) is not None:
        budget.tokens += tokens


def count_critic_calls(samples: int) -> None:
    """Add samples that a critic scored."""
    if (budget := _open.get()) is not None:
        budget.critic_calls += samples
