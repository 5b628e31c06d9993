"""Maximum likelihood: the generator alone, and the yardstick of every adversarial arm.

loss = −Σ_{b,t} log p(x_bt | x_b,<t) / number of symbols       (nats a symbol, pads excluded)
"""

from collections.abc import Iterator

from torch import Tensor

from seqgan.core.types import Batch, Stateful, Stats
from seqgan.data.stream import FreshStream, Stream
from seqgan.decoding import token_log_probs
from seqgan.training.player import Player


class MleGame:
    """One player, one phase: `mle`."""

    def __init__(self, generator: Player, stream: Stream | FreshStream) -> None:
        self.players = {"generator": generator}
        self._stream = stream

    def updates(self, phase: str) -> Iterator[tuple[Player, Tensor, Stats]]:
        generator = self.players["generator"]
        yield generator, likelihood_loss(generator.module, self._stream.next()), {}

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream}


def likelihood_loss(generator: object, batch: Batch) -> Tensor:
    """Mean negative log-likelihood a symbol, in nats; columns behind the end do not count."""
    logp_BT = token_log_probs(generator, batch.ids_BT, batch.mask_BT)  # type: ignore[arg-type]
    return -logp_BT.sum() / batch.mask_BT.sum()
