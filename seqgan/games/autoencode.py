"""The generator alone: autoencoder and variational autoencoder, the references without a critic.

    phase reconstruct   loss = E_x[ E_{z ~ q(·|x)} ‖x − G(z)‖² / 2σ²  +  KL(q(·|x) ‖ N(0, I)) ]

with q(z|x) = N(μ(x), diag exp s(x)), KL = ½ Σ (μ² + e^s − 1 − s), σ = `decoder_std`: the negative
evidence bound in nats per sample up to the constant D log(σ√2π)  (Kingma & Welling 2014). σ is not
learned; it decides how much detail the code has to carry. A sample is the decoder's mean.

Without `variational` the code is μ(x) and the KL is left out: the classic autoencoder, whose codes
need not be distributed like the noise that is decoded later. Noise N(0, ·) makes it robust:
`code_noise` on the code makes the decoder smooth around codes; `input_noise` on what the encoder
reads, with the clean x as the target, makes it restore x  (denoising, Vincent et al. 2008).
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Stateful
from seqgan.data.stream import Batches
from seqgan.models.image.autoencoder import Autoencoder
from seqgan.training.game import Updates
from seqgan.training.player import Player


class AutoencodeGame:
    """One player, `generator`: the decoder with its encoder. One phase: `reconstruct`."""

    def __init__(
        self,
        autoencoder: Player[Autoencoder],
        stream: Batches,
        variational: bool = True,
        decoder_std: float = 0.1,
        code_noise: float = 0.0,
        input_noise: float = 0.0,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": autoencoder}
        self._player = autoencoder
        self._stream = stream
        self._variational = variational
        self._decoder_std = decoder_std
        self._code_noise = code_noise
        self._input_noise = input_noise

    def updates(self, phase: str) -> Updates:
        autoencoder = self._player.module
        real = self._stream.next()
        read = real.x
        if self._input_noise:
            read = read + self._input_noise * torch.randn_like(read)
        mean_BL, log_variance_BL = autoencoder.encode(read, real.cond)
        z_BL = mean_BL
        if self._variational:
            z_BL = z_BL + torch.exp(0.5 * log_variance_BL) * torch.randn_like(mean_BL)
        if self._code_noise:
            z_BL = z_BL + self._code_noise * torch.randn_like(mean_BL)
        error_B = (autoencoder(z_BL, real.cond) - real.x).square().flatten(1)
        loss = error_B.sum(1).mean() / (2 * self._decoder_std**2)
        stats = {"squared_error": error_B.mean().detach()}
        if self._variational:
            divergence = kl_to_standard_normal(mean_BL, log_variance_BL).mean()
            loss = loss + divergence
            stats["kl"] = divergence.detach()
        yield self._player, loss, stats

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream}


def kl_to_standard_normal(mean_BL: Tensor, log_variance_BL: Tensor) -> Tensor:
    """KL(N(μ, diag e^s) ‖ N(0, I)) in nats per sample: [B]."""
    terms_BL = mean_BL.square() + log_variance_BL.exp() - 1 - log_variance_BL
    return 0.5 * terms_BL.sum(1)
