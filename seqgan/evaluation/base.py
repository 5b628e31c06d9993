"""What evaluators offer to runs, whatever the data are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from PIL.Image import Image
from torch import Tensor

from seqgan.core.picture_files import save_picture
from seqgan.core.saved_files import write_text
from seqgan.evaluation.config import EvaluationConfig
from seqgan.evaluation.decoding_grid import DecodingSetting

GeneratorT_contra = TypeVar("GeneratorT_contra", contravariant=True)
"""What is measured: a generator, or two translators by direction."""

Metrics = dict[str, float | None]
"""Named numbers; infinite where the quantity is, None where it cannot be computed."""


class OracleDensity(Protocol):
    """What evaluation needs of an oracle."""

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor: ...


class Shown(Protocol):
    """Samples for people."""

    @property
    def lines(self) -> list[str]:
        """As text; empty for pictures."""
        ...

    def save(self, stem: Path) -> None:
        """Write a file of the suitable kind; `stem` has no ending yet."""
        ...


@dataclass(frozen=True, slots=True)
class ShownLines:
    """Sentences, one per line."""

    lines: list[str]

    def save(self, stem: Path) -> None:
        write_text(stem.with_suffix(".txt"), "\n".join(self.lines) + "\n")


@dataclass(frozen=True, slots=True)
class ShownSheet:
    """A sheet of pictures."""

    image: Image

    @property
    def lines(self) -> list[str]:
        return []

    def save(self, stem: Path) -> None:
        save_picture(self.image, stem.with_suffix(".png"))


class Evaluator(Protocol[GeneratorT_contra]):
    """Measures a generator on a split, beside a row of real data.

    Nothing of it disturbs training: torch's random state is left as it was.
    """

    notes: dict[str, object]

    def settings(self, config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
        """The settings to evaluate, the configured one first."""
        ...

    def generated(
        self, generator: GeneratorT_contra, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics: ...

    def real(self, split: str, samples: int) -> Metrics:
        """The same metrics for real data in the generator's place."""
        ...

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """The same metrics for simple rules in the generator's place, by their names."""
        ...

    def show(self, generator: GeneratorT_contra, setting: DecodingSetting) -> Shown:
        """The same few samples (noise, sources) at every call, by the generator of the moment."""
        ...

    def sheets(self, generator: GeneratorT_contra) -> dict[str, Image]:
        """Pictures about a finished generator, by name; none where text says it all."""
        ...
