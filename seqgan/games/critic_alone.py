"""The critic alone: it learns against negatives that a search of itself finds, round after round.

    phase mine    negatives ← what the search finds that the critic, as it is now, scores highly
    phase critic  critic: the objective on real samples and the negatives, plus penalties; before
                  the first visit of mine negatives are noise, fresh in each update
    phase real    critic: raises its reward of real samples; there are no negatives, and of the
                  penalties only those at real samples

The search stands in the generator's place (`models/searches/`): x ~ e^{D(x) / T}, or arg max D at
T = 0. Its weights are the critic's, so that whatever samples, evaluates and saves generators does
so with the critic alone. With objective wgan and negatives from e^D an update follows the exact
gradient of the likelihood of the energy-based model p(x) = e^{D(x)} / Z,

    ∇ log p(x) = ∇D(x_real) − E_{x~p} ∇D(x),

whose fixed point is p = p_data; there the search finds what the data have. With T = 0 it is the
structured perceptron, whose negatives match the data in the mean over rounds (Welling 2009). The
logistic objectives are pulled to D = 0, since at their optimum real samples and negatives look
alike: p = p_data holds up to that, better with a low T.

LeCun et al. 2006, *A tutorial on energy-based learning*; Xie et al. 2016, *A theory of generative
ConvNet*; Du & Mordatch 2019, *Implicit generation and modeling with energy-based models*.

Deviations. Any objective takes the place of the contrastive loss, and its penalties that of Du &
Mordatch's decay of the energies. With `pool` half of the negatives are older ones (Shrivastava et
al. 2017), as in the lectures, where those of former rounds are kept; 0 as published. Phase real
is what the lectures warn of: with nothing to lower, every sample gets a high score.
"""

from collections.abc import Callable

import torch

from seqgan.core.generators import CriticSearch
from seqgan.core.plain import StateDict
from seqgan.core.types import Batch, Critic, Stateful
from seqgan.data.stream import Batches
from seqgan.games.criterion import Criterion
from seqgan.games.pool import Pool
from seqgan.training.game import Updates
from seqgan.training.player import Player


class Negatives:
    """What was found last, if anything; part of the state of a game."""

    def __init__(self) -> None:
        self.found: Batch | None = None

    def on(self, device: torch.device) -> Batch | None:
        """The samples, on the device: checkpoints come to the CPU."""
        if self.found is None:
            return None
        mask = self.found.mask
        return Batch(self.found.x.to(device), None if mask is None else mask.to(device))

    def state_dict(self) -> StateDict:
        if self.found is None:
            return {"x": None, "mask": None}
        return {"x": self.found.x, "mask": self.found.mask}

    def load_state_dict(self, state: StateDict) -> None:
        self.found = None if state["x"] is None else Batch(state["x"], state["mask"])


class CriticAloneGame:
    """See the module's docstring. Players: critic, and generator, which has the same weights and
    counts the critic's updates."""

    def __init__(
        self,
        generator: Player[CriticSearch],
        critic: Player[Critic],
        criterion: Criterion,
        stream: Batches,
        pool: int = 0,
    ) -> None:
        self.players = {"generator": generator, "critic": critic}
        self._generator = generator
        self._critic = critic
        self._criterion = criterion
        self._stream = stream
        self._pool = Pool(pool)
        self._negatives = Negatives()
        self._phases: dict[str, Callable[[], Updates]] = {
            "mine": self._mine,
            "critic": self._update_critic,
            "real": self._raise_real,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream, "pool": self._pool, "negatives": self._negatives}

    def _mine(self) -> Updates:
        found = self._generator.module.mine(self._stream.batch_size)
        self._negatives.found = self._pool.exchange(found)
        yield from ()

    def _update_critic(self) -> Updates:
        real = self._stream.next()
        fake = self._negatives.on(real.x.device)
        if fake is None:
            fake = self._generator.module.random_samples(len(real.x))
        critic = self._critic
        yield critic, *self._criterion.critic_loss(critic.module, real, fake, critic.updates)
        self._generator.follow()

    def _raise_real(self) -> Updates:
        critic = self._critic
        yield critic, *self._criterion.real_loss(critic.module, self._stream.next(), critic.updates)
        self._generator.follow()
