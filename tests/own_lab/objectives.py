"""An objective that wants one token as often as real samples have it."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from seqgan.core.parts import Need, Needs, Words
from seqgan.core.types import Scores
from seqgan.objectives.base import features, shared_out
from seqgan.objectives.config import ObjectiveConfig


class TokenCount:
    """The critic learns as in WGAN; the reward is minus the distance of the counts."""

    needs_real = True

    def __init__(self, token: int) -> None:
        self.token = token

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        return shared_out([fake.score.mean() - real.score.mean() for fake in fakes], shares)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        assert real is not None
        wanted = features(real)[:, self.token].mean()
        return -(features(fake)[:, self.token] - wanted).abs()


class TokenCountConfig(ObjectiveConfig):
    """As many of one token as in real samples."""

    needs: ClassVar[Needs] = (Need("critic", "token counts"),)
    gives: ClassVar[Words] = frozenset({"rewards of single samples"})

    name: Literal["token_count"] = "token_count"
    token: int = 1
    """The token that is counted."""

    def build(self) -> TokenCount:
        return TokenCount(self.token)
