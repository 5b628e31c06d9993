"""Configuration of losses in place of the plain likelihood. No torch here."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.parts import Need, Needs, Part

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.core.types import Batch, Generator

    RealLoss = Callable[[Generator, Batch], Tensor]

Share = Annotated[float, Field(ge=0, le=1)]


class LikelihoodConfig(Part):
    """Base of the configurations of losses of real sentences."""

    after: Annotated[int, Field(ge=0)] = 0
    """Generator updates by plain likelihood first."""

    @abstractmethod
    def build(self) -> "RealLoss":
        """The loss of a batch of real sentences, in nats per token."""


class TailrConfig(LikelihoodConfig):
    """Likelihood weighted towards the total variation distance (TaiLr)."""

    name: Literal["tailr"] = "tailr"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Towards 0 the likelihood, 1 the total variation distance."""
    floor: Share = 0.3
    """Least weight of a token."""

    def build(self) -> "RealLoss":
        from seqgan.games.other_likelihoods import tailr_loss

        return partial(tailr_loss, gamma=self.gamma, floor=self.floor)


class GoldConfig(LikelihoodConfig):
    """Tokens weighted by their own probability: off-policy learning from demonstrations (GOLD)."""

    name: Literal["gold"] = "gold"
    floor: Share = 0.2
    """Least weight of a token."""

    def build(self) -> "RealLoss":
        from seqgan.games.other_likelihoods import gold_loss

        return partial(gold_loss, floor=self.floor)


class MixceConfig(LikelihoodConfig):
    """A mixture of forward and reverse cross-entropy, the latter approximated (MixCE)."""

    name: Literal["mixce"] = "mixce"
    eta: Share = 0.5
    """Weight of the forward cross-entropy; 1 is the likelihood."""

    def build(self) -> "RealLoss":
        from seqgan.games.other_likelihoods import mixce_loss

        return partial(mixce_loss, eta=self.eta)


class EmoConfig(LikelihoodConfig):
    """Likelihood plus the earth mover's distance between tokens' vectors (EMO)."""

    needs: ClassVar[Needs] = (Need("generator", "a linear read-out"),)

    name: Literal["emo"] = "emo"

    def build(self) -> "RealLoss":
        from seqgan.games.other_likelihoods import emo_loss

        return emo_loss


AnyLikelihoodConfig = Annotated[TailrConfig | GoldConfig | MixceConfig | EmoConfig, ByName()]
