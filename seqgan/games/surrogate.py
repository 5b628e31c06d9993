"""How a generator learns by an estimator: the updates that one batch of samples gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from seqgan.core.types import Stats
from seqgan.estimators.base import Estimator, Surrogate
from seqgan.training.game import Updates
from seqgan.training.player import Player

FurtherLoss = Callable[[], tuple[Tensor, Stats]]
"""A loss beside the estimator's, at the parameters of the moment, and statistics to log."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A generator, and the estimator that it learns by."""

    player: Player[Any]
    estimator: Estimator
    baseline: Player[nn.Module] | None = None
    """Trains the network that the estimator learns beside the generator, if it learns one."""

    @property
    def players(self) -> dict[str, Player[nn.Module]]:
        """By name: generator, perhaps baseline."""
        players = {"generator": self.player}
        return players if self.baseline is None else {**players, "baseline": self.baseline}


def surrogate_updates(
    surrogate: Surrogate,
    generator: Player[nn.Module],
    baseline: Player[nn.Module] | None,
    further: Sequence[FurtherLoss] = (),
) -> Updates:
    """The generator's update, then a learned baseline's, then the further epochs over the same
    samples (PPO). The `further` losses are added to each of the generator's."""
    yield generator, *_add(surrogate, further)
    if surrogate.baseline_loss is not None:
        assert baseline is not None, "a learned baseline has a player"
        yield baseline, surrogate.baseline_loss, {}
    while surrogate.next_epoch is not None:
        surrogate = surrogate.next_epoch()
        yield generator, *_add(surrogate, further)


def _add(surrogate: Surrogate, further: Sequence[FurtherLoss]) -> tuple[Tensor, Stats]:
    loss, stats = surrogate.loss, surrogate.stats
    for compute in further:
        more, of_more = compute()
        loss, stats = loss + more, stats | of_more
    return loss, stats
