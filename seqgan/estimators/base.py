"""What every estimator offers: samples to score, and a loss whose gradient is the estimate."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqgan.core.modes import frozen
from seqgan.core.plain import StateDict
from seqgan.core.tree import repeat_rows
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
    """A loss to minimise: its gradient estimates −∇E[reward]. Its value means nothing by itself."""

    loss: Tensor
    stats: Stats = field(default_factory=dict)
    baseline_loss: Tensor | None = None
    """The learned baseline's own loss, for its own player."""
    next_epoch: "Callable[[], Surrogate] | None" = None
    """After the update: the same samples once more, against the generator as it then is (PPO)."""
    parts: dict[str, Tensor] = field(default_factory=dict)
    """Where there are several rewards: the losses that `loss` is the sum of, by reward."""


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
    cond = repeat_rows(request.cond, copies)
    # Frozen, since autocast would cache weights read under no_grad without a gradient.
    with torch.no_grad(), frozen(generator):
        return sample(generator, space, request.rows * copies, Ancestral(), cond)


class Estimator(ABC):
    """How the critic's score reaches the generator.

    rollout = estimator.sample(generator, SampleRequest(rows=64))
    estimator.loss(generator, rollout, reward).loss.backward()
    """

    passes_gradient: bool = False
    """Whether a gradient passes through the samples into whatever reads them further on."""
    sums_steps: bool = False
    """Whether the sum of a causal critic's values is raised, not the mean of a sentence's."""

    @abstractmethod
    def sample(self, generator: Any, request: SampleRequest) -> Any:
        """Samples for critic and `loss`, a `core.types.Sample`; pathwise estimators leave the
        gradient in `x`."""

    @abstractmethod
    def loss(self, generator: Any, rollout: Any, reward: Reward, *terms: RewardTerm) -> Surrogate:
        """The loss that raises `reward`, and the terms beside it, of what `sample` returned."""

    def state_dict(self) -> StateDict:
        """What a checkpoint has to hold; most estimators have no state."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Go on from a checkpoint's state."""
        return


@dataclass(eq=False)
class SequenceEstimator(Estimator):
    """Base of the estimators that read ordinary samples: hard sequences without gradient."""

    space: SequenceSpace

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        return hard_samples(generator, self.space, request)

    def _refuse_terms(self, terms: Sequence[RewardTerm]) -> None:
        if terms:
            raise ValueError(f"{type(self).__name__} raises one reward; leave the terms out")
