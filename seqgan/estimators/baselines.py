"""Baselines: what is subtracted from a return without changing the expected gradient.

    none             b = 0
    moving_average   b_t = exponentially weighted mean of past batches' mean return at step t
    leave_one_out    b_{i,t} = mean of G_{j,t} over the other sequences j ≠ i of the batch, or of
                     the same condition (Kool et al. 2019; RLOO)
    self_critical    b_t = G_t of the greedy sequence for the same condition (Rennie et al. 2017)
    learned          b_t = v(x_<t), a recurrent network trained by least squares

Each is independent of the token it is subtracted for, so each is unbiased. (A reward that couples
the batch, such as a shuffled one, breaks that independence for leave-one-out.)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from seqgan.core.masks import masked_mean
from seqgan.core.numbers import check_range
from seqgan.core.plain import StateDict
from seqgan.core.types import Rollout


@dataclass(frozen=True, slots=True)
class Returns:
    """The returns of a batch, and what they can be compared with."""

    returns_BT: Tensor
    mask_BT: Tensor
    samples: int = 1
    """Sequences of one condition: row n·B + b is sample n of condition b."""
    value_BT: Tensor | None = None
    """What `Baseline.predict` gave for each token."""
    greedy: Callable[[], Tensor] | None = None
    """The returns of the greedy sequences for the same conditions, decoded on demand."""


class Baseline(ABC):
    """What is subtracted from a return: `baseline_BT = baseline(Returns(returns_BT, mask_BT))`."""

    learned: bool = False
    """Whether `predict` gives a value."""

    @abstractmethod
    def __call__(self, returns: Returns) -> Tensor:
        """`baseline_BT`, or a tensor that broadcasts to it, without gradient."""

    def predict(self, rollout: Rollout) -> Tensor | None:
        """`value_BT`, a learned value before each token, with its gradient."""
        return None

    def fresh(self) -> Self:
        """A new one with the same settings and no state, for another reward."""
        return self

    def state_dict(self) -> StateDict:
        """What a checkpoint has to hold."""
        return {}

    def load_state_dict(self, state: StateDict) -> None:
        """Go on from a checkpoint's state."""
        return


class NoBaseline(Baseline):
    """Zero: the bare return."""

    def __call__(self, returns: Returns) -> Tensor:
        return torch.zeros_like(returns.returns_BT)


class LeaveOneOut(Baseline):
    """Mean return of the other sequences [B, T]: of the batch, or of the same condition where there
    are several samples for each. ScoreFunction(space, baseline=LeaveOneOut())"""

    def __call__(self, returns: Returns) -> Tensor:
        size = returns.samples if returns.samples > 1 else len(returns.returns_BT)
        groups = torch.unflatten(returns.returns_BT, 0, (size, -1))
        return ((groups.sum(0) - groups) / (size - 1)).flatten(0, 1)


class MovingAverage(Baseline):
    """Bias-corrected exponential mean of past batches, one per column.

    `decay`, in [0, 1), is the weight of the old mean: ScoreFunction(baseline=MovingAverage(0.9)).
    """

    def __init__(self, decay: float = 0.9) -> None:
        check_range(0, 0.999999, decay=decay)
        self._decay = decay
        self._sum_T: Tensor | None = None
        self._weight_T: Tensor | None = None

    def __call__(self, returns: Returns) -> Tensor:
        returns_BT, mask_BT = returns.returns_BT, returns.mask_BT
        sum_T, weight_T = self._sum_T, self._weight_T
        if sum_T is None or weight_T is None:
            sum_T = weight_T = torch.zeros(returns_BT.shape[1], device=returns_BT.device)
        sum_T, weight_T = sum_T.to(returns_BT.device), weight_T.to(returns_BT.device)
        counts_T = mask_BT.sum(0)
        mean_T = (returns_BT * mask_BT).sum(0) / counts_T.clamp(min=1)
        # A column that no sentence reached keeps its mean.
        rate_T = (1 - self._decay) * (counts_T > 0)
        self._sum_T = sum_T + rate_T * (mean_T - sum_T)
        self._weight_T = weight_T + rate_T * (1 - weight_T)
        baseline_T = sum_T / weight_T.clamp(min=torch.finfo(torch.float32).tiny)
        return baseline_T.expand_as(returns_BT)

    def fresh(self) -> Self:
        return type(self)(self._decay)

    def state_dict(self) -> StateDict:
        if self._sum_T is None:
            return {}
        return {"sum": self._sum_T, "weight": self._weight_T}

    def load_state_dict(self, state: StateDict) -> None:
        self._sum_T, self._weight_T = state.get("sum"), state.get("weight")


class SelfCritical(Baseline):
    """Return [B, T] of the greedy sequence for the same condition, [1, T] without conditions.

    ScoreFunction(space, baseline=SelfCritical())
    """

    def __call__(self, returns: Returns) -> Tensor:
        if returns.greedy is None:
            raise ValueError("self-critical: there is no generator whose greedy sequence to score")
        return returns.greedy()


class LearnedBaseline(Baseline):
    """v(x_<t) from a network that maps ids [B, T] and the condition to a value before each token
    [B, T], such as `models.value.PrefixValue`.

    The surrogate's `baseline_loss`, the mean squared error over the steps that count, trains it.

        ScoreFunction(space, baseline=LearnedBaseline(PrefixValue(space, embed=32, hidden=32)))
    """

    learned = True

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, returns: Returns) -> Tensor:
        if returns.value_BT is None:
            raise ValueError("learned baseline: only the critic's reward has one")
        return returns.value_BT.detach()

    def predict(self, rollout: Rollout) -> Tensor:
        """`value_BT`; column t has read the condition and the tokens before t."""
        value_BT: Tensor = self._network(rollout.ids_BT, rollout.cond)
        return value_BT


def flat_groups(returns_KGT: Tensor) -> Tensor:
    """Share of groups (second dimension) whose K members have equal returns: compared with each
    other they teach nothing. Differences below 1e-5 of the largest return are rounding errors."""
    spread_GT = returns_KGT.amax(0) - returns_KGT.amin(0)
    flat_G = spread_GT.flatten(1).amax(1) <= 1e-5 * returns_KGT.abs().max()
    return flat_G.float().mean()


def value_loss(value_BT: Tensor, returns_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean squared error of a learned value over the steps that count."""
    return masked_mean((value_BT - returns_BT).square(), mask_BT)
