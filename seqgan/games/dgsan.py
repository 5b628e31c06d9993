"""DGSAN: the generator is its own critic, against what it was at the last snapshot.

    D(x) = p_new(x) / (p_new(x) + p_old(x)),   d = logit D = log p_new(x) − log p_old(x)

    phase mle         p_new: likelihood of real sentences
    phase generator   p_new: −E_real log D − E_{x ~ p_old} log(1 − D)
                           = E_real softplus(−d) + E_{x ~ p_old} softplus(d)
    phase snapshot    p_old ← p_new; no gradient

Montahaei et al. 2021, *DGSAN: Discrete generative self-adversarial network*. The best D has
p_new / p_old = p_data / p_old, so that p_new = p_data whatever p_old is; nothing passes through
samples. Where the two are equal the expected gradient is half the likelihood's of whole sentences.
As p_new learns, real sentences saturate (d ≫ 0) until the next snapshot.

Deviations: the published code compares token by token, here whole sentences are compared, as in
its text; a snapshot is a phase of the schedule. The old generator runs without dropout.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Batch, Generator, Sample, SequenceSpace, Stateful, Stats
from seqgan.data.stream import Batches
from seqgan.decoding import Ancestral, sample, token_log_probs
from seqgan.games.mle import likelihood_loss
from seqgan.training.game import Updates
from seqgan.training.player import Player


class DgsanGame:
    """One player; its former self starts as a copy and is part of every checkpoint."""

    def __init__(self, generator: Player[Generator], stream: Batches, space: SequenceSpace) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generator}
        self._generator = generator
        self._stream = stream
        self._space = space
        self._old = copy.deepcopy(generator.module).requires_grad_(False).eval()
        self._phases = {
            "mle": self._update_likelihood,
            "generator": self._update_generator,
            "snapshot": self._take_snapshot,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        return {"stream": self._stream, "old": self._old}

    def _update_likelihood(self) -> Updates:
        yield self._generator, likelihood_loss(self._generator.module, self._stream.next()), {}

    def _update_generator(self) -> Updates:
        real = self._stream.next()
        with torch.no_grad():
            old = sample(self._old, self._space, len(real.x), Ancestral())
        loss, stats = self_adversarial_loss(self._generator.module, self._old, real, old)
        yield self._generator, loss, stats

    def _take_snapshot(self) -> Updates:
        self._old.load_state_dict(self._generator.module.state_dict())
        yield from ()


def self_adversarial_loss(
    new: Generator, old: Generator, real: Batch, of_old: Sample
) -> tuple[Tensor, Stats]:
    """The loss of `new`, a scalar, on real sentences and on sentences that `old` wrote."""
    d_real_B, d_old_B = _log_ratio(new, old, real), _log_ratio(new, old, of_old)
    loss = F.softplus(-d_real_B).mean() + F.softplus(d_old_B).mean()
    stats = {"real_score": d_real_B.detach().mean(), "old_score": d_old_B.detach().mean()}
    return loss, stats


def _log_ratio(new: Generator, old: Generator, sentences: Sample) -> Tensor:
    """`d_B` = log p_new(x) − log p_old(x) of whole sentences."""
    assert sentences.mask is not None, "sequences have masks"
    new_BT = token_log_probs(new, sentences.x, sentences.mask)
    with torch.no_grad():
        old_BT = token_log_probs(old, sentences.x, sentences.mask)
    return (new_BT - old_BT).sum(1)
