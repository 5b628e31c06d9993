"""Evaluation on Gaussians in the plane, where modes can be counted.

    modes         centres with at least 20 high-quality points, of 10,000 (20 is scaled with the
                  number of points, down to 1)
    high_quality  share of points within 3 σ of a centre; 0.989 of the real ones
    mode_kl       KL of the high-quality points' distribution over centres to the uniform one, nats
    frechet       Fréchet distance of the coordinates
    density, coverage   nearest neighbours among real points (Naeem 2020)

Read `modes` and `high_quality` together: points spread over the plane touch all modes too.
"""

from PIL.Image import Image
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, DirectGenerator
from seqgan.data.points import REAL_ROW_STREAM, TEST_STREAM, VALID_STREAM, Mixture
from seqgan.decoding import generate
from seqgan.evaluation.arrays import ArrayDraws, ArrayEvaluator
from seqgan.evaluation.base import DecodingSetting, Metrics, ShownSheet
from seqgan.evaluation.sheets import scatter
from seqgan.metrics.coverage import prdc
from seqgan.metrics.frechet import frechet_distance
from seqgan.metrics.modes import mode_coverage

LEAST_OF_TEN_THOUSAND = 20
SHOWN_POINTS = 2_000


class PointsEvaluator(ArrayEvaluator):
    """Measures generators, and fresh real points for the real-data row."""

    unit = "point"
    lowered = "KL(real points ‖ generator)"

    def __init__(self, mixture: Mixture, sizes: dict[str, int], seed: int) -> None:
        self._mixture = mixture
        self._seed = seed
        self._centres_KD = mixture.centres_K2
        self._real = {
            "valid": mixture.draw(VALID_STREAM, sizes["valid"]),
            "test": mixture.draw(TEST_STREAM, sizes["test"]),
        }
        self.notes: dict[str, object] = {
            "reference_points": {name: len(x) for name, x in self._real.items()}
        }

    def count(self, split: str) -> int:
        return len(self._real[split])

    def held_out(self, split: str, rows_R: Tensor) -> Batch:
        return Batch(self._real[split][rows_R])

    def measure(self, drawn: ArrayDraws, split: str) -> Metrics:
        return {} if drawn.fake is None else self._measure(drawn.fake.x.cpu(), split)

    def real(self, split: str, samples: int) -> Metrics:
        """Fresh real points in the generator's place."""
        return self._measure(self._mixture.draw(REAL_ROW_STREAM, samples), split)

    def show(self, generator: DirectGenerator, setting: DecodingSetting) -> ShownSheet:
        """A scatter plot of the same noise at every call."""
        points_ND = self._sample(generator, SHOWN_POINTS, setting)
        return ShownSheet(scatter(points_ND, self._centres_KD))

    def sheets(self, generator: DirectGenerator) -> dict[str, Image]:
        return {"samples": self.show(generator, DecodingSetting()).image}

    def _sample(self, generator: DirectGenerator, rows: int, setting: DecodingSetting) -> Tensor:
        with isolated(self._seed):
            return generate(generator, rows, setting.temperature).cpu()

    def _measure(self, points_ND: Tensor, split: str) -> Metrics:
        real_ND = self._real[split]
        least = max(1, round(LEAST_OF_TEN_THOUSAND * len(points_ND) / 10_000))
        found = mode_coverage(points_ND, self._centres_KD, self._mixture.std, least)
        neighbours = prdc(real_ND, points_ND)
        return {
            **found,
            "frechet": frechet_distance(real_ND, points_ND),
            "density": neighbours["density"],
            "coverage": neighbours["coverage"],
        }
