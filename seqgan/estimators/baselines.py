"""Baselines: what is subtracted from a return without changing the expected gradient.

    none             b = 0
    moving_average   b_t = exponentially weighted mean of past batches' mean return at step t
    leave_one_out    b_{i,t} = mean of G_{j,t} over the other sequences j ≠ i of the batch, or of
                     the same condition
                     (Kool et al. 2019; at γ = 1 and one return a sequence, RLOO)
    self_critical    b_t = G_t of the greedy sequence for the same condition (Rennie et al. 2017)
    learned          b_t = v(x_<t), a recurrent network trained by least squares

Each is independent of the token it is subtracted for, so each is unbiased: the moving average
knows past batches only, the greedy sequence the condition only, the learned one the prefix only.
(A reward that couples the batch, such as a shuffled one, breaks that independence for
leave-one-out.)
"""

from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.masks import masked_mean
from seqgan.core.types import Rollout
from seqgan.estimators.config import (
    BaselineConfig,
    LeaveOneOutConfig,
    MovingAverageConfig,
    NoBaselineConfig,
)


class NoBaseline:
    """The bare return."""

    def __call__(self, returns_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return torch.zeros_like(returns_BT)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class LeaveOneOut:
    """Mean return of the others: of the batch, or of the same condition's where there are several
    samples a condition (row n·B + b is sample n of condition b)."""

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def __call__(self, returns_BT: Tensor, mask_BT: Tensor) -> Tensor:
        size = self._samples if self._samples > 1 else len(returns_BT)
        groups = returns_BT.unflatten(0, (size, -1))
        return ((groups.sum(0) - groups) / (size - 1)).flatten(0, 1)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class MovingAverage:
    """Bias-corrected exponential mean, one per column. A batch is used before it is averaged in."""

    def __init__(self, decay: float, length: int, device: torch.device) -> None:
        self._decay = decay
        self._sum_T = torch.zeros(length, device=device)
        self._weight_T = torch.zeros(length, device=device)

    def __call__(self, returns_BT: Tensor, mask_BT: Tensor) -> Tensor:
        baseline_T = self._sum_T / self._weight_T.clamp(min=torch.finfo(torch.float32).tiny)
        self._average_in(returns_BT, mask_BT)
        return baseline_T.expand_as(returns_BT)

    def _average_in(self, returns_BT: Tensor, mask_BT: Tensor) -> None:
        counts_T = mask_BT.sum(0)
        mean_T = (returns_BT * mask_BT).sum(0) / counts_T.clamp(min=1)
        rate_T = (1 - self._decay) * (counts_T > 0)  # a column that nobody reached keeps its mean
        self._sum_T = self._sum_T + rate_T * (mean_T - self._sum_T)
        self._weight_T = self._weight_T + rate_T * (1 - self._weight_T)

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self._sum_T, "weight": self._weight_T}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sum_T = state["sum"].to(self._sum_T)
        self._weight_T = state["weight"].to(self._weight_T)


Baseline = NoBaseline | LeaveOneOut | MovingAverage


def build_baseline(
    config: BaselineConfig, length: int, samples: int, device: torch.device
) -> Baseline:
    """A baseline that is a function of the returns; `samples` are those of one condition.

    The others are more than that: the learned one, whose network is handed in, and the
    self-critical one, which decodes.
    """
    if isinstance(config, LeaveOneOutConfig):
        return LeaveOneOut(samples)
    if isinstance(config, MovingAverageConfig):
        return MovingAverage(config.decay, length, device)
    assert isinstance(config, NoBaselineConfig), "checked by Experiment"
    return NoBaseline()


class LearnedBaseline:
    """v(x_<t) from a network that maps sequences to one number before each token."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def predict(self, rollout: Rollout) -> Tensor:
        """`value_BT`; column t has read the condition and the tokens before t."""
        return self._network(rollout.ids_BT, rollout.cond)

    @staticmethod
    def loss(value_BT: Tensor, returns_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Mean squared error over the steps that count."""
        return masked_mean((value_BT - returns_BT).square(), mask_BT)
