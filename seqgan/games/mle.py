"""Maximum likelihood: the generator alone, and the yardstick of every adversarial arm.

loss = −Σ_{b,t} log p(x_bt | x_b,<t) / number of symbols       (nats a symbol, pads excluded)
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from seqgan.core.types import Batch, Generator, Stateful, Stats
from seqgan.data.stream import FreshStream, Stream
from seqgan.decoding import token_log_probs
from seqgan.training.player import Player


class MleGame:
    """One player, one phase: `mle`."""

    def __init__(self, generator: Player[Generator], stream: Stream | FreshStream) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generator}
        self._stream = stream
        self._generator = generator

    def updates(self, phase: str) -> Iterator[tuple[Player[Any], Tensor, Stats]]:
        yield self._generator, likelihood_loss(self._generator.module, self._stream.next()), {}

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream}


def likelihood_loss(generator: Generator, batch: Batch) -> Tensor:
    """Mean negative log-likelihood a symbol, in nats; columns behind the end do not count."""
    assert batch.mask is not None, "sequences have masks"
    logp_BT = token_log_probs(generator, batch.x, batch.mask)
    return -logp_BT.sum() / batch.mask.sum()
