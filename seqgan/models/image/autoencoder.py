"""A generator with the encoder that inverts it: autoencoder, and VAE (Kingma & Welling 2014).

    [μ(x); s(x)] = W [f(x); label vectors] + b,    q(z|x) = N(μ(x), diag exp s(x)),    x̂ = G(z)

f is the trunk of a critic. The game decides about μ and s; a plain autoencoder uses μ alone.
"""

from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.conditions import beside
from seqgan.models.layers import Trunk


class Autoencoder(DirectGenerator):
    """As a generator it is its decoder. Raises `UserError` for uniform noise: codes are normal.

    Autoencoder(MlpGenerator(space), MlpTrunk(space), space).encode(x)  # mean_BL, log_variance
    """

    def __init__(self, decoder: DirectGenerator, trunk: Trunk, space: ArraySpace) -> None:
        super().__init__()
        if decoder.noise != "normal":
            raise UserError(
                f"generator.noise={decoder.noise}: codes are normal here; set it to normal"
            )
        self.latent, self.noise = decoder.latent, decoder.noise
        self.decoder = decoder
        self.trunk = trunk
        self.labels = beside(space)
        self.code = nn.Linear(trunk.features + self.labels.width, 2 * decoder.latent)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.decoder(z_BL, cond)

    def encode(self, x: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`(mean_BL, log_variance_BL)` of the code."""
        mean_BL, log_variance_BL = self.code(self.labels(self.trunk(x), cond)).chunk(2, dim=1)
        return mean_BL, log_variance_BL
