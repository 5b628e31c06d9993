"""The contract of objectives, and what those share that compare features.

Features are the numbers in front of a critic's read-out, `Scores.features_BF`. Rows of generated
samples are copies of a batch of real ones, block after block (`core.types.Reward`); objectives that
compare samples with each other do so block by block, since continuations of one prefix are not
independent.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Scores


class Objective(Protocol):
    """The losses of the two players: of the critic, and the reward of the generator.

    objective = Divergence("wgan")
    objective.critic_loss(critic(real, mask), critic(fake, mask)).backward()
    reward_R = objective.reward(critic(fake, mask))
    """

    @property
    def needs_real(self) -> bool:
        """Whether `reward` compares with a batch of real samples."""
        ...

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """The critic's loss, a scalar.

        There may be several kinds of fakes (generated; real with a wrong condition): the loss of
        each is multiplied by its share. Shares sum to 1.
        """
        ...

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """The generator's reward of each sample, in the shape of `fake.score` ([R] or [R, T]).

        Its mean has the objective's gradient: through the samples for pathwise estimators, and as
        the reward of score-function estimators. `real` is a batch of B real samples, without
        gradient; row n·B + b of `fake` is copy n of sample b.
        """
        ...


def shared_out(losses: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Losses against several kinds of fakes, each with its share."""
    return torch.stack([share * loss for share, loss in zip(shares, losses, strict=True)]).sum()


def features(scores: Scores) -> Tensor:
    """`features_BF` in float32."""
    assert scores.features_BF is not None, "the critic gives no features"
    return scores.features_BF.float()


def in_blocks(fake_RF: Tensor, batch: int) -> Tensor:
    """[N, B, F]: rows that are copies of a batch, each copy a batch of its own."""
    return fake_RF.reshape(-1, batch, fake_RF.shape[1])


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖a_i − b_j‖² as [..., i, j] of [..., i, F] and [..., j, F]; can be differentiated twice."""
    # Around their middle both are small, and so is the rounding error of the difference.
    middle = b.detach().mean(-2, keepdim=True)
    a, b = a - middle, b - middle
    lengths = a.square().sum(-1)[..., None] + b.square().sum(-1)[..., None, :]
    return (lengths - 2 * _products(a, b)).clamp(min=0)


def cosine_cost(a: Tensor, b: Tensor) -> Tensor:
    """1 − cos(a_i, b_j), between 0 and 2, as [..., i, j] of [..., i, F] and [..., j, F]."""
    return 1 - _products(F.normalize(a, dim=-1), F.normalize(b, dim=-1))


def _products(a: Tensor, b: Tensor) -> Tensor:
    """⟨a_i, b_j⟩, in float32 under autocast too."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b.mT
