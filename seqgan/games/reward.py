"""A generator against a fixed reward: what policy gradients reach without an adversary.

    phase mle        generator: likelihood of real sequences
    phase generator  generator: the estimator's loss on the reward, raised without end, or within a
                     trust region (`trust_region.py`)

Scorer `bleu` is PG-BLEU, a baseline of SeqGAN (Yu et al. 2017; Bahdanau et al. 2017 reward BLEU
against the one right translation). The optimum is not the data: E[R] is greatest where the
generator writes the best-scoring sentence and nothing else, which likelihood pretraining, early
stopping, an entropy bonus or a trust region have to prevent.

Scorer `oracle` is a control: the reward is log p of the truth itself, in nats. What a gradient path
cannot do with it, it cannot do with a critic's reward either. Its optimum is the likeliest sentence
alone.

Deviations from SeqGAN: any estimator of hard samples (published: their Monte-Carlo rollouts); the
references are training sentences, all or the first so many.
"""

from collections.abc import Callable

from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.types import Batch, Reward, SampleRequest, SequenceSpace, SharedPrefix, Stateful
from seqgan.data.stream import Batches
from seqgan.games.mle import likelihood_loss
from seqgan.games.surrogate import Learner, surrogate_updates
from seqgan.games.trust_region import TrustRegion
from seqgan.metrics.bleu_reward import BleuReward, BleuScorer
from seqgan.metrics.corpus import Corpus
from seqgan.training.game import Updates


class RewardGame:
    """See the module's docstring. Players: generator, perhaps baseline."""

    def __init__(
        self,
        generator: Learner,
        reward: Reward,
        stream: Batches,
        trust_region: TrustRegion | None = None,
    ) -> None:
        self.players = generator.players
        self._generator = generator.player
        self._estimator = generator.estimator
        self._baseline = generator.baseline
        self._reward = reward
        self._stream = stream
        self._trust_region = trust_region

    def updates(self, phase: str) -> Updates:
        return self._update_likelihood() if phase == "mle" else self._update_generator()

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream": self._stream, "estimator": self._estimator}
        return parts if self._trust_region is None else parts | {"trust_region": self._trust_region}

    def _update_likelihood(self) -> Updates:
        yield self._generator, likelihood_loss(self._generator.module, self._stream.next()), {}

    def _update_generator(self) -> Updates:
        module = self._generator.module
        rollout = self._estimator.sample(module, SampleRequest(self._stream.batch_size))
        region = self._trust_region
        further = [] if region is None else [region.around(module, rollout)]
        surrogate = self._estimator.loss(module, rollout, self._counted)
        yield from surrogate_updates(surrogate, self._generator, self._baseline, further)

    def _counted(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        """The reward; each sample counts as a critic call."""
        count_critic_calls(len(x))
        return self._reward(x, mask, shared)


def bleu_reward(train: Batch, space: SequenceSpace, order: int, count: int | None) -> Reward:
    """BLEU with n-grams up to `order` against the first `count` training sentences; None: all."""
    assert train.mask is not None, "sequences have masks"
    ids_NT, mask_NT = (x[:count].cpu().numpy() for x in (train.x, train.mask))
    references = Corpus.from_masked(ids_NT, mask_NT, space.end_id)
    return BleuReward(BleuScorer(references, space.vocab_size, order), space.end_id)


def density_reward(log_density: Callable[..., Tensor]) -> Reward:
    """The log-density of each sentence, in nats."""
    return lambda x, mask, shared=None: log_density(x)
