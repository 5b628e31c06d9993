"""Bases of the configurations of estimators."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, cast

from seqgan.core.parts import EstimatorPart

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.base import Estimator


class EstimatorConfig(EstimatorPart):
    """Base of every estimator's configuration."""

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
    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        """The estimator of the critic's reward, which `build` wraps for null arms."""


def check_others(name: str, batch_size: int) -> None:
    """Raises `ValueError` where a sample is alone in its batch."""
    if batch_size < 2:
        raise ValueError(
            f"train.batch_size={batch_size} leaves no other sample to compare with for "
            f"estimator.name={name}; use at least 2"
        )
