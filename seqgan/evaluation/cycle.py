"""Evaluation of translators between two kinds of pictures.

For the direction a → b, with F: a → b and G: b → a, on held-out pictures:

    label_preservation_a2b   share of x's labels that an extractor trained on b reads in F(x)
    fid_a2b         Fréchet distance of F(x) to held-out pictures of b
    cycle_a         mean |G(F(x)) − x|, values from −1 to 1
    cycle_noisy_a   the same with N(0, 0.1²) added to F(x): a translator that hides the source in
                    faint patterns (steganography, Chu et al. 2017) loses it here
    identity_a      mean |G(x) − x| on pictures of a, which should stay as they are

The row `copy` has the sources in their translations' place: what there is without translating.
The real-data row has the extractors' accuracy on real pictures, which is what `label_preservation`
can reach, and the distance of training to held-out pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.pictures import to_bytes, to_unit
from seqgan.core.rng import isolated
from seqgan.core.types import DirectGenerator
from seqgan.data.pictures import Pictures
from seqgan.evaluation import sheets
from seqgan.evaluation.base import DecodingSetting, Evaluator, Metrics, ShownSheet
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
    """One kind of pictures, and what reads their labels: a detector where there is one."""

    name: str
    """a or b."""
    pictures: Pictures
    extractor: FeatureExtractor
    detect: Detect | None

    def labels(self, x_NCHW: Tensor) -> Tensor:
        """`labels_NA` of bytes."""
        return (self.detect or self.extractor.labels)(x_NCHW)

    def preservation(self, x_NCHW: Tensor, labels_NA: Tensor | None, direction: str) -> Metrics:
        """The share of these labels that are read in pictures (bytes); empty without labels."""
        if labels_NA is None or not (self.detect or self.extractor.reads_labels):
            return {}
        reader = "" if self.detect else f"@{self.extractor.name}"
        kept_NA = self.labels(x_NCHW) == labels_NA
        return {f"label_preservation_{direction}{reader}": float(kept_NA.float().mean())}

    def distance(self, real_NCHW: Tensor, made_NCHW: Tensor, direction: str) -> Metrics:
        real_NF, made_NF = (self.extractor.features(x) for x in (real_NCHW, made_NCHW))
        return {f"fid_{direction}@{self.extractor.name}": frechet_distance(real_NF, made_NF)}


class CycleEvaluator(Evaluator[Translators]):
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

    def generated(
        self, generators: Translators, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of both directions."""
        metrics: Metrics = {}
        for source, target in (self._kinds, self._kinds[::-1]):
            forward, backward = _translators(generators, source, target)
            x = to_unit(source.pictures.held_out(split, samples).x_NCHW)
            y = self._translate(forward, x)
            with isolated(self._seed):
                noisy = y + NOISE_STD * torch.randn_like(y)
            metrics |= {
                **_read(source, target, split, samples, to_bytes(y)),
                f"cycle_{source.name}": _difference(self._translate(backward, y), x),
                f"cycle_noisy_{source.name}": _difference(self._translate(backward, noisy), x),
                f"identity_{source.name}": _difference(self._translate(backward, x), x),
            }
        return metrics

    def real(self, split: str, samples: int) -> Metrics:
        """Real pictures of the target kind in the translations' place."""
        metrics: Metrics = {}
        for source, target in (self._kinds, self._kinds[::-1]):
            real = target.pictures.held_out(split, samples)
            train = target.pictures.train.x_NCHW[:samples]
            direction = f"{source.name}2{target.name}"
            metrics |= target.preservation(real.x_NCHW, real.labels_NA, direction)
            metrics |= target.distance(real.x_NCHW, train, direction)
        return metrics

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """Sources in their translations' place."""
        copy: Metrics = {}
        for source, target in (self._kinds, self._kinds[::-1]):
            x_NCHW = source.pictures.held_out(split, samples).x_NCHW
            copy |= _read(source, target, split, samples, x_NCHW)
        return {"copy": copy}

    def show(self, generators: Translators, setting: DecodingSetting) -> ShownSheet:
        """The same sources at every call, their translations, and these translated back."""
        rows: list[tuple[str, Tensor]] = []
        for source, target in (self._kinds, self._kinds[::-1]):
            forward, backward = _translators(generators, source, target)
            x = source.pictures.valid.x_NCHW[:SHOWN_PAIRS]
            y = self._translate(forward, to_unit(x))
            rows += [
                (source.name, x),
                (f"{source.name} to {target.name}", to_bytes(y)),
                ("and back", to_bytes(self._translate(backward, y))),
            ]
        return ShownSheet(sheets.labelled_rows(rows))

    def sheets(self, generators: Translators) -> dict[str, Image]:
        return {"translation": self.show(generators, DecodingSetting()).image}

    def _translate(self, generator: DirectGenerator, x_NCHW: Tensor) -> Tensor:
        return translated(generator, x_NCHW, self._device)


@torch.no_grad()
def translated(generator: DirectGenerator, x_NCHW: Tensor, device: torch.device) -> Tensor:
    """What a translator makes of float pictures, on the CPU."""
    blocks = [block.to(device) for block in x_NCHW.split(AT_ONCE)]
    return torch.cat([generator.translate(x).float().cpu() for x in blocks])


def _read(
    source: MeasuredPictures, target: MeasuredPictures, split: str, samples: int, made_NCHW: Tensor
) -> Metrics:
    """Labels and distance of `made_NCHW` (bytes), which stand for translations of `samples` sources
    of the split."""
    direction = f"{source.name}2{target.name}"
    sources, targets = (kind.pictures.held_out(split, samples) for kind in (source, target))
    return {
        **target.distance(targets.x_NCHW, made_NCHW, direction),
        **target.preservation(made_NCHW, sources.labels_NA, direction),
    }


def _translators(
    generators: Translators, source: MeasuredPictures, target: MeasuredPictures
) -> tuple[DirectGenerator, DirectGenerator]:
    """From source to target, and back."""
    return generators[f"{source.name}2{target.name}"], generators[f"{target.name}2{source.name}"]


def _difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().mean())
