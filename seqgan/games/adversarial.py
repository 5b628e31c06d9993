"""The adversarial game: a generator against a critic, by way of an estimator.

    phase mle        generator: likelihood of real sequences
    phase critic     critic: objective on real and generated samples, plus penalties
    phase generator  generator: the estimator's loss on value(critic(·)), plus mle_weight × mle;
                     a learned baseline, if there is one, is updated after it; estimators that use
                     their samples several times (PPO) update the generator as often;
                     some samples may be real sentences (`demonstrations.py`)
    phase copy_critic  nobody learns: the critic takes over the layers that the generator has now

While one player learns the others are frozen: no gradient, no dropout, no change of buffers.
The critic therefore rewards in evaluation mode. What the critic is shown is what the estimator
makes: hard tokens for score functions, soft or straight-through rows for pathwise ones, pictures.

With conditions both players are told the labels, or the prompts, of a real batch, and the critic
has a third kind of input: real samples with a wrong one (Reed et al. 2016, GAN-CLS). Without it
nothing asks the generator to obey but the critic's own interest in the condition.

Prompts without responses (`prompts`) are told in the phase generator only, in place of the real
batch's: the critic knows no true response to them, and needs none.

    D's loss on fakes = (1 − m) · loss(G(z, c), c) + m · loss(x, c′ ≠ c),   m = `mismatched.share`

One of the lecture notes has the generator *descend* on log D(G(z)), which teaches it to lose. The
generator here raises the mean value of its samples; a test takes one step and looks.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from seqgan.core.modes import frozen
from seqgan.core.types import (
    Batch,
    Critic,
    Reward,
    SampleRequest,
    Space,
    Stateful,
    Stats,
)
from seqgan.data.stream import Batches, Stream
from seqgan.estimators.base import Estimator
from seqgan.games.critics import CriticReward, critic_update, score
from seqgan.games.demonstrations import Demonstrations
from seqgan.games.mismatched import Mismatched
from seqgan.games.mle import real_loss
from seqgan.games.surrogate import Updates, surrogate_updates
from seqgan.objectives.base import Objective
from seqgan.objectives.penalties import Penalty
from seqgan.training.player import Player


class AdversarialGame:
    """See the module's docstring. Players: generator, critic, perhaps baseline."""

    def __init__(
        self,
        generator: Player[Any],
        critic: Player[Critic],
        baseline: Player[Any] | None,
        estimator: Estimator,
        objective: Objective,
        penalties: Sequence[Penalty],
        stream: Batches,
        space: Space,
        mle_weight: float = 0.0,
        mismatched: Mismatched | None = None,
        demonstrations: Demonstrations | None = None,
        prompts: Stream | None = None,
        start_critic: Callable[[], None] | None = None,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generator, "critic": critic}
        if baseline is not None:
            self.players["baseline"] = baseline
        self._estimator = estimator
        self._objective = objective
        self._penalties = penalties
        self._stream = stream
        self._space = space
        self._mle_weight = mle_weight
        self._mismatched = mismatched
        self._prompts = prompts
        self._demonstrations = demonstrations
        self._start_critic = start_critic
        self._generator = generator
        self._critic = critic
        self._phases = {
            "mle": self._update_likelihood,
            "critic": self._update_critic,
            "generator": self._update_generator,
            "copy_critic": self._copy_critic,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream": self._stream, "estimator": self._estimator}
        if self._demonstrations is not None:
            parts["demonstrations"] = self._demonstrations
        if self._prompts is not None:
            parts["prompts"] = self._prompts
        return parts

    # ── Phases ────────────────────────────────────────────────────────────────────────────────

    def _update_likelihood(self) -> Updates:
        yield self._generator, *real_loss(self._generator.module, self._stream.next())

    def _update_critic(self) -> Updates:
        real = self._stream.next()
        with torch.no_grad(), frozen(self._generator.module):
            request = SampleRequest(len(real.x), real.cond)
            fake = self._estimator.sample(self._generator.module, request)
        loss, stats = critic_update(
            self._critic.module,
            self._objective,
            self._penalties,
            self._space,
            real,
            fake,
            *self._with_wrong_conditions(real),
        )
        yield self._critic, loss, stats

    def _update_generator(self) -> Updates:
        real = self._stream.next() if self._needs_real() else None
        yield from self.generator_updates(self._objective, real, self.conditions(real))

    def generator_updates(
        self, objective: Objective, real: Batch | None, cond: Tensor | None
    ) -> Updates:
        """The generator's updates from one batch of samples, written for `cond`, that raise the
        value of `objective`. `real` are real sentences, wherever any are looked at."""
        rows = self._stream.batch_size
        with frozen(self._critic.module):
            rollout = self._estimator.sample(self._generator.module, SampleRequest(rows, cond))
            reward = self._reward(objective, real, cond)
            if self._demonstrations is not None:
                assert real is not None
                rollout, reward = self._demonstrations.mix(rollout, real, reward)
            surrogate = self._estimator.loss(self._generator.module, rollout, reward)
        likelihood = partial(self._likelihood, real) if self._mle_weight else None
        baseline = self.players.get("baseline")
        yield from surrogate_updates(surrogate, self._generator, baseline, likelihood)

    def _copy_critic(self) -> Updates:
        assert self._start_critic is not None, "checked by Experiment"
        self._start_critic()
        return iter(())

    def _likelihood(self, real: Batch | None) -> tuple[Tensor, Stats]:
        """The weighted loss of real sentences, and what is worth logging."""
        assert real is not None
        likelihood, stats = real_loss(self._generator.module, real)
        return self._mle_weight * likelihood, {"nll_train": likelihood.detach()} | stats

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _needs_real(self) -> bool:
        told = self._space.conditional and self._prompts is None
        shown = self._mle_weight > 0 or self._demonstrations is not None
        return told or shown or self._objective.needs_real

    def conditions(self, real: Batch | None) -> Tensor | None:
        """What the generator is told: further prompts where there are any, else those of `real`."""
        if self._prompts is not None:
            return self._prompts.next().x
        return None if real is None else real.cond

    def _reward(self, objective: Objective, real: Batch | None, cond: Tensor | None) -> Reward:
        critic = self._critic.module
        if not objective.needs_real:
            return CriticReward(critic, objective, None, cond)
        assert real is not None
        with torch.no_grad():
            return CriticReward(critic, objective, score(critic, real), cond)

    def _with_wrong_conditions(self, real: Batch) -> tuple[Batch | None, float]:
        """The real samples with other conditions, and their part in the loss on fakes."""
        if self._mismatched is None:
            return None, 0.0
        assert real.cond is not None, "checked by build_task"
        wrong = Batch(real.x, real.mask, self._mismatched.wrong(real.cond))
        return wrong, self._mismatched.share
