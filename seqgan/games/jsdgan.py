"""JSDGAN: no critic network, since the best critic has a closed form.

With q the empirical distribution of the training set, p the generator and the optimal critic
D = q / (p + q), the game's value is the Jensen-Shannon divergence, and only training sentences
enter it: elsewhere q = 0, and p log p/(p + q) = 0 (Li et al. 2019, *Adversarial discrete sequence
generation without explicit neural networks as discriminators*).

    JSD(q, p) = log 2 + ½ Σ_{x in train} [ q log q/(p + q) + p log p/(p + q) ]
              = E_{x ~ q} [ log 2 − ½ (softplus(r) + e^r softplus(−r)) ],   r = log p(x) − log q(x)

A batch of real sentences therefore gives an unbiased gradient, no sample is ever drawn, and p = q
is the only optimum: memorising the training set.

The gradient of the loss in log p(x) is −½ (p/q) log(1 + q/p), the likelihood's (−1) times a weight
that falls like p/q where a sentence is still improbable: on long sentences, from scratch, JSDGAN
learns nothing that float32 can show. The phase `mle` comes first there.

Deviations: the published code scales p to [0, 1] by the smallest and largest of the batch and sets
q = 1/B, which hides that weight and is no divergence of p any more; here p is the probability and q
counts how often a sentence stands in the whole training set.
"""

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Batch, Generator, Stateful
from seqgan.data.stream import Stream
from seqgan.decoding import token_log_probs
from seqgan.games.mle import likelihood_loss
from seqgan.training.game import Updates
from seqgan.training.player import Player


class JsdganGame:
    """One player; phases `mle` and `generator`, both on batches of the training set `train`."""

    def __init__(
        self, generator: Player[Generator], train: Batch, batch_size: int, seed: int
    ) -> None:
        self.players: dict[str, Player[nn.Module]] = {"generator": generator}
        self._generator = generator
        self._train = train
        self._logq_N = empirical_log_probs(train.x)
        numbers_N = torch.arange(len(train.x), device=train.x.device)
        self._rows = Stream(Batch(numbers_N), batch_size, seed)

    def updates(self, phase: str) -> Updates:
        rows_B = self._rows.next().x
        mask_NT = self._train.mask
        real = Batch(self._train.x[rows_B], None if mask_NT is None else mask_NT[rows_B])
        generator = self._generator.module
        if phase == "mle":
            yield self._generator, likelihood_loss(generator, real), {}
            return
        loss = jensen_shannon_loss(generator, real, self._logq_N[rows_B])
        yield self._generator, loss, {"jsd_to_train": loss.detach()}

    def stateful(self) -> dict[str, Stateful]:
        return {"rows": self._rows}


def empirical_log_probs(ids_NT: Tensor) -> Tensor:
    """`logq_N`: log of each sentence's share of the set."""
    _, kind_N, counts = ids_NT.unique(dim=0, return_inverse=True, return_counts=True)
    logq_N: Tensor = (counts[kind_N].double() / len(ids_NT)).log().float()
    return logq_N


def jensen_shannon_loss(generator: Generator, real: Batch, logq_B: Tensor) -> Tensor:
    """The expectation over a batch of real sentences, a scalar in nats."""
    assert real.mask is not None, "sequences have masks"
    r_B = token_log_probs(generator, real.x, real.mask).sum(1) - logq_B
    loss: Tensor = log(2) - 0.5 * (F.softplus(r_B) + r_B.exp() * F.softplus(-r_B)).mean()
    return loss
