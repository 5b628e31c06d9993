"""Translators taught by true pairs: the supervised ceiling of unsupervised translation.

    phase mle   −1/N Σ log p(y | x), nats per token, for each way that is taught

The two streams have to give pairs, row for row: `data.aligned`, and one seed for both.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.types import Stateful, Stats
from seqgan.data.stream import FreshStream, Stream
from seqgan.games.config import PairedGameConfig
from seqgan.games.cycle import nats_per_token, trimmed
from seqgan.training.player import Player


class PairedGame:
    """One player, `generator` (both ways); one phase, `mle`."""

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        a: Stream | FreshStream,
        b: Stream | FreshStream,
        config: PairedGameConfig,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generators}
        self._generators = generators
        self._a, self._b = a, b
        self._directions = config.directions

    def updates(self, phase: str) -> Iterator[tuple[Player[Any], Tensor, Stats]]:
        of_a, of_b = self._a.next(), self._b.next()
        of_a, of_b = (trimmed(of, self._generators.module["a2b"]) for of in (of_a, of_b))
        pairs = {"a2b": (of_a, of_b), "b2a": (of_b, of_a)}
        losses: dict[str, Tensor] = {}
        for way in self._directions:
            source, target = pairs[way]
            generator: Any = self._generators.module[way]
            losses[way] = nats_per_token(generator, source.x, target).mean()
        stats = {way: loss.detach() for way, loss in losses.items()}
        yield self._generators, torch.stack(list(losses.values())).sum(), stats

    def stateful(self) -> dict[str, Stateful]:
        return {"stream_a": self._a, "stream_b": self._b}
