"""A GAN loss with an auxiliary classifier: AC-GAN (Odena et al. 2017), InfoGAN (Chen et al. 2016).

    critic      minimises  L_GAN − w (E_real log P(c | x) + E_generated log P(c | x))
    generator   raises     r_GAN + w log P(c | x),   x = G(z, c)

P(c | x) is read off a sample by a head beside the critic's score, which does not depend on c. The
term of generated samples lets both players agree on marks of a class that no real sample has;
`labels_of` real leaves it out. With c drawn by the game instead of read from the data, and without
the term of real samples (`labels_of` generated), this is InfoGAN: E log P(c | G(z, c)) + H(c)
bounds the mutual information of code and sample from below (Barber & Agakov 2003).

Deviations. InfoGAN updates P with the generator; here it learns in the critic's update, from the
same loss, and the generator follows. Categorical codes only.
"""

from collections.abc import Sequence

from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import shared_out
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.names import DivergenceName, LabelsOf


class Auxiliary:
    """See the module's docstring and `objectives.base.Objective`. Scores are those of an
    `AuxiliaryCritic`."""

    def __init__(
        self,
        divergence: DivergenceName = "non_saturating",
        weight: float = 1.0,
        labels_of: LabelsOf = "both",
    ) -> None:
        self._gan = Divergence(divergence)
        self._weight = weight
        self._labels_of = labels_of

    @property
    def needs_real(self) -> bool:
        """Whether the GAN loss compares with real scores."""
        return self._gan.needs_real

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """A scalar."""
        loss = self._gan.critic_loss(real, *fakes, shares=shares)
        if self._labels_of != "real":
            of_fakes = [-log_labels(fake).mean() for fake in fakes]
            loss = loss + self._weight * shared_out(of_fakes, shares)
        if self._labels_of != "generated":
            loss = loss - self._weight * log_labels(real).mean()
        return loss

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """Of each sample: [R]."""
        return self._gan.reward(fake, real) + self._weight * log_labels(fake)


def log_labels(scores: Scores) -> Tensor:
    """`log P(labels | x)` in float32: [B]."""
    assert scores.log_labels_B is not None, "the critic reads no labels off samples"
    return scores.log_labels_B.float()
