"""The cycle game: two generators that translate there and back, a critic for each side.

    phase critic     critics: objective on real samples and translations, for each side
    phase generator  for each direction x ∈ X → Y, with F: X → Y and G: Y → X,
                     raise  value(D_Y(F(x))) − cycle_weight · d(G(F(x)), x)
                     and lower  identity_weight · d(F(y), y)

CycleGAN (Zhu et al. 2017). The reward of a translation is *one* function of it: how real it looks,
less how badly the way back recovers the source. The estimator carries that reward to the first
generator exactly as in every other game, so the discrete case differs in the estimator alone;
where the path is differentiable the second generator learns from the same term.

Nothing here knows what is translated: generators, critics, data, estimators and the distance d are
handed in. `distance(generator, given, target)` is how badly `generator` recovers `target` from
`given`, one number a sample: for pictures the mean absolute difference.

Both generators are one player, both critics another: each pair has one optimizer, as in the
official code. Keys of the pairs: a2b and b2a; a and b.

Deviations: the weights multiply means over pixels, as in the official code; the pool's exchange is
described in `pool.py`. The adversarial loss is whatever `objective` says (the paper: lsgan).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.modes import frozen
from seqgan.core.types import Batch, Request, Reward, Shared, Space, Stateful, Stats
from seqgan.data.stream import FreshStream, Stream
from seqgan.estimators.base import Estimator
from seqgan.games.config import CycleGameConfig
from seqgan.games.critics import critic_reward, critic_update, score
from seqgan.games.pool import Pool
from seqgan.objectives.config import PenaltyConfig
from seqgan.objectives.divergences import Objective
from seqgan.training.player import Player

Distance = Callable[[nn.Module, Tensor, Batch], Tensor]
"""`distance(generator, given, target)`: [B], how badly `target` is recovered."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two kinds of samples."""

    name: str
    """a or b."""
    stream: Stream | FreshStream
    space: Space
    pool: Pool
    estimator: Estimator
    """Carries the reward to the generator *into* this side."""


class CycleGame:
    """See the module's docstring. Players: generator (both), critic (both)."""

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        critics: Player[nn.ModuleDict],
        a: Side,
        b: Side,
        objective: Objective,
        penalties: list[PenaltyConfig],
        distance: Distance,
        config: CycleGameConfig,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generators, "critic": critics}
        self._generators = generators
        self._critics = critics
        self._a, self._b = a, b
        self._objective = objective
        self._penalties = penalties
        self._distance = distance
        self._config = config
        self._phases = {"critic": self._update_critics, "generator": self._update_generators}

    def updates(self, phase: str) -> Iterator[tuple[Player[Any], Tensor, Stats]]:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts = {"stream": "stream", "pool": "pool", "estimator": "estimator"}
        return {
            f"{part}_{side.name}": getattr(side, part)
            for side in (self._a, self._b)
            for part in parts
        }

    # ── Phases ────────────────────────────────────────────────────────────────────────────────

    def _update_critics(self) -> Iterator[tuple[Player[Any], Tensor, Stats]]:
        losses: list[Tensor] = []
        stats: Stats = {}
        for real, source, side in self._visits():
            with torch.no_grad(), frozen(self._generators.module):
                into = self._into(side)
                fake = side.estimator.sample(into, Request(len(source.x), source.x))
            loss, found = critic_update(
                self._critic(side),
                self._objective,
                self._penalties,
                side.space,
                real,
                Batch(side.pool.exchange(fake.x), fake.mask),
            )
            losses.append(loss)
            stats |= {f"{side.name}/{name}": value for name, value in found.items()}
        yield self._critics, torch.stack(losses).sum(), stats

    def _update_generators(self) -> Iterator[tuple[Player[Any], Tensor, Stats]]:
        losses: list[Tensor] = []
        stats: Stats = {}
        with frozen(self._critics.module):
            for real, source, side in self._visits():
                into, distances = self._into(side), list[Tensor]()
                request = Request(len(source.x), source.x)
                translation = side.estimator.sample(into, request)
                reward = self._reward(side, real, source, distances)
                surrogate = side.estimator.loss(into, translation, reward)
                losses.append(surrogate.loss)
                found = dict(surrogate.stats)
                if distances:
                    found["cycle"] = torch.stack(distances).mean()
                if self._config.identity_weight:
                    identity = self._distance(into, real.x, real).mean()
                    losses.append(self._config.identity_weight * identity)
                    found["identity"] = identity.detach()
                stats |= {f"{side.name}/{name}": value for name, value in found.items()}
        yield self._generators, torch.stack(losses).sum(), stats

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _visits(self) -> list[tuple[Batch, Batch, Side]]:
        """(real samples of a side, what is to be translated into it, the side), for both sides."""
        batch_a, batch_b = self._a.stream.next(), self._b.stream.next()
        return [(batch_b, batch_a, self._b), (batch_a, batch_b, self._a)]

    def _into(self, side: Side) -> nn.Module:
        return self._generators.module["a2b" if side.name == "b" else "b2a"]

    def _back(self, side: Side) -> nn.Module:
        return self._generators.module["b2a" if side.name == "b" else "a2b"]

    def _critic(self, side: Side) -> Any:
        return self._critics.module[side.name]

    def _reward(self, side: Side, real: Batch, source: Batch, distances: list[Tensor]) -> Reward:
        """Value of a translation for the critic, less `cycle_weight` × distance of the way back.

        The distances are also left in `distances`, without gradient, for the log.
        """
        critic, scores = self._critic(side), None
        if self._objective.needs_real:
            with torch.no_grad():
                scores = score(critic, real)
        realism = critic_reward(critic, self._objective, scores)
        weight, back = self._config.cycle_weight, self._back(side)

        def reward(x: Tensor, mask: Tensor | None, shared: Shared | None = None) -> Tensor:
            value = realism(x, mask, shared)
            if not weight:
                return value
            distance_B = self._distance(back, x, source)
            distances.append(distance_B.detach().mean())
            return value - weight * distance_B

        return reward


def mean_absolute_difference(generator: nn.Module, given: Tensor, target: Batch) -> Tensor:
    """For pictures: |generator(given) − target| averaged over a picture's numbers: [B]."""
    made = generator(given.new_zeros(len(given), 0), given)
    return (made - target.x).abs().flatten(1).mean(1)
