"""Null arms: any estimator with a reward that carries no information about its sample.

    constant    R = 1 for every sample, 0 for every action; with a gradient of zeros
    shuffled    R_b − mean(R) of sample b goes to another sample of the batch; where the critic's
                score is back-propagated, g_b − mean(g) does, g_b being its gradient at sample b

One order of the batch is drawn for each loss, uniformly. The mean over all orders of what a sample
gets is exactly 0, so that no improvement is due to the critic, while the size of its numbers stays
the same. Without subtracting the mean, a gradient that all samples share ("fewer full stops") would
survive every shuffle, and so would a preference for the likeliest token among the alternatives of
`rao_blackwell` and `all_action`.

A value per step is averaged over its sample first. Continuations go with the sample that they
continue. Control variates (`rebar`, `relax`) keep their inputs; further terms are left alone.

`score_function` and `ppo` have `NullCredit` instead, since a constant for each step would reward
length:

    constant    G_t = 1 everywhere
    shuffled    the returns of one sequence go to another. A sequence may draw its own: with
                baseline none 1/B of the true gradient remains, with leave-one-out exactly none.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor

from seqgan.core.masks import mean_per_row
from seqgan.core.plain import StateDict
from seqgan.core.types import ActionReward, Reward, RewardTerm, Sample, SampleRequest, SharedPrefix
from seqgan.estimators.base import Estimator, Surrogate
from seqgan.estimators.credit import Credit, RewardedRollout
from seqgan.estimators.rewards import as_reward

NullReward = Literal["constant", "shuffled"]


class NullArm(Estimator):
    """An estimator whose reward is replaced: NullArm(Maligan(space), "shuffled").

    Samples, state and costs are the estimator's own.
    """

    def __init__(self, estimator: Estimator, reward: NullReward) -> None:
        self._estimator = estimator
        self._kind = reward
        self.passes_gradient = estimator.passes_gradient
        self.sums_steps = estimator.sums_steps

    def sample(self, generator: Any, request: SampleRequest) -> Any:
        return self._estimator.sample(generator, request)

    def loss(
        self, generator: Any, rollout: Sample, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        reward = as_reward(reward)
        null: Reward = _Constant(reward)
        if self._kind == "shuffled":
            order_B = torch.rand(len(rollout.x), device=rollout.x.device).argsort()
            null = _Shuffled(reward, order_B, self.passes_gradient)
        return self._estimator.loss(generator, rollout, null, *terms)

    def state_dict(self) -> StateDict:
        return self._estimator.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        self._estimator.load_state_dict(state)


class NullCredit(Credit):
    """A credit whose returns are replaced; see the module's docstring."""

    def __init__(self, credit: Credit, reward: NullReward) -> None:
        self._credit = credit
        self._kind = reward
        self.needs_value = credit.needs_value
        self.sums_steps = credit.sums_steps

    def __call__(self, given: RewardedRollout) -> Tensor:
        if self._kind == "constant":
            ids_BT = given.rollout.ids_BT
            return torch.ones(ids_BT.shape, device=ids_BT.device)
        returns_BT = self._credit(given)
        order_B = torch.rand(len(returns_BT), device=returns_BT.device).argsort()
        return returns_BT[order_B]


@dataclass(frozen=True, slots=True)
class _Constant:
    """For a value of every action the critic is called for the shape only."""

    reward: Reward

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        one_B = torch.ones(len(x), device=x.device)
        return one_B + 0 * x.flatten(1).sum(1) if x.is_floating_point() else one_B

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return torch.zeros_like(cast(ActionReward, self.reward).actions(ids_BT, mask_BT))


@dataclass(frozen=True, slots=True)
class _Shuffled:
    """Every sample gets the reward of another: row b that of row `order_B[b]`."""

    reward: Reward
    order_B: Tensor
    through: bool
    """Whether the estimator back-propagates the reward."""

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        if x.is_floating_point():
            # Soft rows are either differentiated through, or read by a control variate.
            return self.reward(self._exchanging(x) if self.through else x, mask, shared)
        value = self.reward(x, mask, shared)
        if value.dim() > 1:
            assert mask is not None, "values per step come with a mask"
            value = mean_per_row(value, mask)
        return self._exchanged(value)

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        value_BTV = cast(ActionReward, self.reward).actions(ids_BT, mask_BT)
        return self._exchanged(value_BTV * mask_BT[..., None])

    def _exchanging(self, x: Tensor) -> Tensor:
        """The same samples, whose gradients are exchanged in the backward pass."""
        passed = x.view_as(x)
        if passed.requires_grad:
            cast(Any, passed).register_hook(self._exchanged)  # torch has no type for it
        return passed

    def _exchanged(self, rows: Tensor) -> Tensor:
        """Row n·B + b is row n·B + order[b] less the mean of block n."""
        blocks = torch.unflatten(rows, 0, (-1, len(self.order_B)))
        return (blocks[:, self.order_B] - blocks.mean(1, keepdim=True)).flatten(0, 1)
