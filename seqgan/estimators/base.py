"""What every estimator offers: samples to score, and a loss whose gradient is the estimate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from seqgan.core.modes import frozen
from seqgan.core.types import (
    Generator,
    Reward,
    RewardTerm,
    Rollout,
    Sample,
    SampleRequest,
    SequenceSpace,
    Stats,
)
from seqgan.decoding import Ancestral, sample


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A loss to minimise: its gradient estimates −∇E[reward]. Not a number to read by itself."""

    loss: Tensor
    stats: Stats = field(default_factory=dict)
    baseline_loss: Tensor | None = None
    """The learned baseline's own loss, for its own player."""
    next_epoch: "Callable[[], Surrogate] | None" = None
    """After the update: the same samples once more, against the generator as it then is (PPO)."""
    parts: dict[str, Tensor] = field(default_factory=dict)
    """Where there are several rewards: the losses that `loss` is the sum of, by reward; a bonus is
    one of them."""


def pathwise_surrogate(
    value: Tensor, stats: Stats, terms: Sequence[RewardTerm], sample: Sample
) -> Surrogate:
    """Raise `value`, the mean of the critic's reward, and each term's, through the samples."""
    parts = {"critic": -value}
    for term in terms:
        mean = term.reward(sample.x, sample.mask).mean()
        stats[term.name] = mean.detach()
        parts[term.name] = -term.weight * mean
    return Surrogate(torch.stack(list(parts.values())).sum(), stats, parts=parts)


def hard_samples(
    generator: Generator, space: SequenceSpace, request: SampleRequest, copies: int = 1
) -> Rollout:
    """Ancestral samples without gradient, `copies` for each requested row: row n·B + b is the
    n-th for condition b."""
    cond = request.cond
    if cond is not None and copies > 1:
        cond = cond.repeat(copies, *[1] * (cond.dim() - 1))
    # Frozen, since autocast would cache weights that it met under no_grad without a gradient.
    with torch.no_grad(), frozen(generator):
        return sample(generator, space, request.rows * copies, Ancestral(), cond)


class Estimator(Protocol):
    """A path of the critic's score to the generator."""

    passes_gradient: bool
    """Whether a gradient passes through the samples into whatever reads them further on."""

    def sample(self, generator: Any, request: SampleRequest) -> Any:
        """Samples for the critic (a `core.types.Sample`), of the kind that `loss` understands.

        Pathwise estimators leave the gradient in `x`.
        """
        ...

    def loss(self, generator: Any, rollout: Any, reward: Reward, *terms: RewardTerm) -> Surrogate:
        """`rollout` is what `sample` returned. To be raised: `reward`, and the terms beside it."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
