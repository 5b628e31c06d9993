"""What evaluators offer to runs, whatever the data are."""

from typing import Protocol

from torch import Tensor

from seqgan.core.types import Generator, Space
from seqgan.evaluation.decoding_grid import DecodingSetting

Metrics = dict[str, float | None]
"""Named numbers; infinite where the quantity is, None where it cannot be computed."""


class OracleDensity(Protocol):
    """What evaluation needs of an oracle."""

    def log_prob(self, ids_BT: Tensor) -> Tensor: ...


class Evaluator(Protocol):
    """Measures a generator on a split, beside a row of real data."""

    space: Space
    notes: dict[str, object]

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> tuple[Metrics, list[str]]:
        """Metrics and a few samples for people. Leaves torch's random state as it was."""
        ...

    def real(self, split: str, samples: int) -> Metrics:
        """The same metrics for real data in the generator's place."""
        ...
