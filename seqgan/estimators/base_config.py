"""Bases of the configurations of estimators."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, cast

from seqgan.core.config import Config

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.base import Estimator


class EstimatorConfig(Config):
    """Base of every estimator's configuration."""

    name: str

    @abstractmethod
    def build(
        self, space: "Space", device: "torch.device", network: "nn.Module | None" = None
    ) -> "Estimator":
        """The estimator. `device` is where its own tensors are to lie (the estimators of this
        package take the device of what they are given); `network` is what `build_network`
        returned."""

    def build_network(self, space: "Space") -> "nn.Module | None":
        """The network that the player `baseline` trains for the estimator; None: none."""
        return None


class CriticEstimatorConfig(EstimatorConfig):
    """Base of the estimators that read a reward, which a null arm can replace."""

    reward: Literal["critic", "constant", "shuffled"] = "critic"
    """critic; or for null arms the constant 1, or the critic's values (where its score is
    back-propagated, their gradients) shuffled between the samples of the batch."""

    def build(
        self, space: "Space", device: "torch.device", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.estimators.null_arm import NullArm

        # Estimators of tokens are configured for sequences only; `pathwise` reads no space.
        estimator = self.build_estimator(cast("SequenceSpace", space), network)
        return estimator if self.reward == "critic" else NullArm(estimator, self.reward)

    @abstractmethod
    def build_estimator(
        self, space: "SequenceSpace", network: "nn.Module | None" = None
    ) -> "Estimator":
        """The estimator of the critic's reward, which `build` wraps for null arms."""
