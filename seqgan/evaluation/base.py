"""What evaluators offer to runs, whatever the data are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from PIL.Image import Image
from torch import Tensor

from seqgan.core.picture_files import save_picture
from seqgan.core.saved_files import write_text
from seqgan.evaluation.config import EvaluationConfig

GeneratorT_contra = TypeVar("GeneratorT_contra", contravariant=True)
"""What is measured: a generator, or two translators by direction."""

Metrics = dict[str, float | None]
"""Named numbers; infinite where the quantity is, None where it cannot be computed."""


class OracleDensity(Protocol):
    """What evaluation needs of an oracle."""

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class DecodingSetting:
    """How samples are drawn: temperature of samples and densities; with top_p < 1 no density.

    For a direct generator the temperature is the standard deviation of its noise.
    """

    temperature: float = 1.0
    top_p: float = 1.0

    @property
    def label(self) -> str:
        nucleus = f", top-p {self.top_p:g}" if self.top_p < 1 else ""
        return f"generator, T = {self.temperature:g}{nucleus}"


def temperatures(config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
    """The configured setting first, then with `sweep` every other temperature once."""
    swept = [config.temperature, *(config.sweep_temperatures if sweep else [])]
    return list(dict.fromkeys(map(DecodingSetting, swept)))


def temperatures_and_nuclei(config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
    """The same, then every top-p at the configured temperature."""
    swept = config.sweep_top_p if sweep else []
    nuclei = [DecodingSetting(config.temperature, top_p) for top_p in swept]
    return list(dict.fromkeys(temperatures(config, sweep) + nuclei))


@dataclass(frozen=True, slots=True)
class ShownLines:
    """Samples for people: sentences, one per line."""

    lines: list[str]

    def save(self, stem: Path) -> None:
        """Write a text file; `stem` has no ending yet."""
        write_text(stem.with_suffix(".txt"), "\n".join(self.lines) + "\n")


@dataclass(frozen=True, slots=True)
class ShownSheet:
    """Samples for people: one picture of all of them."""

    image: Image
    lines: tuple[str, ...] = ()

    def save(self, stem: Path) -> None:
        """Write a PNG file; `stem` has no ending yet."""
        save_picture(self.image, stem.with_suffix(".png"))


Shown = ShownLines | ShownSheet


def drawing_seed(seed: int, split: str) -> int:
    """Of the samples beside a split. Those beside test data are others than those that validation
    selected by, so that luck in selection is not reported."""
    return seed + (split == "valid")


class Evaluator(ABC, Generic[GeneratorT_contra]):
    """Measures a generator on a split, and real data in its place.

    Evaluators leave torch's random state as it was, so that training does not change.
    """

    notes: dict[str, object]
    """How the numbers were measured, for evaluation.json."""

    def settings(self, config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
        """The settings to evaluate, the configured one first."""
        return [DecodingSetting(config.temperature)]

    def control_settings(self) -> list[DecodingSetting]:
        """Settings that are measured beside those, as controls that nothing selects."""
        return []

    @abstractmethod
    def generated(
        self, generator: GeneratorT_contra, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of a generator."""

    @abstractmethod
    def real(self, split: str, samples: int) -> Metrics:
        """The same metrics for real data in the generator's place."""

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """The same metrics for simple rules in the generator's place, by their names."""
        return {}

    @abstractmethod
    def show(self, generator: GeneratorT_contra, setting: DecodingSetting) -> Shown:
        """The same few samples (noise, sources) at every call."""

    def sheets(self, generator: GeneratorT_contra) -> dict[str, Image]:
        """Pictures of what a finished generator makes, by name; none for text."""
        return {}
