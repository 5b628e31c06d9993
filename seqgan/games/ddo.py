"""DDO and DGSAN: the generator is its own critic, against what it was at the last snapshot.

    D(x) = σ(d),   d = β (log p_new(x) − log p_old(x))

    phase mle         p_new: likelihood of real sentences
    phase generator   p_new: −E_real log D − α E_{x ~ p_old} log(1 − D)
                           = E_real softplus(−d) + α E_{x ~ p_old} softplus(d)
    phase snapshot    p_old ← p_new; no gradient

Zheng et al. 2025, *Direct discriminative optimization: Your likelihood-based visual generative
model is secretly a GAN discriminator* (DDO). Montahaei et al. 2021, *DGSAN: Discrete generative
self-adversarial network*, is α = β = 1.

The best d is log p_data(x) − log p_old(x) − log α, so p_new = p_old^(1 − 1/β) (p_data / α)^(1/β)
where that sums to 1: at α = β = 1 the data, whatever p_old is. β < 1 aims beyond them, for few
updates per snapshot; a suitable β falls with the size of a sample. Nothing passes through samples.
At a fresh snapshot with α = 1 the expected gradient is β/2 of the likelihood's of whole sentences.
As p_new learns, real sentences saturate (d ≫ 0) until the next snapshot.

Deviations from DDO: snapshots are a phase, and take the generator as it is (published: the best
checkpoint of a round by FID, after 80 updates to 12 epochs; 2 to 28 rounds); samples are fresh,
also where theirs are a fixed set; the loss is not divided by max(α, 1); the new generator keeps its
dropout (theirs has none); α and β are 1 (published: .5 to 50 and .01 to .1, for pictures, by
search). From DGSAN: its code compares token by token, here whole sentences are compared, as in its
text. The old generator runs without dropout.
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


class DdoGame:
    """One player; its former self starts as a copy and is part of every checkpoint."""

    def __init__(
        self,
        generator: Player[Generator],
        stream: Batches,
        space: SequenceSpace,
        alpha: float = 1.0,
        beta: float = 1.0,
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generator}
        self._generator = generator
        self._stream = stream
        self._space = space
        self._alpha = alpha
        self._beta = beta
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
            of_old = sample(self._old, self._space, len(real.x), Ancestral())
        new = self._generator.module
        loss, stats = ratio_loss(new, self._old, real, of_old, self._alpha, self._beta)
        yield self._generator, loss, stats

    def _take_snapshot(self) -> Updates:
        self._old.load_state_dict(self._generator.module.state_dict())
        yield from ()


def ratio_loss(
    new: Generator,
    old: Generator,
    real: Batch,
    of_old: Sample,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> tuple[Tensor, Stats]:
    """The loss of `new`, a scalar, on real sentences and on sentences that `old` wrote."""
    d_real_B = beta * _log_ratio(new, old, real)
    d_old_B = beta * _log_ratio(new, old, of_old)
    loss = F.softplus(-d_real_B).mean() + alpha * F.softplus(d_old_B).mean()
    stats = {"real_score": d_real_B.detach().mean(), "old_score": d_old_B.detach().mean()}
    return loss, stats


def _log_ratio(new: Generator, old: Generator, sentences: Sample) -> Tensor:
    """log p_new(x) − log p_old(x) of whole sentences, [B]."""
    assert sentences.mask is not None, "sequences have masks"
    new_BT = token_log_probs(new, sentences.x, sentences.mask)
    with torch.no_grad():
        old_BT = token_log_probs(old, sentences.x, sentences.mask)
    return (new_BT - old_BT).sum(1)
