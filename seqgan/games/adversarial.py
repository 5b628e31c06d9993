"""The adversarial game: a generator against a critic.

    phase mle          generator: likelihood of real sequences
    phase critic       critic: the objective on real and generated samples, plus penalties
    phase generator    generator: raises the mean reward of its samples, plus mle_weight times the
                       likelihood loss of real sequences, within a trust region
                       (`trust_region.py`); a learned baseline follows it
    phase copy_critic  critic ← the generator's layers as they are now; nothing is learned

While one player learns the other is frozen: no gradient, no dropout, no change of its buffers. The
critic reads what the estimator samples: token ids for score functions, soft or straight-through
rows for pathwise estimators, pictures.

Conditional games take labels or prompts from a batch of real samples. The critic's loss then has
real samples with a wrong condition as further fakes (Reed et al. 2016, GAN-CLS):

    loss on fakes = (1 − m) · loss(G(z, c), c) + m · loss(x, c′ ≠ c),   m = `mismatched.share`

Prompts without responses (`prompts`) replace those of the real batch in the phase generator, where
some samples may be real sentences (`demonstrations.py`).
"""

from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from seqgan.core.modes import frozen
from seqgan.core.types import Batch, Critic, Reward, SampleRequest, Stateful, Stats
from seqgan.data.stream import Batches, Stream
from seqgan.games.criterion import Criterion
from seqgan.games.demonstrations import Demonstrations
from seqgan.games.mle import real_loss
from seqgan.games.surrogate import FurtherLoss, Learner, surrogate_updates
from seqgan.games.trust_region import TrustRegion
from seqgan.training.game import Updates
from seqgan.training.player import Player


class Rewarding(Protocol):
    """What gives the reward of a generator's update: the criterion, or what takes its place."""

    def reward(self, critic: Critic, real: Batch | None, cond: Tensor | None) -> Reward:
        """The reward of samples that are made under the conditions `cond`."""


class AdversarialGame:
    """See the module's docstring. Players: generator, critic, perhaps baseline."""

    def __init__(
        self,
        generator: Learner,
        critic: Player[Critic],
        criterion: Criterion,
        stream: Batches,
        prompts: Stream | None = None,
        mle_weight: float = 0.0,
        demonstrations: Demonstrations | None = None,
        trust_region: TrustRegion | None = None,
    ) -> None:
        self.players = {"generator": generator.player, "critic": critic, **generator.players}
        self.generator = generator
        self.critic = critic
        self.criterion = criterion
        self.stream = stream
        self._prompts = prompts
        self._mle_weight = mle_weight
        self._demonstrations = demonstrations
        self._trust_region = trust_region
        self._phases = {
            "mle": self._update_likelihood,
            "critic": self._update_critic,
            "generator": self._update_generator,
            "copy_critic": self._copy_critic,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream": self.stream, "estimator": self.generator.estimator}
        if self._demonstrations is not None:
            parts["demonstrations"] = self._demonstrations
        if self._trust_region is not None:
            parts["trust_region"] = self._trust_region
        if self._prompts is not None:
            parts["prompts"] = self._prompts
        return parts

    def _update_likelihood(self) -> Updates:
        yield self.generator.player, *real_loss(self.generator.player.module, self.stream.next())

    def _update_critic(self) -> Updates:
        real = self.stream.next()
        generator = self.generator.player.module
        with torch.no_grad(), frozen(generator):
            fake = self.generator.estimator.sample(generator, SampleRequest(len(real.x), real.cond))
        critic = self.critic
        yield critic, *self.criterion.critic_loss(critic.module, real, fake, critic.updates)

    def _update_generator(self) -> Updates:
        yield from self.generator_updates(self.criterion, *self.next_batch())

    def _copy_critic(self) -> Updates:
        self.critic.module.start_from(self.generator.player.module)
        yield from ()

    def generator_updates(
        self, criterion: Rewarding, real: Batch | None, cond: Tensor | None
    ) -> Updates:
        """Updates from one batch of samples, made under `cond`, that raise the criterion's reward.

        `real` are the real samples for objective, demonstrations and likelihood.
        """
        learner, critic = self.generator, self.critic.module
        generator, estimator = learner.player.module, learner.estimator
        # The gradient may pass through the critic, never into it.
        with frozen(critic):
            samples = estimator.sample(generator, SampleRequest(self.stream.batch_size, cond))
            further = self._further_losses(generator, samples, real)
            reward = criterion.reward(critic, real, cond)
            if self._demonstrations is not None:
                assert real is not None, "demonstrations are real samples"
                samples, reward = self._demonstrations.mix(samples, real, reward)
            # Minus this loss's gradient estimates the gradient of the mean reward.
            surrogate = estimator.loss(generator, samples, reward)
        yield from surrogate_updates(surrogate, learner.player, learner.baseline, further)

    def _further_losses(
        self, generator: Any, samples: Any, real: Batch | None
    ) -> list[FurtherLoss]:
        """Of an update from the generator's own samples, beside the estimator's loss."""
        found: list[FurtherLoss] = []
        if self._mle_weight:
            found.append(partial(self._weighted_likelihood, real))
        if self._trust_region is not None:
            found.append(self._trust_region.around(generator, samples))
        return found

    def _weighted_likelihood(self, real: Batch | None) -> tuple[Tensor, Stats]:
        assert real is not None, "the likelihood is that of real samples"
        loss, stats = real_loss(self.generator.player.module, real)
        return self._mle_weight * loss, {"nll_train": loss.detach()} | stats

    def next_batch(self) -> tuple[Batch | None, Tensor | None]:
        """Real samples, where a generator's update needs any, and the conditions of its samples."""
        real = self.stream.next() if self._reads_real_samples() else None
        return real, self.next_conditions(real)

    def next_conditions(self, real: Batch | None) -> Tensor | None:
        """What the next samples are made under: prompts without responses, else those of `real`."""
        if self._prompts is not None:
            return self._prompts.next().x
        return None if real is None else real.cond

    def _reads_real_samples(self) -> bool:
        """Whether the generator's update needs a batch of real samples; else the stream rests."""
        return (
            (self.criterion.space.conditional and self._prompts is None)
            or self._mle_weight > 0
            or self._demonstrations is not None
            or self.criterion.objective.needs_real
        )
