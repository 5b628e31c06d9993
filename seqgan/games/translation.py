"""How well one sample is recovered from another by a translator, of pictures or of sequences."""

from typing import Any, Protocol

from torch import Tensor, nn

from seqgan.core.masks import longest, mean_per_row
from seqgan.core.types import Batch, DirectGenerator, Generator, Sample
from seqgan.decoding import token_log_probs


class Distance(Protocol):
    """How badly `target` is recovered from `given`: [B].

    `made` is what the generator has made of `given`, where that is known already.
    """

    def __call__(
        self, generator: Any, given: Tensor, target: Sample, made: Sample | None = None
    ) -> Tensor: ...


def distance_of(translator: nn.Module) -> Distance:
    """That of what a translator makes: both are negative log-likelihoods, of tokens or, up to a
    factor and a constant, of numbers with Laplace noise."""
    makes_pictures = isinstance(translator, DirectGenerator)
    return mean_absolute_difference if makes_pictures else nats_per_token


def mean_absolute_difference(
    generator: DirectGenerator, given: Tensor, target: Sample, made: Sample | None = None
) -> Tensor:
    """For pictures: |generator(given) − target| averaged over a picture's numbers: [B]."""
    x = generator.translate(given) if made is None else made.x
    return (x - target.x).abs().flatten(1).mean(1)


def nats_per_token(
    generator: Generator, given: Tensor, target: Sample, made: Sample | None = None
) -> Tensor:
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
