"""Generators that offer some callers more than token-by-token sampling."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from seqgan.core.types import Batch, Critic, Generator, Rollout, State, StepOut


class ParallelGenerator(Generator):
    """Tokens that do not depend on each other, given the condition: all are drawn at once."""

    keeps_columns = True

    @abstractmethod
    def emit(self, cond: Tensor) -> Tensor:
        """`logits_BTV` of every token."""

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        assert cond is not None, "needs something to translate"
        logits_BTV = self.emit(cond)
        return StepOut(logits_BTV[:, 0], (logits_BTV, 0))

    def step(self, x: Tensor, state: State) -> StepOut:
        logits_BTV, column = state
        return StepOut(logits_BTV[:, column + 1], (logits_BTV, column + 1))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None, "needs something to translate"
        return self.emit(cond)


@dataclass(frozen=True, slots=True)
class Managed:
    """Sentences as a generator with a manager reads them; column t is about its token t."""

    logits_BTV: Tensor
    manager_alignment_BT: Tensor
    """Cosine of the goal set before token t and the change of features over the next `horizon`
    tokens. Its gradient reaches the manager only."""
    worker_reward_BT: Tensor
    """Mean cosine of each goal in force at token t and the change of features since it was set, up
    to and including token t; without gradient."""


class ManagedGenerator(Generator):
    """A manager in it sets goals, `horizon` tokens ahead, which the logits follow (LeakGAN).

    No gradient of the logits reaches the manager.
    """

    horizon: int

    @abstractmethod
    def read(self, tokens: Tensor) -> Managed:
        """The logits are those of `forward`."""

    @abstractmethod
    def sync_critic_features(self, critic: nn.Module) -> None:
        """Read the features of this critic from now on, as it is now."""


class CriticSearch(nn.Module, ABC):
    """A generator whose only weights are a critic's: it searches for what that scores highly."""

    critic: Critic
    """Whoever trains it changes what is found."""
    most_rows: int | None = None
    """Samples that one call of `mine` can look for; None: any number."""

    @abstractmethod
    def random_samples(self, rows: int) -> Batch:
        """Samples where a search would begin that knows nothing."""

    @abstractmethod
    def mine(self, rows: int) -> Batch:
        """What a search of the critic as it is now finds. Searches that go on from what earlier
        ones have found remember it in buffers."""


class SentenceSearch(CriticSearch, Generator):
    """Finds whole sentences. There is no next token, hence no density."""

    has_density = False

    @abstractmethod
    def write(self, rows: int, choose: Callable[[Tensor], Tensor]) -> Rollout:
        """Sentences; `choose` draws one column of each row of logits [R, K]: [R]."""

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        raise TypeError(f"{type(self).__name__} has no next token")

    def step(self, x: Tensor, state: State) -> StepOut:
        raise TypeError(f"{type(self).__name__} has no next token")

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        raise TypeError(f"{type(self).__name__} has no next token")
