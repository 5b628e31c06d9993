"""The interface between trainer and games."""

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from seqgan.core.types import Stateful, Stats
from seqgan.training.player import Player

Updates = Iterator[tuple[Player[nn.Module], Tensor, Stats]]
"""(player, its loss, statistics to log). Each loss is back-propagated and the player updated
before the next one is computed."""


class Game(Protocol):
    """Data and players."""

    players: dict[str, Player[nn.Module]]

    def updates(self, phase: str) -> Updates:
        """The updates of one step of a phase."""
        ...

    def stateful(self) -> dict[str, Stateful]:
        """What a checkpoint must hold besides the players."""
        ...
