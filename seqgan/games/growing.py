"""Growth as a phase: both players get layers for pictures of twice the size, which are faded in.

    phase grow         generator and critic get a stage; α = 0
    phases critic, generator   as in `adversarial.py`, with α = min(1, updates since / `fade`)

Karras et al. 2018. Updates are the generator's. While a stage is faded in, real pictures are mixed
from both sizes with the same α, as the generator's are: what only real ones showed would give them
away. Layers that stay keep their optimizer's state.
"""

from seqgan.core.growing import Growing, growing_parts
from seqgan.core.plain import StateDict
from seqgan.core.types import Batch, Stateful
from seqgan.data.stream import Batches
from seqgan.games.adversarial import AdversarialGame
from seqgan.training.game import Updates


class GrowingGame:
    """An adversarial game with a phase `grow` beside its others."""

    def __init__(self, game: AdversarialGame, fade: int) -> None:
        self.players = game.players
        self._game = game
        self._fade = fade
        self._growth = _Growth()

    def updates(self, phase: str) -> Updates:
        if phase == "grow":
            return self._grow()
        self._set_alpha()
        return self._game.updates(phase)

    def stateful(self) -> dict[str, Stateful]:
        return {**self._game.stateful(), "growth": self._growth}

    def _grow(self) -> Updates:
        for player in self.players.values():
            for part in growing_parts(player.module):
                part.grow()
            player.rebuild()
        self._growth.began = self.players["generator"].updates
        yield from ()

    def _set_alpha(self) -> None:
        since = self.players["generator"].updates - self._growth.began
        for player in self.players.values():
            for part in growing_parts(player.module):
                part.alpha.fill_(min(1.0, since / self._fade) if part.grown else 1.0)


class _Growth:
    """When the present stage began, in updates of the generator."""

    began = 0

    def state_dict(self) -> StateDict:
        return {"began": self.began}

    def load_state_dict(self, state: StateDict) -> None:
        self.began = int(state["began"])


class LimitedStream:
    """Real pictures, with the details that a growing network can show at present."""

    def __init__(self, stream: Batches, network: Growing) -> None:
        self.batch_size = stream.batch_size
        self._stream = stream
        self._network = network

    def next(self) -> Batch:
        batch = self._stream.next()
        return Batch(self._network.limit(batch.x), batch.mask, batch.cond)

    def state_dict(self) -> StateDict:
        return self._stream.state_dict()

    def load_state_dict(self, state: StateDict) -> None:
        self._stream.load_state_dict(state)
