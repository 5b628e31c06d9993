"""Real samples beside latent codes: what InfoGAN (Chen et al. 2016) plays with.

The adversarial game takes labels from its stream. Here they are codes, drawn anew for each batch,
so that G(z, c) learns to show them and the critic to read them (objective `auxiliary`).
"""

from torch import Tensor

from seqgan.core.plain import StateDict
from seqgan.core.types import Batch
from seqgan.data.stream import Batches
from seqgan.models.coded import draw_codes


class CodedStream:
    """The batches of a stream, with codes as conditions; draws from torch's global generator."""

    def __init__(self, stream: Batches, sizes: tuple[int, ...]) -> None:
        self.batch_size = stream.batch_size
        self._stream = stream
        self._sizes = sizes

    def next(self) -> Batch:
        real = self._stream.next()
        codes_BA: Tensor = draw_codes(len(real.x), self._sizes, real.x.device)
        return Batch(real.x, real.mask, codes_BA)

    def state_dict(self) -> StateDict:
        return self._stream.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        self._stream.load_state_dict(state)
