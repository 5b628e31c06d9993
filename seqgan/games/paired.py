"""Translators taught by true pairs: the supervised ceiling of unsupervised translation.

    phase mle   −1/N Σ log p(y | x), nats per token, for each trained direction

The two streams give pairs, row for row: `data.aligned`, and one seed for both.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.types import Stateful
from seqgan.data.stream import Batches
from seqgan.games.translation import nats_per_token, trimmed
from seqgan.training.game import Updates
from seqgan.training.player import Player


class PairedGame:
    """One player, `generator` (both directions); one phase, `mle`."""

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        a: Batches,
        b: Batches,
        directions: Sequence[str] = ("a2b", "b2a"),
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generators}
        self._generators = generators
        self._a, self._b = a, b
        self._directions = directions

    def updates(self, phase: str) -> Updates:
        of_a, of_b = self._a.next(), self._b.next()
        of_a, of_b = (trimmed(of, self._generators.module["a2b"]) for of in (of_a, of_b))
        pairs = {"a2b": (of_a, of_b), "b2a": (of_b, of_a)}
        losses: dict[str, Tensor] = {}
        for direction in self._directions:
            source, target = pairs[direction]
            generator: Any = self._generators.module[direction]
            losses[direction] = nats_per_token(generator, source.x, target).mean()
        stats = {name: loss.detach() for name, loss in losses.items()}
        yield self._generators, torch.stack(list(losses.values())).sum(), stats

    def stateful(self) -> dict[str, Stateful]:
        return {"stream_a": self._a, "stream_b": self._b}
