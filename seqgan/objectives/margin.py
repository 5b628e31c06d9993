"""Energies with a margin: EBGAN (Zhao et al. 2017).

    critic      minimises  E_real e(x) + E_generated max(0, m − e(x)),    e = −score
    generator   raises     −e(x) of its samples

The critic pushes the energy of generated samples up to the margin m and no further, so that it need
not be infinitely sure. In the paper e is the error of an autoencoder (critic `autoencoder`), and at
the equilibrium the critic's loss is m.

Deviation: without the "pulling-away" term on the codes of generated samples.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import shared_out


class Margin:
    """See the module's docstring and `objectives.base.Objective`."""

    needs_real = False

    def __init__(self, margin: float = 0.2) -> None:
        self._margin = margin

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """A scalar."""
        of_fakes = [F.relu(self._margin + fake.score.float()).mean() for fake in fakes]
        return -real.score.float().mean() + shared_out(of_fakes, shares)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """Minus the energy of each sample: [R]."""
        return fake.score.float()
