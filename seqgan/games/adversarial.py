"""The adversarial game: a generator against a critic, by way of an estimator.

    phase mle        generator: likelihood of real sequences
    phase critic     critic: objective on real and generated sequences, plus penalties
    phase generator  generator: the estimator's loss on value(critic(·)), plus mle_weight × mle;
                     a learned baseline, if there is one, is updated after it

While one player learns the others are frozen: no gradient, no dropout, no change of buffers.
The critic therefore rewards in evaluation mode. What the critic is shown is what the estimator
makes: hard symbols for score functions, soft or straight-through rows for pathwise ones.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import frozen
from seqgan.core.types import (
    Batch,
    Critic,
    Generator,
    Reward,
    Rollout,
    Scores,
    Shared,
    Stateful,
    Stats,
)
from seqgan.data.stream import FreshStream, Stream
from seqgan.estimators.base import Estimator
from seqgan.games.mle import likelihood_loss
from seqgan.objectives.config import GradientPenaltyConfig, PenaltyConfig, R1Config
from seqgan.objectives.divergences import Objective
from seqgan.objectives.penalties import gradient_penalty, one_hot, r1
from seqgan.training.player import Player

Updates = Iterator[tuple[Player[Any], Tensor, Stats]]


class AdversarialGame:
    """See the module's docstring. Players: generator, critic, perhaps baseline."""

    def __init__(
        self,
        generator: Player[Generator],
        critic: Player[Critic],
        baseline: Player[Any] | None,
        estimator: Estimator,
        objective: Objective,
        penalties: list[PenaltyConfig],
        stream: Stream | FreshStream,
        vocab_size: int,
        mle_weight: float,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generator, "critic": critic}
        if baseline is not None:
            self.players["baseline"] = baseline
        self._estimator = estimator
        self._objective = objective
        self._penalties = penalties
        self._stream = stream
        self._vocab_size = vocab_size
        self._mle_weight = mle_weight
        self._generator = generator
        self._critic = critic
        self._phases = {
            "mle": self._update_likelihood,
            "critic": self._update_critic,
            "generator": self._update_generator,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream, "estimator": self._estimator}

    # ── Phases ────────────────────────────────────────────────────────────────────────────────

    def _update_likelihood(self) -> Updates:
        yield self._generator, likelihood_loss(self._generator.module, self._stream.next()), {}

    def _update_critic(self) -> Updates:
        real = self._stream.next()
        with torch.no_grad(), frozen(self._generator.module):
            fake = self._estimator.sample(self._generator.module, len(real.ids_BT))
        critic = self._critic.module
        real_scores = critic(real.ids_BT, real.mask_BT)
        fake_scores = critic(fake.tokens, fake.mask_BT)
        loss = self._objective.critic_loss(real_scores, fake_scores)
        stats = {
            "real_score": masked_mean(real_scores.score.detach(), real_scores.mask_BT),
            "fake_score": masked_mean(fake_scores.score.detach(), fake_scores.mask_BT),
            "accuracy": _accuracy(real_scores, fake_scores),
        }
        for penalty in self._penalties:
            term = self._penalty(penalty, real, fake)
            if term is not None:
                loss = loss + term
                stats[penalty.name] = term.detach()
        yield self._critic, loss, stats

    def _update_generator(self) -> Updates:
        real = self._stream.next() if self._needs_real() else None
        with frozen(self._critic.module):
            rollout = self._estimator.sample(self._generator.module, self._stream.batch_size)
            surrogate = self._estimator.loss(self._generator.module, rollout, self._reward(real))
        loss, stats = surrogate.loss, dict(surrogate.stats)
        if self._mle_weight:
            assert real is not None
            likelihood = likelihood_loss(self._generator.module, real)
            loss = loss + self._mle_weight * likelihood
            stats["nll_train"] = likelihood.detach()
        yield self._generator, loss, stats
        if surrogate.baseline_loss is not None:
            yield self.players["baseline"], surrogate.baseline_loss, {}

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _needs_real(self) -> bool:
        return self._mle_weight > 0 or self._objective.needs_real

    def _reward(self, real: Batch | None) -> Reward:
        critic = self._critic.module
        if not self._objective.needs_real:
            return critic_reward(critic, self._objective, None)
        assert real is not None
        with torch.no_grad():
            return critic_reward(critic, self._objective, critic(real.ids_BT, real.mask_BT))

    def _penalty(self, penalty: PenaltyConfig, real: Batch, fake: Rollout) -> Tensor | None:
        """The penalties that are terms of the loss; constraints act elsewhere."""
        critic = self._critic.module
        if isinstance(penalty, GradientPenaltyConfig):
            real_BTV = one_hot(real.ids_BT, self._vocab_size)
            fake_BTV = one_hot(fake.tokens, self._vocab_size)
            return gradient_penalty(
                critic, real_BTV, fake_BTV, real.mask_BT | fake.mask_BT, penalty
            )
        if isinstance(penalty, R1Config):
            return r1(critic, one_hot(real.ids_BT, self._vocab_size), real.mask_BT, penalty)
        return None


def critic_reward(critic: Critic, objective: Objective, real: Scores | None) -> Reward:
    """The value of the critic's scores, as a function of sequences."""

    def reward(tokens: Tensor, mask_BT: Tensor, shared: Shared | None = None) -> Tensor:
        if shared is None:
            scores = critic(tokens, mask_BT)
        else:
            scores = critic.score_continuations(tokens, mask_BT, shared)
        return objective.value(scores.score, real)

    return reward


def _accuracy(real: Scores, fake: Scores) -> Tensor:
    """Share of scores on the right side of zero."""
    right_real = masked_mean((real.score > 0).float(), real.mask_BT)
    return 0.5 * (right_real + masked_mean((fake.score < 0).float(), fake.mask_BT))
