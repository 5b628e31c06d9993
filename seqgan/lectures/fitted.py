"""A critic alone between two distributions that stay as they are: what it finds is a divergence."""

from collections.abc import Callable, Sequence

from torch import Tensor

from seqgan.core.types import ArraySpace, Batch, Critic
from seqgan.games.criterion import Criterion
from seqgan.objectives.base import Objective
from seqgan.objectives.penalties import Penalty
from seqgan.training.config import PlayerConfig
from seqgan.training.player import Player

Draw = Callable[[], tuple[Tensor, Tensor]]
"""Gives a batch of real samples and one of false ones."""


def fit_critic(
    critic: Critic,
    objective: Objective,
    draw: Draw,
    updates: int,
    lr: float = 1e-3,
    penalties: Sequence[Penalty] = (),
    watch: Callable[[int], None] = lambda update: None,
) -> None:
    """Train the critic in place by its loss with penalties, as games do. `watch` is called before
    each update and at the end, with the number of updates so far."""
    for penalty in penalties:
        penalty.prepare(critic)

    def constrain() -> None:
        for penalty in penalties:
            penalty.after_step(critic)

    player = Player("critic", critic, PlayerConfig(lr=lr, clip_norm=None), [constrain])
    for update in range(updates):
        watch(update)
        real, fake = map(Batch, draw())
        criterion = Criterion(objective, penalties, ArraySpace(tuple(real.x.shape[1:])))
        loss, _ = criterion.critic_loss(critic, real, fake)
        player.update(loss)
    watch(updates)
