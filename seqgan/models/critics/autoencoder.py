"""An autoencoder as a critic: pictures that it can copy have low energy (EBGAN, Zhao et al. 2017).

    e(x) = 1/D ‖x − Dec(Enc(x))‖²,    score(x) = −e(x)

Its score says for every pixel what is wrong, and not one number for all. For objective `margin`.

Deviations: the mean over the D numbers instead of the norm; labels are not read.
"""

from torch import Tensor, nn

from seqgan.core.types import Critic, DirectGenerator, Scores
from seqgan.models.layers import Trunk, score_in_chunks


class AutoencoderCritic(Critic):
    """`score_B`, minus the mean squared error of each picture; `features_BF` are its code."""

    def __init__(self, trunk: Trunk, decoder: DirectGenerator) -> None:
        super().__init__()
        self.trunk = trunk
        self.code = nn.Linear(trunk.features, decoder.latent)
        self.decoder = decoder
        self.features = decoder.latent

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return score_in_chunks(self._score, x)

    def _score(self, x: Tensor) -> Scores:
        code_BL = self.code(self.trunk(x))
        error_B = (self.decoder(code_BL) - x).square().flatten(1).mean(1)
        return Scores(-error_B, features_BF=code_BL)
