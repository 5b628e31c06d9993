"""Configuration of points in the plane. No torch here."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.numbers import Sampled, Seed
from seqgan.core.parts import DataPart, Modality

if TYPE_CHECKING:
    from seqgan.data.points import Mixture
    from seqgan.evaluation.task import Task, TaskSetup


LEAST_NEIGHBOURS = 6
"""Samples that pictures and points are measured with: each has a fifth nearest neighbour."""


class PointsDataConfig(DataPart):
    """Gaussians in the plane: a ring of eight or a grid of twenty-five. Drawn afresh for ever."""

    modality: ClassVar[Modality] = "points"
    metrics: ClassVar[tuple[str, ...]] = (
        *("modes", "high_quality", "mode_kl", "frechet", "density", "coverage"),
    )
    least_samples: ClassVar[int] = LEAST_NEIGHBOURS

    name: Literal["points"] = "points"
    layout: Literal["ring", "grid"]
    """ring: 8 centres at distance 1 from the origin. grid: 5 × 5 centres, 1/√2 apart."""
    std: Annotated[float, Field(gt=0)] = 0.0177
    """Standard deviation of each Gaussian; 0.05/√8 is that of the WGAN-GP paper's grid."""
    valid: Sampled = 10_000
    """Validation points."""
    test: Sampled = 10_000
    """Test points."""
    seed: Seed = 0
    """Seed of the points."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.core.types import ArraySpace, Batch
        from seqgan.data.stream import FreshStream
        from seqgan.evaluation.points import PointsEvaluator
        from seqgan.evaluation.task import Task

        mixture = self.build_mixture()
        stream = FreshStream(
            lambda index: Batch(mixture.training_block(index).to(setup.device)), setup.batch_size
        )
        sizes = {"valid": self.valid, "test": self.test}
        evaluator = PointsEvaluator(mixture, sizes, setup.evaluation.seed)
        return Task(ArraySpace((2,)), (stream,), evaluator)

    def build_mixture(self) -> "Mixture":
        from seqgan.data.points import Mixture

        return Mixture(self.layout, self.std, self.seed)
