"""Evaluation of translators between two kinds of pictures.

For the direction a → b, with F: a → b and G: b → a, on held-out pictures:

    label_preservation_a2b
                    share of labels that survive: an extractor of kind b reads F(x), the truth is
                    x's own label. Labels serve this number only, never training or selection by
                    default
    fid_a2b         Fréchet distance of F(x) to held-out pictures of b
    cycle_a         mean |G(F(x)) − x|, values from −1 to 1
    cycle_noisy_a   the same with N(0, 0.1²) added to F(x): a translator that hides the source in
                    faint patterns (steganography, Chu et al. 2017) loses it here
    identity_a      mean |G(x) − x| on pictures of a, which should stay as they are

The real-data row has the extractors' accuracy on real pictures (what `label_preservation` can
reach) and the distance of training to held-out pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.pictures import to_bytes, to_unit
from seqgan.core.rng import isolated
from seqgan.core.types import DirectGenerator
from seqgan.data.pictures import Pictures, PictureSet
from seqgan.evaluation import sheets
from seqgan.evaluation.base import Metrics, ShownSheet
from seqgan.evaluation.config import EvaluationConfig
from seqgan.evaluation.decoding_grid import DecodingSetting, configured
from seqgan.evaluation.feature_extractor import FeatureExtractor
from seqgan.evaluation.pictures import Detect
from seqgan.metrics.frechet import frechet_distance

Translators = Mapping[str, DirectGenerator]
"""By direction; a `ModuleDict` of two."""

NOISE_STD = 0.1
SHOWN_PAIRS = 10
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class MeasuredPictures:
    """One kind of pictures, and who reads them."""

    name: str
    """a or b."""
    pictures: Pictures
    extractor: FeatureExtractor
    detect: Detect | None

    def split(self, name: str) -> PictureSet:
        return self.pictures.valid if name == "valid" else self.pictures.test

    def labels(self, x_NCHW: Tensor) -> Tensor:
        """Labels read in bytes; a detector's word counts more than a network's."""
        return (self.detect or self.extractor.labels)(x_NCHW)

    @property
    def reader(self) -> str:
        """Suffix of a metric of what was read."""
        return "" if self.detect else f"@{self.extractor.name}"

    @property
    def reads(self) -> bool:
        return self.detect is not None or self.extractor.reads_labels


class CycleEvaluator:
    """Measures pairs of translators (keys a2b and b2a)."""

    def __init__(
        self, a: MeasuredPictures, b: MeasuredPictures, device: torch.device, seed: int
    ) -> None:
        self._kinds = (a, b)
        self._device = device
        self._seed = seed
        self.notes: dict[str, object] = {
            f"extractor_{kind.name}": kind.extractor.name for kind in self._kinds
        }

    def settings(self, config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
        """Translators draw nothing: there is one setting."""
        return [configured(config)]

    def generated(
        self, generators: Translators, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of both directions."""
        a, b = self._kinds
        return self._direction(generators, split, samples, a, b) | self._direction(
            generators, split, samples, b, a
        )

    def real(self, split: str, samples: int) -> Metrics:
        """Real pictures of the target kind in the translations' place."""
        metrics: Metrics = {}
        for source, target in (self._kinds, self._kinds[::-1]):
            real, train = target.split(split), target.pictures.train.x_NCHW[:samples]
            way = f"{source.name}2{target.name}"
            if target.reads and real.labels_NA is not None:
                right_NA = target.labels(real.x_NCHW) == real.labels_NA
                metrics[f"label_preservation_{way}{target.reader}"] = float(right_NA.float().mean())
            features = target.extractor.features
            distance = frechet_distance(features(real.x_NCHW), features(train))
            metrics[f"fid_{way}@{target.extractor.name}"] = distance
        return metrics

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        return {}

    def show(self, generators: Translators, setting: DecodingSetting) -> ShownSheet:
        """The same sources at every call, their translations, and these translated back."""
        rows: list[tuple[str, Tensor]] = []
        for source, target in (self._kinds, self._kinds[::-1]):
            into, back = _ways(generators, source, target)
            x = source.pictures.valid.x_NCHW[:SHOWN_PAIRS]
            y = self._translate(into, to_unit(x))
            rows += [
                (source.name, x),
                (f"{source.name} to {target.name}", to_bytes(y)),
                ("and back", to_bytes(self._translate(back, y))),
            ]
        return ShownSheet(sheets.labelled_rows(rows))

    def sheets(self, generators: Translators) -> dict[str, Image]:
        return {"translation": self.show(generators, DecodingSetting()).image}

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _direction(
        self,
        generators: Translators,
        split: str,
        samples: int,
        source: MeasuredPictures,
        target: MeasuredPictures,
    ) -> Metrics:
        into, back = _ways(generators, source, target)
        part, way = source.split(split), f"{source.name}2{target.name}"
        x = to_unit(part.x_NCHW[:samples])
        y = self._translate(into, x)
        with isolated(self._seed):
            noisy = y + NOISE_STD * torch.randn_like(y)
        made = to_bytes(y)
        features = target.extractor.features
        real = features(target.split(split).x_NCHW[:samples])
        metrics: Metrics = {
            f"fid_{way}@{target.extractor.name}": frechet_distance(real, features(made))
        }
        if target.reads and part.labels_NA is not None:
            kept_NA = target.labels(made) == part.labels_NA[:samples]
            metrics[f"label_preservation_{way}{target.reader}"] = float(kept_NA.float().mean())
        return metrics | {
            f"cycle_{source.name}": _difference(self._translate(back, y), x),
            f"cycle_noisy_{source.name}": _difference(self._translate(back, noisy), x),
            f"identity_{source.name}": _difference(self._translate(back, x), x),
        }

    @torch.no_grad()
    def _translate(self, generator: DirectGenerator, x_NCHW: Tensor) -> Tensor:
        """Float pictures on the CPU."""
        blocks = [block.to(self._device) for block in x_NCHW.split(AT_ONCE)]
        return torch.cat([generator.translate(x).float().cpu() for x in blocks])


def _ways(
    generators: Translators, source: MeasuredPictures, target: MeasuredPictures
) -> tuple[DirectGenerator, DirectGenerator]:
    """The generator into the target, and the one back."""
    return generators[f"{source.name}2{target.name}"], generators[f"{target.name}2{source.name}"]


def _difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().mean())
