"""How well one sample is recovered from another by a translator, of pictures or of sequences."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from seqgan.core.masks import longest, mean_per_row
from seqgan.core.types import Batch, DirectGenerator, Generator, Sample
from seqgan.decoding import token_log_probs

Distance = Callable[[Any, Tensor, Sample], Tensor]
"""`distance(generator, given, target)`: [B], how badly `target` is recovered from `given`."""


def mean_absolute_difference(generator: DirectGenerator, given: Tensor, target: Sample) -> Tensor:
    """For pictures: |generator(given) − target| averaged over a picture's numbers: [B]."""
    return (generator.translate(given) - target.x).abs().flatten(1).mean(1)


def nats_per_token(generator: Generator, given: Tensor, target: Sample) -> Tensor:
    """For sequences: −log p(target | given) averaged over the tokens of the target: [B]."""
    assert target.mask is not None, "sequences have masks"
    logp_BT = token_log_probs(generator, target.x, target.mask, cond=given)
    return -mean_per_row(logp_BT, target.mask)


def trimmed(batch: Batch, generator: nn.Module) -> Batch:
    """The batch without the columns behind its longest sentence.

    Pictures stay as they are, and so do sentences for a generator that writes as many columns as it
    reads: its samples have to look like real sentences.
    """
    if batch.mask is None or generator.keeps_columns:
        return batch
    columns = longest(batch.mask)
    return Batch(batch.x[:, :columns], batch.mask[:, :columns], batch.cond)
