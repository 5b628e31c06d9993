"""A generator against a fixed reward: what policy gradients reach without an adversary.

    phase mle        generator: likelihood of real sequences
    phase generator  generator: the estimator's loss on the reward, raised without end

Scorer `bleu` is PG-BLEU, a baseline of SeqGAN (Yu et al. 2017; the name is theirs; Bahdanau et al.
2017 reward BLEU against the one right translation). The optimum is not the data: E[R] is greatest
where the generator writes the best-scoring sentence and nothing else, which is what likelihood
pretraining, early stopping or an entropy bonus have to prevent.

Scorer `oracle` is a control: the reward is log p of the truth itself, in nats. What a gradient path
cannot do with it, it cannot do with a critic's opinion either. It has the same kind of optimum, the
likeliest sentence alone.

Deviations from SeqGAN: any estimator of hard samples (published: their Monte-Carlo rollouts); the
references are training sentences, all or the first so many.
"""

from typing import Any

from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.types import Reward, SampleRequest, SharedPrefix, Stateful
from seqgan.data.stream import FreshStream, Stream
from seqgan.estimators.base import Estimator
from seqgan.games.mle import likelihood_loss
from seqgan.games.surrogate import Updates, surrogate_updates
from seqgan.training.player import Player


class RewardGame:
    """See the module's docstring. Players: generator, perhaps baseline."""

    def __init__(
        self,
        generator: Player[Any],
        baseline: Player[Any] | None,
        estimator: Estimator,
        reward: Reward,
        stream: Stream | FreshStream,
    ) -> None:
        self.players: dict[str, Player[Any]] = {"generator": generator}
        if baseline is not None:
            self.players["baseline"] = baseline
        self._generator = generator
        self._estimator = estimator
        self._reward = reward
        self._stream = stream

    def updates(self, phase: str) -> Updates:
        return self._update_likelihood() if phase == "mle" else self._update_generator()

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream, "estimator": self._estimator}

    def _update_likelihood(self) -> Updates:
        yield self._generator, likelihood_loss(self._generator.module, self._stream.next()), {}

    def _update_generator(self) -> Updates:
        module = self._generator.module
        rollout = self._estimator.sample(module, SampleRequest(self._stream.batch_size))
        surrogate = self._estimator.loss(module, rollout, self._counted)
        baseline = self.players.get("baseline")
        yield from surrogate_updates(surrogate, self._generator, baseline)

    def _counted(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        """The reward, on the account that critics' scores go on."""
        count_critic_calls(len(x))
        return self._reward(x, mask, shared)
