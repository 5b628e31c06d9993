"""The generator alone, supervised: each real sample is the target of a code that is given.

    phase regress   loss = E_i ‖x_i − G(z_i, c_i)‖² / D

D is the number of values in a sample, c_i its labels where the generator reads them. With z_i drawn
anew at every update the code tells nothing about x_i, and the minimum over all functions is

    G(z, c) = E[x | c],    the mean of all samples with these labels:

where several are possible a generator trained so makes their superposition, whatever z is. With one
random code for each training sample (`codes`) the network has to learn which code goes with which
sample. Codes that are near each other then need not stand for samples that are, and a new code says
nothing; an encoder's codes do (`autoencode.py`).
"""

from torch import Tensor, nn

from seqgan.core.rng import isolated
from seqgan.core.types import DirectGenerator, Stateful
from seqgan.data.stream import Batches
from seqgan.training.game import Updates
from seqgan.training.player import Player


class RegressionGame:
    """One player, `generator`; one phase, `regress`. `codes` go in step with `stream`."""

    def __init__(
        self,
        generator: Player[DirectGenerator],
        stream: Batches,
        codes: Batches | None = None,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generator}
        self._generator = generator
        self._stream = stream
        self._codes = codes

    def updates(self, phase: str) -> Updates:
        generator, real = self._generator.module, self._stream.next()
        z_BL = generator.draw(len(real.x)) if self._codes is None else self._codes.next().x
        loss = (generator(z_BL, real.cond) - real.x).square().mean()
        yield self._generator, loss, {"squared_error": loss.detach()}

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream": self._stream}
        if self._codes is not None:
            parts["codes"] = self._codes
        return parts


def fixed_codes(generator: DirectGenerator, count: int, seed: int) -> Tensor:
    """`z_NL`: the codes of `count` training samples, equal for equal seeds."""
    with isolated(seed):
        return generator.draw(count)
