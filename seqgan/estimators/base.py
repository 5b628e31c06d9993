"""What every estimator offers: samples to score, and a loss whose gradient is the estimate."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from seqgan.core.types import Request, Reward, Stats


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A loss to minimise: its gradient estimates −∇E[reward]. Not a number to read by itself."""

    loss: Tensor
    stats: Stats = field(default_factory=dict)
    baseline_loss: Tensor | None = None
    """The learned baseline's own loss, for its own player."""


class Estimator(Protocol):
    """A path of the critic's score to the generator."""

    def sample(self, generator: Any, request: Request) -> Any:
        """Samples for the critic (a `core.types.Sample`), of the kind that `loss` understands.

        Pathwise estimators leave the gradient in `x`.
        """
        ...

    def loss(self, generator: Any, rollout: Any, reward: Reward) -> Surrogate:
        """`rollout` is what `sample` returned."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
