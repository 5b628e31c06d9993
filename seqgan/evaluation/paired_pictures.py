"""Evaluation of translators of pictures whose true partners are known.

For the direction a → b, with F: a → b, on held-out pairs (x, y):

    l1_a2b          mean |F(x) − y|, values from −1 to 1
    sharpness_a2b   variance of the Laplacian of F(x), as a share of that of y: below 1 is blurred;
                    none where all y are flat
    fid_a2b         Fréchet distance of F(x) to y
    label_preservation_a2b   share of y's labels that are read in F(x)

The row `copy` has the sources in their translations' place: what there is without translating.
The real-data row has training pictures in the translations' place; they have no true partners.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.pictures import to_bytes, to_unit
from seqgan.data.pictures import Pictures, PictureSet
from seqgan.evaluation import sheets
from seqgan.evaluation.base import DecodingSetting, Evaluator, Metrics, ShownSheet
from seqgan.evaluation.cycle import SHOWN_PAIRS, MeasuredPictures, Translators, translated
from seqgan.metrics.sharpness import laplacian_variance


@dataclass(frozen=True, slots=True)
class MeasuredDirection:
    """One direction of translation."""

    source: Pictures
    target: MeasuredPictures

    @property
    def name(self) -> str:
        """a2b or b2a."""
        return {"b": "a2b", "a": "b2a"}[self.target.name]


class PairedPicturesEvaluator(Evaluator[Translators]):
    """Measures translators (keys a2b and b2a) in the directions that are played."""

    def __init__(self, directions: Sequence[MeasuredDirection], device: torch.device) -> None:
        self._directions = directions
        self._device = device
        self.notes: dict[str, object] = {
            f"extractor_{each.target.name}": each.target.extractor.name for each in directions
        }

    def generated(
        self, generators: Translators, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of all directions."""
        metrics: Metrics = {}
        for each in self._directions:
            x = to_unit(each.source.held_out(split, samples).x_NCHW)
            made = translated(generators[each.name], x, self._device)
            metrics |= self._against_truth(each, made, split, samples)
        return metrics

    def real(self, split: str, samples: int) -> Metrics:
        """Training pictures of the target kind in the translations' place."""
        metrics: Metrics = {}
        for each in self._directions:
            true = each.target.pictures.held_out(split, samples)
            train = each.target.pictures.train.take(slice(samples))
            metrics |= self._measure(each, train.x_NCHW, true, train.labels_NA)
        return metrics

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """Sources in their translations' place."""
        copy: Metrics = {}
        for each in self._directions:
            x = to_unit(each.source.held_out(split, samples).x_NCHW)
            copy |= self._against_truth(each, x, split, samples)
        return {"copy": copy}

    def show(self, generators: Translators, setting: DecodingSetting) -> ShownSheet:
        """The same sources at every call, their translations, and their true partners."""
        rows: list[tuple[str, Tensor]] = []
        for each in self._directions:
            x = each.source.valid.x_NCHW[:SHOWN_PAIRS]
            made = translated(generators[each.name], to_unit(x), self._device)
            true = each.target.pictures.valid.x_NCHW[:SHOWN_PAIRS]
            rows += [("source", x), (each.name, to_bytes(made)), ("true", true)]
        return ShownSheet(sheets.labelled_rows(rows))

    def sheets(self, generators: Translators) -> dict[str, Image]:
        return {"translation": self.show(generators, DecodingSetting()).image}

    def _against_truth(
        self, each: MeasuredDirection, made: Tensor, split: str, samples: int
    ) -> Metrics:
        """Metrics of float pictures that stand for translations of `samples` sources."""
        true = each.target.pictures.held_out(split, samples)
        l1 = float((made - to_unit(true.x_NCHW)).abs().mean())
        measured = self._measure(each, to_bytes(made), true, true.labels_NA)
        return {f"l1_{each.name}": l1, **measured}

    def _measure(
        self, each: MeasuredDirection, made: Tensor, true: PictureSet, labels_NA: Tensor | None
    ) -> Metrics:
        """What is measured of translations and of real pictures, bytes; `labels_NA` are theirs."""
        of_true = laplacian_variance(true.x_NCHW)
        return {
            f"sharpness_{each.name}": laplacian_variance(made) / of_true if of_true else None,
            **each.target.distance(true.x_NCHW, made, each.name),
            **each.target.preservation(made, labels_NA, each.name),
        }
