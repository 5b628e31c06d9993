"""Rewards as estimators read them: one number per sequence, from whatever function is given."""

import inspect
from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn

from seqgan.core.masks import mean_per_row
from seqgan.core.types import Reward, RewardTerm, SharedPrefix


def as_reward(function: Reward | Callable[[Tensor, Tensor], Tensor]) -> Reward:
    """A function of (tokens, mask) as a reward, which may be given `shared` too; one that has a
    parameter `shared` stays as it is."""
    called = function.forward if isinstance(function, nn.Module) else function
    parameters = inspect.signature(called).parameters.values()
    if any(p.name == "shared" or p.kind is p.VAR_POSITIONAL for p in parameters):
        return cast(Reward, function)
    plain = cast(Callable[[Tensor, Tensor | None], Tensor], function)
    return lambda x, mask, shared=None: plain(x, mask)


def value_per_sequence(
    reward: Reward, tokens: Tensor, mask_BT: Tensor, shared: SharedPrefix | None = None
) -> Tensor:
    """`value_B`: a per-step reward is averaged over the steps that count."""
    value = reward(tokens, mask_BT) if shared is None else reward(tokens, mask_BT, shared)
    return value if value.dim() == 1 else mean_per_row(value, mask_BT)


def total_reward(reward: Reward, terms: Sequence[RewardTerm]) -> Callable[..., Tensor]:
    """A reward plus terms times their weights: `value_B` of (tokens, mask, shared prefix)."""
    first = as_reward(reward)
    others = [(term.weight, as_reward(term.reward)) for term in terms]

    def total(tokens: Tensor, mask_BT: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        value_B = value_per_sequence(first, tokens, mask_BT, shared)
        for weight, other in others:
            value_B = value_B + weight * value_per_sequence(other, tokens, mask_BT, shared)
        return value_B

    return total
