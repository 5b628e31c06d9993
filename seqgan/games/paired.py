"""Translators taught by true pairs (x, y), of pictures or of sequences.

    phase mle        generator: lower  d(F(x), y)
    phase critic     critic: objective on true pairs and on (x, F(x)), plus penalties
    phase generator  generator: lower  λ · d(F(x), y) − α · reward(D(F(x); x))

The distance d is the mean absolute difference of pictures and nats per token of sequences
(`translation.py`). The distance alone is regression, or of text the supervised ceiling of
unsupervised translation. It is lowest at the pixels' conditional medians, which is a blurred
picture wherever several partners are possible. With the critic it is pix2pix (Isola et al. 2017),
with text and a score function adversarial translation (Yang et al. 2018). The critic reads the
source beside its translation, or the translation alone (the "L1 + GAN" of Isola et al., beside
their "L1 + cGAN").

The two streams give pairs, row for row: one seed for both.

Deviations from pix2pix: noise is the estimator's and the network's matter, and translators of
pictures have none (the paper has dropout, whose effect it calls minor); the objective acts on a
picture's mean patch score; any objective, estimator and penalty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.modes import frozen
from seqgan.core.schedule import Schedule
from seqgan.core.types import Batch, Reward, SampleRequest, SharedPrefix, Stateful, Stats
from seqgan.data.stream import Batches
from seqgan.estimators.base import Estimator
from seqgan.games.criterion import Criterion
from seqgan.games.translation import Distance, trimmed
from seqgan.training.game import Updates
from seqgan.training.player import Player


@dataclass(frozen=True, slots=True)
class Adversary:
    """The critics, and how they teach; by the side, a or b, whose samples a critic reads."""

    critics: Player[nn.ModuleDict]
    criteria: Mapping[str, Criterion]
    estimators: Mapping[str, Estimator]
    distance_weight: Schedule[float]
    """λ of the module's docstring."""
    weight: float
    """α."""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A batch of pairs in one direction."""

    name: str
    source: Batch
    target: Batch
    generator: Any

    @property
    def side(self) -> str:
        """That of the target."""
        return self.name[-1]

    @property
    def given(self) -> Tensor:
        """What the generator reads."""
        return trimmed(self.source, self.generator).x

    @property
    def real(self) -> Batch:
        """True partners, as critics read them."""
        return Batch(self.target.x, self.target.mask, self.source.x)


class PairedGame:
    """See the module's docstring. Players: generator (both directions), perhaps critic.

    `distances` has one for each direction that is trained; without `adversary` there is the phase
    `mle` alone.
    """

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        streams: Sequence[Batches],
        distances: Mapping[str, Distance],
        adversary: Adversary | None = None,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generators}
        if adversary is not None:
            self.players["critic"] = adversary.critics
        self._generators = generators
        self._a, self._b = streams
        self._distances = distances
        self._adversary = adversary

    def updates(self, phase: str) -> Updates:
        pairs = self._next_pairs()
        if phase == "mle":
            return self._update_distance(pairs)
        assert self._adversary is not None, "the phase belongs to games with a critic"
        update = self._update_critics if phase == "critic" else self._update_generators
        return update(pairs, self._adversary)

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream_a": self._a, "stream_b": self._b}
        if self._adversary is not None:
            for side, estimator in self._adversary.estimators.items():
                parts[f"estimator_{side}"] = estimator
        return parts

    def _next_pairs(self) -> list[_Pairs]:
        of_a, of_b = self._a.next(), self._b.next()
        batches = {"a2b": (of_a, of_b), "b2a": (of_b, of_a)}
        translators = self._generators.module
        return [_Pairs(name, *batches[name], translators[name]) for name in self._distances]

    def _update_distance(self, pairs: list[_Pairs]) -> Updates:
        losses = {each.name: self._distance(each) for each in pairs}
        stats = {name: loss.detach() for name, loss in losses.items()}
        yield self._generators, torch.stack(list(losses.values())).sum(), stats

    def _update_critics(self, pairs: list[_Pairs], adversary: Adversary) -> Updates:
        losses: list[Tensor] = []
        stats: Stats = {}
        for each in pairs:
            with torch.no_grad(), frozen(self._generators.module):
                made = _translate(each, adversary)
            fake = Batch(made.x, made.mask, each.source.x)
            critic: Any = adversary.critics.module[each.side]
            loss, found = adversary.criteria[each.side].critic_loss(
                critic, each.real, fake, adversary.critics.updates
            )
            losses.append(loss)
            stats |= _prefixed(each, found)
        yield adversary.critics, torch.stack(losses).sum(), stats

    def _update_generators(self, pairs: list[_Pairs], adversary: Adversary) -> Updates:
        distance_weight = adversary.distance_weight.at(self._generators.updates)
        losses: list[Tensor] = []
        stats: Stats = {}
        with frozen(adversary.critics.module):
            for each in pairs:
                made = _translate(each, adversary)
                estimator = adversary.estimators[each.side]
                surrogate = estimator.loss(each.generator, made, _reward(each, adversary))
                distance = self._distance(each, made)
                losses += [surrogate.loss, distance_weight * distance]
                stats |= _prefixed(each, {**surrogate.stats, "distance": distance.detach()})
        yield self._generators, torch.stack(losses).sum(), stats

    def _distance(self, each: _Pairs, made: Any = None) -> Tensor:
        distance, target = self._distances[each.name], trimmed(each.target, each.generator)
        return distance(each.generator, each.given, target, made).mean()


def _translate(each: _Pairs, adversary: Adversary) -> Any:
    """Samples of the target's side, a row for each source."""
    request = SampleRequest(len(each.source.x), each.given)
    return adversary.estimators[each.side].sample(each.generator, request)


def _reward(each: _Pairs, adversary: Adversary) -> Reward:
    """α times the critic's reward of translations."""
    critic: Any = adversary.critics.module[each.side]
    found = adversary.criteria[each.side].reward(critic, each.real, each.source.x)

    def reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
        return adversary.weight * found(x, mask, shared)

    return reward


def _prefixed(each: _Pairs, named: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{each.side}/{name}": value for name, value in named.items()}
