"""The cycle game: two generators that translate there and back, and a critic for each domain.

    phase critic       critics: objective on real samples and translations, plus penalties
    phase generator    for each direction x ∈ X → Y, with F: X → Y and G: Y → X,
                       raise  α · reward(D_Y(F(x))) − λ · d(G(F(x)), x)
                       and lower  ι · d(F(noise(y)), y)  and  β · bijection(F)
                       and lower  φ · fluency(F(x))  and  κ · coverage(F, x)
    phase denoise      lower  d(F(noise(y)), y)  alone: the usual start
    phase reconstruct  lower  d(G(ŷ), x) for ŷ = F(x) held fixed: trains G alone
    phase language_model  a language model of each target domain: likelihood of real samples

CycleGAN (Zhu et al. 2017), and with a discrete Y unsupervised translation and summarization
(Lample et al. 2018, Wang & Lee 2018). The estimator carries both rewards of a translation, the
critic's and how well G recovers the source, to F. Where its path is differentiable, G learns from
the same term. Where it is not, G learns d(G(ŷ), x) from the translation ŷ directly; with the
estimator `detached` nothing else is left: on-the-fly back-translation.

The game is the same for pictures and for sequences (`translation.py` has the distances d). Noise
belongs to sequences (denoising autoencoder); without it the term is CycleGAN's identity loss.

Both generators are one player, both critics another, each with one optimizer, as in the official
code. Keys of the pairs: a2b and b2a; a and b. `directions` may leave one direction out: its
generator then only recovers what the other one translated, and its critic rests.

Fluency is the nats per token of a translation under a language model of the target domain (the LM
prior of He et al. 2020 and of Baziotis et al. 2019, without their entropy term). Coverage (See et
al. 2017, as Wang & Lee use it) is the attention of a pointer on places that it has attended to
before; it needs no estimator. The norm of the gradient that each loss sends into the generators is
logged every `gradients_every` updates.

Deviations: the weights multiply means over pixels, as in the official code; the pool's exchange is
described in `pool.py`. The adversarial loss is whatever `objective` says (the paper: lsgan).
Back-translations of the direct loss are samples of the estimator; Wang & Lee train on greedy ones.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.masks import mean_per_row
from seqgan.core.modes import evaluating, frozen
from seqgan.core.schedule import Schedule
from seqgan.core.types import (
    Batch,
    Reward,
    RewardTerm,
    SampleRequest,
    SharedPrefix,
    Space,
    Stateful,
    Stats,
)
from seqgan.data.stream import Batches
from seqgan.estimators.base import Estimator
from seqgan.games.criterion import Criterion
from seqgan.games.mle import likelihood_loss
from seqgan.games.pool import Pool
from seqgan.games.translation import Distance, trimmed
from seqgan.training.game import Updates
from seqgan.training.player import Player


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the two kinds of samples, with what is played there."""

    name: str
    """a or b."""
    stream: Batches
    pool: Pool
    criterion: Criterion
    estimator: Estimator
    """Carries the rewards to the generator *into* this domain."""
    distance: Distance
    noise: Callable[[Batch], Tensor] | None = None
    """What the generator into this domain reads to write real samples again; None: the samples
    themselves."""

    @property
    def space(self) -> Space:
        return self.criterion.space


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the generators' losses; 0 leaves a loss out."""

    cycle: Schedule[float]
    identity: Schedule[float]
    adversarial: float = 1.0
    bijection: float = 0.0
    fluency: float = 0.0
    coverage: float = 0.0


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of translation with its batch: `forward` translates `source` into samples of
    `target`, which are to look like `real`; `backward` recovers the source."""

    source_domain: Domain
    target: Domain
    source: Batch
    real: Batch
    forward: Any
    backward: Any


class CycleGame:
    """See the module's docstring. Players: generator (both), critic (both), perhaps
    language_model (of both domains)."""

    def __init__(
        self,
        generators: Player[nn.ModuleDict],
        critics: Player[nn.ModuleDict],
        domains: tuple[Domain, Domain],
        weights: Weights,
        directions: Sequence[str] = ("a2b", "b2a"),
        language_models: Player[nn.ModuleDict] | None = None,
        gradients_every: int | None = None,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generators, "critic": critics}
        if language_models is not None:
            self.players["language_model"] = language_models
        self._generators = generators
        self._critics = critics
        self._domains = domains
        self._weights = weights
        self._directions = directions
        self._language_models = language_models
        self._gradients_every = gradients_every
        self._phases = {
            "critic": self._update_critics,
            "generator": self._update_generators,
            "denoise": self._update_denoising,
            "reconstruct": self._update_backward,
            "language_model": self._update_language_models,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {}
        for domain in self._domains:
            parts[f"stream_{domain.name}"] = domain.stream
            parts[f"pool_{domain.name}"] = domain.pool
            parts[f"estimator_{domain.name}"] = domain.estimator
        return parts

    def _update_critics(self) -> Updates:
        losses: list[Tensor] = []
        stats: Stats = {}
        for direction in self._next_directions():
            domain = direction.target
            fake = domain.pool.exchange(self._fixed_translation(direction))
            loss, found = domain.criterion.critic_loss(
                self._critic(domain), direction.real, fake, self._critics.updates
            )
            losses.append(loss)
            stats |= _prefixed(domain, found)
        yield self._critics, torch.stack(losses).sum(), stats

    def _update_generators(self) -> Updates:
        losses: dict[str, Tensor] = {}
        stats: Stats = {}
        with frozen(self._critics.module), self._fixed_language_models():
            for direction in self._next_directions():
                found_losses, found = self._generator_losses(direction)
                losses |= _prefixed(direction.target, found_losses)
                stats |= _prefixed(direction.target, found)
        every = self._gradients_every
        if every is not None and self._generators.updates % every == 0:
            stats |= _gradient_norms(losses, self._generators.module)
        yield self._generators, torch.stack(list(losses.values())).sum(), stats

    def _update_denoising(self) -> Updates:
        losses = [self._identity_loss(direction) for direction in self._next_directions()]
        yield self._generators, torch.stack(losses).sum(), {}

    def _update_backward(self) -> Updates:
        losses = [
            self._cycle_distance(direction, self._fixed_translation(direction).x).mean()
            for direction in self._next_directions()
        ]
        yield self._generators, torch.stack(losses).sum(), {}

    def _update_language_models(self) -> Updates:
        assert self._language_models is not None, "the phase belongs to games with fluency"
        losses = [
            likelihood_loss(self._language_model(direction.target), direction.real)
            for direction in self._next_directions()
        ]
        yield self._language_models, torch.stack(losses).sum(), {}

    def _next_directions(self) -> list[Direction]:
        """The directions that are played, a2b first; both streams move on in every phase."""
        a, b = self._domains
        of_a, of_b = a.stream.next(), b.stream.next()
        a2b, b2a = self._generators.module["a2b"], self._generators.module["b2a"]
        directions = {
            "a2b": Direction(a, b, trimmed(of_a, a2b), of_b, forward=a2b, backward=b2a),
            "b2a": Direction(b, a, trimmed(of_b, b2a), of_a, forward=b2a, backward=a2b),
        }
        return [found for name, found in directions.items() if name in self._directions]

    def _fixed_translation(self, direction: Direction) -> Any:
        """What the generators write now, without gradient."""
        with torch.no_grad(), frozen(self._generators.module):
            return _translate(direction)

    def _critic(self, domain: Domain) -> Any:
        return self._critics.module[domain.name]

    def _language_model(self, domain: Domain) -> Any:
        assert self._language_models is not None, "fluency is given by language models"
        return self._language_models.module[domain.name]

    def _fixed_language_models(self) -> AbstractContextManager[None]:
        models = self._language_models
        return nullcontext() if models is None else frozen(models.module)

    def _generator_losses(self, direction: Direction) -> tuple[dict[str, Tensor], Stats]:
        weights, estimator = self._weights, direction.target.estimator
        cycle_weight = weights.cycle.at(self._generators.updates)
        terms: list[RewardTerm] = []
        if cycle_weight:
            terms.append(RewardTerm("cycle", self._cycle_reward(direction), cycle_weight))
        if weights.fluency:
            terms.append(RewardTerm("fluency", self._fluency_reward(direction), weights.fluency))
        translation = _translate(direction)
        reward = self._critic_reward(direction)
        surrogate = estimator.loss(direction.forward, translation, reward, *terms)
        losses = dict(surrogate.parts) or {"critic": surrogate.loss}
        stats = dict(surrogate.stats)
        if cycle_weight and not estimator.passes_gradient:
            distance = self._cycle_distance(direction, translation.x).mean()
            losses["backward"] = cycle_weight * distance
            stats["cycle"] = distance.detach()
        elif cycle_weight:
            stats["cycle"] = -stats["cycle"]  # the reward is minus the distance
        for name, (weight, loss) in self._direct_losses(direction, translation).items():
            losses[name] = weight * loss
            stats[name] = loss.detach()
        return losses, stats

    def _direct_losses(
        self, direction: Direction, translation: Any
    ) -> dict[str, tuple[float, Tensor]]:
        """By name, (weight, loss) of what reaches the generator without an estimator."""
        weights, forward = self._weights, direction.forward
        losses: dict[str, tuple[float, Tensor]] = {}
        identity_weight = weights.identity.at(self._generators.updates)
        if identity_weight:
            losses["identity"] = identity_weight, self._identity_loss(direction)
        if weights.coverage:
            coverage_BT = forward.repeated_attention(translation.ids_BT, direction.source.x)
            mean = mean_per_row(coverage_BT, translation.mask_BT).mean()
            losses["coverage"] = weights.coverage, mean
        if weights.bijection:
            losses["bijection"] = weights.bijection, forward.bijection()
        return losses

    def _critic_reward(self, direction: Direction) -> Reward:
        """α times the critic's reward of a translation."""
        weight, domain = self._weights.adversarial, direction.target
        if not weight:
            return _no_reward
        critic_reward = domain.criterion.reward(self._critic(domain), direction.real, None)
        if weight == 1:
            return critic_reward
        return lambda x, mask, shared=None: weight * critic_reward(x, mask, shared)

    def _cycle_reward(self, direction: Direction) -> Reward:
        """Minus the distance between the source and what the backward generator recovers.

        Where no gradient passes, the backward generator learns elsewhere: it is then without
        dropout, as a critic is that rewards.
        """
        learns_here = direction.target.estimator.passes_gradient

        def reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
            with nullcontext() if learns_here else evaluating(direction.backward):
                return -self._cycle_distance(direction, x)

        return reward

    def _fluency_reward(self, direction: Direction) -> Reward:
        """Nats per token under the language model, negative; differentiable in soft rows."""
        model, space = self._language_model(direction.target), direction.target.space

        def reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
            assert mask is not None, "sequences have masks"
            logp_BTV = model(x).float().log_softmax(-1)
            return mean_per_row((space.continuous(x) * logp_BTV).sum(-1), mask)

        return reward

    def _cycle_distance(self, direction: Direction, translation: Tensor) -> Tensor:
        """[B]: between the source and what the backward generator recovers of its translation."""
        distance = direction.source_domain.distance
        return distance(direction.backward, translation, direction.source)

    def _identity_loss(self, direction: Direction) -> Tensor:
        """How badly the forward generator writes real samples of its own domain again."""
        domain, real = direction.target, direction.real
        given = real.x if domain.noise is None else domain.noise(real)
        return domain.distance(direction.forward, given, trimmed(real, direction.forward)).mean()


def _translate(direction: Direction) -> Any:
    """Samples of the target domain, a row for each of the source."""
    source = direction.source.x
    return direction.target.estimator.sample(direction.forward, SampleRequest(len(source), source))


def _no_reward(x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None) -> Tensor:
    """Zero for each row, or for each token of sequences, so that any credit can read it."""
    return torch.zeros(x.shape[:1] if mask is None else mask.shape, device=x.device)


def _prefixed(domain: Domain, named: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{domain.name}/{name}": value for name, value in named.items()}


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
