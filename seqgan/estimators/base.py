"""What every estimator offers: sequences to score, and a loss whose gradient is the estimate."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from seqgan.core.types import Generator, Reward, Rollout, Stats


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A loss to minimise: its gradient estimates −∇E[reward]. Not a number to read by itself."""

    loss: Tensor
    stats: Stats = field(default_factory=dict)
    baseline_loss: Tensor | None = None
    """The learned baseline's own loss, for its own player."""


class Estimator(Protocol):
    """A path of the critic's score to the generator."""

    def sample(self, generator: Generator, rows: int) -> Rollout:
        """Sequences for the critic. Pathwise estimators leave the gradient in `tokens`."""
        ...

    def loss(self, generator: Generator, rollout: Rollout, reward: Reward) -> Surrogate: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
