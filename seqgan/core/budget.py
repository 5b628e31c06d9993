"""What a run has spent: symbols written and samples scored, the axes that arms are compared on.

Everything that writes symbols or asks a critic says so here, wherever it is called from, and
whoever wants to know opens an account:

    with spending(budget):
        ...                      # budget.symbols, budget.scored grow

Counts are plain integers of shapes, so that nothing waits for the device: a column that is
computed for rows which have ended counts too, since it costs as much. Passing a critic backwards
counts once, like looking. Teacher-forced passes write nothing and are not counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass
class Budget:
    """See the module's docstring."""

    symbols: int = 0
    """Symbols that generators wrote, for critics, rewards and continuations."""
    scored: int = 0
    """Samples, real and generated, that critics looked at."""

    def state_dict(self) -> dict[str, Any]:
        return {"symbols": self.symbols, "scored": self.scored}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.symbols, self.scored = int(state["symbols"]), int(state["scored"])


_open: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Everything spent inside goes on this account; on no other at the same time."""
    token = _open.set(budget)
    try:
        yield
    finally:
        _open.reset(token)


@contextmanager
def free_of_charge() -> Iterator[None]:
    """Nothing inside is counted: an oracle that writes training sentences is no generator."""
    token = _open.set(None)
    try:
        yield
    finally:
        _open.reset(token)


def wrote(symbols: int) -> None:
    """So many symbols were written."""
    if (budget := _open.get()) is not None:
        budget.symbols += symbols


def scored(samples: int) -> None:
    """A critic looked at so many samples."""
    if (budget := _open.get()) is not None:
        budget.scored += samples
