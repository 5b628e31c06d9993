"""The cycle game: two generators that translate there and back, a critic for each side.

    phase critic       critics: objective on real samples and translations
    phase generator    for each direction x ∈ X → Y, with F: X → Y and G: Y → X,
                       raise  α · value(D_Y(F(x))) − λ · d(G(F(x)), x)
                       and lower  ι · d(F(noise(y)), y)  and  β · bijection(F)
                       and lower  φ · fluency(F(x))  and  κ · coverage(F, x)
    phase denoise      lower  d(F(noise(y)), y)  alone: the usual start
    phase reconstruct  lower  d(G(ŷ), x) for ŷ = F(x) held fixed: the way back alone

    phase language_model  a language model of each side translated into: likelihood of real samples

CycleGAN (Zhu et al. 2017), and with a discrete Y unsupervised translation and summarization
(Lample et al. 2018, Wang & Lee 2018). The reward of a translation has two parts: how real it
looks, and how badly the way back recovers the source. The estimator carries both to the first
generator exactly as in every other game, so the discrete case differs in the estimator alone.
Where its path is differentiable the second generator learns from the same term; where it is not,
the second one is given the translation and learns d(G(ŷ), x) directly. With the estimator
`detached` only that remains: on-the-fly back-translation.

Nothing here knows what is translated: generators, critics, data, estimators, noise and the
distance d are handed in. `distance(generator, given, target)` is how badly `generator` recovers
`target` from `given`, one number per sample: for pictures the mean absolute difference, for
sequences nats per token. Noise belongs to sequences (denoising autoencoder); without it the term is
CycleGAN's identity loss.

Both generators are one player, both critics another: each pair has one optimizer, as in the
official code. Keys of the pairs: a2b and b2a; a and b. `directions` may leave one way out: then
it only serves to recover what the other way made of its source (summaries), and its critic rests.

Fluency is the nats per token that a language model of the target side needs for a translation (the
LM prior of He et al. 2020 and of Baziotis et al. 2019, without their entropy term), carried by the
estimator like any other reward. Coverage (See et al. 2017, as Wang & Lee use it) is what a
pointer's attention spends on places it has attended to before; it needs no estimator.

The norms of the gradients that each loss sends into the generators are logged now and then
(`gradients_every`): which loss rules is otherwise a guess.

Deviations: the weights multiply means over pixels, as in the official code; the pool's exchange is
described in `pool.py`. The adversarial loss is whatever `objective` says (the paper: lsgan).
Back-translations of the direct loss are samples of the estimator; Wang & Lee train on greedy ones.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.masks import longest, mean_per_row
from seqgan.core.modes import evaluating, frozen
from seqgan.core.types import (
    Batch,
    Generator,
    ParallelGenerator,
    Reward,
    RewardTerm,
    Sample,
    SampleRequest,
    SharedPrefix,
    Space,
    Stateful,
    Stats,
)
from seqgan.data.stream import FreshStream, Stream
from seqgan.decoding import token_log_probs
from seqgan.estimators.base import Estimator
from seqgan.games.config import CycleGameConfig
from seqgan.games.critics import CriticReward, critic_update, score
from seqgan.games.mle import likelihood_loss
from seqgan.games.pool import Pool
from seqgan.objectives.base import Objective
from seqgan.objectives.penalties import Penalty
from seqgan.training.player import Player

Distance = Callable[[Any, Tensor, Sample], Tensor]
"""`distance(generator, given, target)`: [B], how badly `target` is recovered."""

Updates = Iterator[tuple[Player[Any], Tensor, Stats]]


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
    noise: Callable[[Batch], Tensor] | None = None
    """What the generator into this side is to make real samples of this side from; None: from
    themselves."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """One direction at work: `source` is to become like `real`, samples of `side`."""

    side: Side
    real: Batch
    source: Batch
    into: Any
    back: Any


class CycleGame:
    """See the module's docstring. Players: generator (both), critic (both)."""

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        critics: Player[nn.ModuleDict],
        a: Side,
        b: Side,
        objective: Objective,
        penalties: Sequence[Penalty],
        distance: Distance,
        config: CycleGameConfig,
        language_models: Player[nn.ModuleDict] | None = None,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generators, "critic": critics}
        if language_models is not None:
            self.players["language_model"] = language_models
        self._generators = generators
        self._critics = critics
        self._language_models = language_models
        self._a, self._b = a, b
        self._objective = objective
        self._penalties = penalties
        self._distance = distance
        self._config = config
        self._phases = {
            "critic": self._update_critics,
            "generator": self._update_generators,
            "denoise": self._update_denoising,
            "reconstruct": self._update_ways_back,
            "language_model": self._update_language_models,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts = {"stream": "stream", "pool": "pool", "estimator": "estimator"}
        return {
            f"{part}_{side.name}": getattr(side, part)
            for side in (self._a, self._b)
            for part in parts
        }

    # ── Phases ────────────────────────────────────────────────────────────────────────────────

    def _update_critics(self) -> Updates:
        losses: list[Tensor] = []
        stats: Stats = {}
        for visit in self._visits():
            side = visit.side
            loss, found = critic_update(
                self._critic(side),
                self._objective,
                self._penalties,
                side.space,
                visit.real,
                side.pool.exchange(self._fixed_translation(visit)),
            )
            losses.append(loss)
            stats |= _prefixed(side, found)
        yield self._critics, torch.stack(losses).sum(), stats

    def _update_generators(self) -> Updates:
        losses: dict[str, Tensor] = {}
        stats: Stats = {}
        with frozen(self._critics.module), self._fixed_language_models():
            for visit in self._visits():
                found_losses, found = self._lessons(visit)
                losses |= _prefixed(visit.side, found_losses)
                stats |= _prefixed(visit.side, found)
        every = self._config.gradients_every
        if every is not None and self._generators.updates % every == 0:
            stats |= _gradient_norms(losses, self._generators.module)
        yield self._generators, torch.stack(list(losses.values())).sum(), stats

    def _update_denoising(self) -> Updates:
        losses = [self._identity(visit) for visit in self._visits()]
        yield self._generators, torch.stack(losses).sum(), {}

    def _update_ways_back(self) -> Updates:
        losses = [
            self._distance(visit.back, self._fixed_translation(visit).x, visit.source).mean()
            for visit in self._visits()
        ]
        yield self._generators, torch.stack(losses).sum(), {}

    def _update_language_models(self) -> Updates:
        models = self._language_models
        assert models is not None, "checked by Experiment"
        losses = [
            likelihood_loss(self._language_model(visit.side), visit.real)
            for visit in self._visits()
        ]
        yield models, torch.stack(losses).sum(), {}

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _visits(self) -> list[_Visit]:
        """The directions that are played; both streams move on in every phase."""
        of_a, of_b = self._a.stream.next(), self._b.stream.next()
        a2b, b2a = self._generators.module["a2b"], self._generators.module["b2a"]
        visits = {
            "a2b": _Visit(self._b, real=of_b, source=trimmed(of_a, a2b), into=a2b, back=b2a),
            "b2a": _Visit(self._a, real=of_a, source=trimmed(of_b, b2a), into=b2a, back=a2b),
        }
        return [visits[way] for way in ("a2b", "b2a") if way in self._config.directions]

    def _critic(self, side: Side) -> Any:
        return self._critics.module[side.name]

    def _fixed_language_models(self) -> AbstractContextManager[None]:
        models = self._language_models
        return nullcontext() if models is None else frozen(models.module)

    def _fixed_translation(self, visit: _Visit) -> Sample:
        """What the generators write now, without gradient."""
        request = SampleRequest(len(visit.source.x), visit.source.x)
        with torch.no_grad(), frozen(self._generators.module):
            return visit.side.estimator.sample(visit.into, request)

    def _lessons(self, visit: _Visit) -> tuple[dict[str, Tensor], Stats]:
        """The generators' losses in one direction, by name, and what is worth logging."""
        config, estimator = self._config, visit.side.estimator
        weight = config.cycle_weight.at(self._generators.updates)
        terms = [RewardTerm("cycle", self._recovery(visit), weight)] if weight else []
        if config.fluency_weight:
            terms.append(RewardTerm("fluency", self._fluency(visit), config.fluency_weight))
        translation = estimator.sample(
            visit.into, SampleRequest(len(visit.source.x), visit.source.x)
        )
        surrogate = estimator.loss(visit.into, translation, self._realism(visit), *terms)
        losses = dict(surrogate.parts) or {"critic": surrogate.loss}
        stats = dict(surrogate.stats)
        if weight and not estimator.passes_gradient:
            back = self._distance(visit.back, translation.x, visit.source).mean()
            losses["way_back"] = weight * back
            stats["cycle"] = back.detach()
        elif weight:
            stats["cycle"] = -stats["cycle"]  # a distance again: the reward was its negative
        for name, (factor, loss) in self._direct_losses(visit, translation).items():
            losses[name] = factor * loss
            stats[name] = loss.detach()
        return losses, stats

    def _direct_losses(self, visit: _Visit, translation: Any) -> dict[str, tuple[float, Tensor]]:
        """(weight, loss) of what reaches the generator without an estimator, by name."""
        config = self._config
        identity_weight = config.identity_weight.at(self._generators.updates)
        losses: dict[str, tuple[float, Tensor]] = {}
        if identity_weight:
            losses["identity"] = identity_weight, self._identity(visit)
        if config.coverage_weight:
            coverage_BT = visit.into.repeated_attention(translation.ids_BT, visit.source.x)
            mean = mean_per_row(coverage_BT, translation.mask_BT).mean()
            losses["coverage"] = config.coverage_weight, mean
        if config.bijection_weight:
            losses["bijection"] = config.bijection_weight, visit.into.bijection()
        return losses

    def _realism(self, visit: _Visit) -> Reward:
        """α times the value of a translation for the critic."""
        critic, weight, scores = self._critic(visit.side), self._config.adversarial_weight, None
        if not weight:
            return _nothing
        if self._objective.needs_real:
            with torch.no_grad():
                scores = score(critic, visit.real)
        value = CriticReward(critic, self._objective, scores)
        if weight == 1:
            return value
        return lambda x, mask, shared=None: weight * value(x, mask, shared)

    def _recovery(self, visit: _Visit) -> Reward:
        """Minus the distance of the way back. Where that is a mere reward it is without dropout,
        as a critic's is: the way back learns elsewhere."""
        learns_here = visit.side.estimator.passes_gradient

        def reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
            with nullcontext() if learns_here else evaluating(visit.back):
                return -self._distance(visit.back, x, visit.source)

        return reward

    def _fluency(self, visit: _Visit) -> Reward:
        """Nats per token under the language model, negative; differentiable in soft rows."""
        model = self._language_model(visit.side)

        def reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
            assert mask is not None, "sequences have masks"
            logp_BTV = model(x).float().log_softmax(-1)
            chosen_BTV = visit.side.space.continuous(x)
            return mean_per_row((chosen_BTV * logp_BTV).sum(-1), mask)

        return reward

    def _language_model(self, side: Side) -> Any:
        assert self._language_models is not None, "checked by Experiment"
        return self._language_models.module[side.name]

    def _identity(self, visit: _Visit) -> Tensor:
        given = visit.real.x if visit.side.noise is None else visit.side.noise(visit.real)
        return self._distance(visit.into, given, trimmed(visit.real, visit.into)).mean()


def trimmed(batch: Batch, generator: nn.Module) -> Batch:
    """Without the columns that no sentence of the batch reaches.

    Pictures stay as they are, and so do sentences for a `ParallelGenerator`, which writes as many
    columns as it reads: what it writes has to look like real sentences.
    """
    if batch.mask is None or isinstance(generator, ParallelGenerator):
        return batch
    columns = longest(batch.mask)
    return Batch(batch.x[:, :columns], batch.mask[:, :columns], batch.cond)


def _nothing(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
    """No reward, in every column where there are columns: credit by columns reads it too."""
    return torch.zeros(x.shape[:1] if mask is None else mask.shape, device=x.device)


def _prefixed(side: Side, named: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{side.name}/{name}": value for name, value in named.items()}


def _gradient_norms(losses: dict[str, Tensor], module: nn.Module) -> Stats:
    """Norm of the gradient that each loss alone sends into all parameters."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    norms: Stats = {}
    for name, loss in losses.items():
        if not loss.requires_grad:
            continue
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        gradients = [gradient for gradient in found if gradient is not None]
        norms[f"{name}_gradient"] = torch.stack(torch._foreach_norm(gradients)).norm()
    return norms


# ── Distances ─────────────────────────────────────────────────────────────────────────────────


def mean_absolute_difference(generator: nn.Module, given: Tensor, target: Sample) -> Tensor:
    """For pictures: |generator(given) − target| averaged over a picture's numbers: [B]."""
    made = generator(given.new_zeros(len(given), 0), given)
    return (made - target.x).abs().flatten(1).mean(1)


def nats_per_token(generator: Generator, given: Tensor, target: Sample) -> Tensor:
    """For sequences: −log p(target | given) over the tokens of the target: [B]."""
    assert target.mask is not None, "sequences have masks"
    logp_BT = token_log_probs(generator, target.x, target.mask, cond=given)
    return -mean_per_row(logp_BT, target.mask)
