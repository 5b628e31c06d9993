"""An autoencoder and a GAN in one: α-GAN (Rosca et al. 2017).

    phase critic     D: real pictures x against G(z) and G(E(x)), half and half
                     C: noise z ~ N(0, I) against codes E(x)
    phase generator  lower  λ |x − G(E(x))| − ½ r(D(G(z))) − ½ r(D(G(E(x)))) − r(C(E(x)))

The variational autoencoder's two terms, each by the better means: the code critic C takes the place
of the KL to N(0, I), and the picture critic D stands beside the pixel error, which alone blurs. The
autoencoder keeps the generator from leaving out what is in the data.

Deviations: encoder and generator are one player with one step, and the encoder learns from D as
well; any objective for both critics; the absolute difference is averaged over pixels.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.modes import frozen
from seqgan.core.types import Batch, Stateful
from seqgan.data.stream import Batches
from seqgan.games.criterion import Criterion
from seqgan.models.image.autoencoder import Autoencoder
from seqgan.training.game import Updates
from seqgan.training.player import Player


@dataclass(frozen=True, slots=True)
class _Made:
    """What the autoencoder makes of a batch x."""

    code: Batch
    again: Tensor
    """G(E(x))."""
    fresh: Tensor
    """G(z)."""
    noise: Batch
    """z."""


class AlphaGame:
    """See the module's docstring. Players: generator (an autoencoder), critic (both critics)."""

    def __init__(
        self,
        autoencoder: Player[Autoencoder],
        critics: Player[nn.ModuleDict],
        picture: Criterion,
        code: Criterion,
        stream: Batches,
        reconstruction_weight: float,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": autoencoder, "critic": critics}
        self._autoencoder, self._critics = autoencoder, critics
        self._picture, self._code = picture, code
        self._stream = stream
        self._weight = reconstruction_weight

    def updates(self, phase: str) -> Updates:
        update = self._update_critics if phase == "critic" else self._update_autoencoder
        return update(self._stream.next())

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream}

    def _make(self, real: Batch) -> _Made:
        autoencoder = self._autoencoder.module
        code_BL, _ = autoencoder.encode(real.x)
        z_BL = autoencoder.draw(len(real.x))
        again, fresh = autoencoder(code_BL), autoencoder(z_BL)
        return _Made(Batch(code_BL), again, fresh, Batch(z_BL))

    def _update_critics(self, real: Batch) -> Updates:
        with torch.no_grad(), frozen(self._autoencoder.module):
            made = self._make(real)
        # Every second row of each kind, so that penalties find a fake for each real picture.
        from_noise_B = torch.arange(len(real.x), device=real.x.device) % 2 == 0
        shape = (-1, *[1] * (real.x.dim() - 1))
        fake = Batch(torch.where(from_noise_B.view(shape), made.fresh, made.again))
        critics: Any = self._critics.module
        updates = self._critics.updates
        loss, stats = self._picture.critic_loss(critics["picture"], real, fake, updates)
        of_codes, found = self._code.critic_loss(critics["code"], made.noise, made.code, updates)
        yield self._critics, loss + of_codes, stats | {f"code/{k}": v for k, v in found.items()}

    def _update_autoencoder(self, real: Batch) -> Updates:
        critics: Any = self._critics.module
        with frozen(self._critics.module):
            made = self._make(real)
            picture = self._picture.reward(critics["picture"], real, None)
            code = self._code.reward(critics["code"], made.noise, None)
            reward = 0.5 * (picture(made.fresh, None).mean() + picture(made.again, None).mean())
            code_reward = code(made.code.x, None).mean()
            error = (made.again - real.x).abs().mean()
            loss = self._weight * error - reward - code_reward
        stats = {"return": reward, "code_return": code_reward, "absolute_error": error}
        yield self._autoencoder, loss, {name: value.detach() for name, value in stats.items()}
