"""What becomes of an estimator's loss: every update of the players that a visit makes with it."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from seqgan.core.types import Stats
from seqgan.estimators.base import Surrogate
from seqgan.training.player import Player

Updates = Iterator[tuple[Player[Any], Tensor, Stats]]
"""(player, its loss, what is worth logging). Each loss is back-propagated, and the player updated,
before the next one is asked for."""


def surrogate_updates(
    surrogate: Surrogate,
    generator: Player[Any],
    baseline: Player[Any] | None,
    extra_loss: Callable[[], tuple[Tensor, Stats]] | None = None,
) -> Updates:
    """The generator's update, a learned baseline's after it, then the further epochs over the same
    samples (PPO). `extra_loss` is added to each of the generator's losses."""
    yield generator, *_with(surrogate, extra_loss)
    if surrogate.baseline_loss is not None:
        assert baseline is not None, "whoever builds a learned baseline makes it a player"
        yield baseline, surrogate.baseline_loss, {}
    while surrogate.next_epoch is not None:
        surrogate = surrogate.next_epoch()
        yield generator, *_with(surrogate, extra_loss)


def _with(
    surrogate: Surrogate, extra_loss: Callable[[], tuple[Tensor, Stats]] | None
) -> tuple[Tensor, Stats]:
    if extra_loss is None:
        return surrogate.loss, surrogate.stats
    loss, stats = extra_loss()
    return surrogate.loss + loss, surrogate.stats | stats
