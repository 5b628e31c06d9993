"""Maximum likelihood: the generator alone, and the yardstick of every adversarial arm.

loss = −Σ_{b,t} log p(x_bt | x_b,<t) / number of tokens       (nats per token, pads excluded)

With scheduled sampling some of the prefixes are the generator's own: `scheduled_sampling.py`. Other
losses of real sentences: `other_likelihoods.py`.
"""

from collections.abc import Callable

from torch import Tensor, nn

from seqgan.core.generators import ManagedGenerator
from seqgan.core.masks import masked_mean
from seqgan.core.schedule import ShareSchedule
from seqgan.core.types import Batch, Generator, Stateful, Stats
from seqgan.data.stream import Batches
from seqgan.decoding import chosen_log_probs, token_log_probs
from seqgan.games.scheduled_sampling import scheduled_sampling_loss
from seqgan.training.game import Updates
from seqgan.training.player import Player


class MleGame:
    """One player, one phase: `mle`. `loss` replaces the likelihood from generator update `after`
    on."""

    def __init__(
        self,
        generator: Player[Generator],
        stream: Batches,
        scheduled_sampling: ShareSchedule | None = None,
        loss: Callable[[Generator, Batch], Tensor] | None = None,
        after: int = 0,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generator}
        self._stream = stream
        self._generator = generator
        self._scheduled_sampling = scheduled_sampling
        self._other_loss = loss
        self._after = after

    def updates(self, phase: str) -> Updates:
        yield self._generator, *self._loss(self._stream.next())

    def _loss(self, real: Batch) -> tuple[Tensor, Stats]:
        schedule, generator = self._scheduled_sampling, self._generator
        if schedule is not None:
            probability = schedule.at(generator.updates)
            return scheduled_sampling_loss(generator.module, real, probability), {}
        if self._other_loss is not None and generator.updates >= self._after:
            return self._other_loss(generator.module, real), {}
        return real_loss(generator.module, real)

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream}


def likelihood_loss(generator: Generator, batch: Batch) -> Tensor:
    """Mean negative log-likelihood per token, in nats; columns behind the end do not count."""
    assert batch.mask is not None, "sequences have masks"
    logp_BT = token_log_probs(generator, batch.x, batch.mask, cond=batch.cond)
    return -logp_BT.sum() / batch.mask.sum()


def real_loss(generator: Generator, batch: Batch) -> tuple[Tensor, Stats]:
    """The loss of real sentences, a scalar, and statistics to log: the likelihood loss.

    A manager, which the likelihood does not reach, learns beside it to set the goals that real
    sentences went for: minus the mean cosine (LeakGAN's pretraining).
    """
    if not isinstance(generator, ManagedGenerator):
        return likelihood_loss(generator, batch), {}
    assert batch.mask is not None, "sequences have masks"
    read = generator.read(batch.x)
    logp_BT = chosen_log_probs(read.logits_BTV, batch.x, batch.mask)
    likelihood = -logp_BT.sum() / batch.mask.sum()
    alignment = masked_mean(read.manager_alignment_BT, batch.mask)
    stats = {"nll_train": likelihood.detach(), "manager_alignment": alignment.detach()}
    return likelihood - alignment, stats
