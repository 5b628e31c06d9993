"""Evaluation of pictures by a network that was trained here, on pictures of its own.

    fid, kid                     distances of the extractor's features to those of held-out pictures
    precision, recall, density, coverage   the same features' nearest neighbours
    duplicates, nearest_ratio, copy_p_value   nearest *training* pictures (metrics/memorisation.py)
    label_distance_NAME          total variation between the labels the extractor reads in generated
                                 pictures and the true ones of the reference
    label_accuracy_NAME          share whose label, as the extractor reads it, is the generator's
                                 input (where labels are)
    modes, mode_kl               combinations of labels that the extractor reads at least once, and
                                 KL(their frequencies ‖ uniform), nats (metrics/modes.py)
    inception_score              how sure and how varied the extractor's answers are, up to the
                                 number of combinations (metrics/inception.py)
    caption_match                share of what captions ask for that is read in the pictures
    valid_attributes, attribute_distance_NAME   cartoon faces only: read by rule, not by network

A single label has no NAME. What the extractor measures carries its name (`fid@cnn-1a2b3c4d`): such
numbers compare runs with each other, not with papers that use other networks. The real-data row has
training pictures in the generated ones' place.
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.pictures import to_bytes, to_unit
from seqgan.core.rng import isolated
from seqgan.core.types import ArraySpace, Batch, DirectGenerator
from seqgan.data.captions import Captions
from seqgan.data.pictures import Pictures
from seqgan.decoding import generate
from seqgan.evaluation import sheets
from seqgan.evaluation.arrays import ArrayDraws, ArrayEvaluator
from seqgan.evaluation.base import DecodingSetting, Metrics, ShownSheet
from seqgan.evaluation.conditions import Conditions, caption_match
from seqgan.evaluation.feature_extractor import FeatureExtractor, likeliest
from seqgan.metrics.coverage import prdc
from seqgan.metrics.frechet import frechet_distance
from seqgan.metrics.histograms import total_variation
from seqgan.metrics.inception import inception_score
from seqgan.metrics.kernel import kernel_distance
from seqgan.metrics.memorisation import memorisation, nearest_indices
from seqgan.metrics.modes import class_coverage
from seqgan.tasks.faces.detector import attribute_distances, valid_share

SHOWN_PICTURES = 64
COLUMNS = 8
NEIGHBOURS_SHOWN = 12
INTERPOLATIONS, STEPS = 6, 10
PLANE_SIDE = 10
SLIDERS = 8


Detect = Callable[[Tensor], Tensor]
"""Reads the attributes of cartoon faces by rule: `labels_NA` of bytes, −1 where it cannot."""


class PictureEvaluator(ArrayEvaluator):
    """Measures generators, and training pictures for the real-data row."""

    unit = "picture"
    lowered = "KL(held-out pictures ‖ generator)"

    def __init__(
        self,
        pictures: Pictures,
        space: ArraySpace,
        extractor: FeatureExtractor,
        detect: Detect | None,
        device: torch.device,
        seed: int,
        captions: Captions | None = None,
    ) -> None:
        self.space = space
        self._conditions = Conditions(space, captions)
        self._pictures = pictures
        self._extractor = extractor
        self._detect = detect
        self._device = device
        self._seed = seed
        # Distances depend on the number of pictures: real and made ones have to be as many.
        self._most = len(pictures.train.x_NCHW)
        self._splits = {"valid": pictures.valid, "test": pictures.test}
        self._features: dict[str, Tensor] = {}
        self.notes: dict[str, object] = {
            "extractor": extractor.name,
            "extractor_accuracy": self._extractor_accuracy(),
            "reference_pictures": {name: len(part.x_NCHW) for name, part in self._splits.items()},
        }

    def count(self, split: str) -> int:
        return len(self._splits[split].x_NCHW)

    def held_out(self, split: str, rows_R: Tensor) -> Batch:
        cond = self.conditions(split)
        x_NCHW = to_unit(self._splits[split].x_NCHW[rows_R])
        return Batch(x_NCHW, None, None if cond is None else cond[rows_R])

    def conditions(self, split: str) -> Tensor | None:
        return self._conditions.of(self._splits[split])

    def measure(self, drawn: ArrayDraws, split: str) -> Metrics:
        """Metrics of pictures that were made under the labels of the reference."""
        if drawn.fake is None:
            return {}
        made, cond = to_bytes(drawn.fake.x), drawn.fake.cond
        asked_NA = None if cond is None else cond.cpu()
        fake_NF, real_NF = self._extractor.features(made), self._features_of(split)
        copies = memorisation(fake_NF, real_NF, self._features_of("train"))
        return self._measure(made, fake_NF, split, asked_NA) | self._by_extractor(copies)

    def real(self, split: str, samples: int) -> Metrics:
        """Training pictures in the generator's place."""
        train = self._pictures.train
        x_NCHW, features_NF = train.x_NCHW[:samples], self._features_of("train")[:samples]
        return self._measure(x_NCHW, features_NF, split, self._conditions.of(train, len(x_NCHW)))

    def show(self, generator: DirectGenerator, setting: DecodingSetting) -> ShownSheet:
        """A grid from the same noise at every call; with labels one column per class."""
        return ShownSheet(self._grid(generator, setting))

    def sheets(self, generator: DirectGenerator) -> dict[str, Image]:
        """The grid, nearest training pictures; of generators with noise interpolations, a plane of
        the latent space, and sliders."""
        made = {
            "samples": self._grid(generator, DecodingSetting()),
            "neighbours": self._neighbours(generator),
        }
        if generator.latent > 1:
            made["interpolation"] = self._interpolation(generator)
            made["latent"] = self._plane(generator)
            made["sliders"] = self._sliders(generator)
        return made

    # ── Measuring ─────────────────────────────────────────────────────────────────────────────

    def _measure(
        self, made_NCHW: Tensor, fake_NF: Tensor, split: str, asked_NA: Tensor | None
    ) -> Metrics:
        """What is measured of generated and of real pictures."""
        reference, real_NF = self._splits[split], self._features_of(split)
        by_extractor: Metrics = {
            "fid": frechet_distance(real_NF, fake_NF),
            "kid": kernel_distance(real_NF, fake_NF),
            **prdc(real_NF, fake_NF),
        }
        if self._extractor.reads_labels and reference.labels_NA is not None:
            by_extractor |= self._label_metrics(made_NCHW, reference.labels_NA, asked_NA)
        metrics = self._by_extractor(by_extractor)
        if self._detect is not None:
            assert reference.labels_NA is not None, "faces have labels"
            metrics |= _attribute_metrics(self._detect(made_NCHW), reference.labels_NA)
        return metrics | self._caption_match(made_NCHW, asked_NA)

    def _caption_match(self, made_NCHW: Tensor, asked: Tensor | None) -> Metrics:
        """By the detector where there is one, else by the extractor."""
        captions = self._conditions.captions
        if captions is None or asked is None:
            return {}
        if self._detect is not None:
            return {"caption_match": caption_match(captions, asked, self._detect(made_NCHW))}
        read_NA = self._extractor.labels(made_NCHW)
        return self._by_extractor({"caption_match": caption_match(captions, asked, read_NA)})

    def _by_extractor(self, metrics: Mapping[str, float | None]) -> Metrics:
        return {f"{name}@{self._extractor.name}": value for name, value in metrics.items()}

    def _label_metrics(
        self, made_NCHW: Tensor, true_NA: Tensor, asked_NA: Tensor | None
    ) -> Metrics:
        heads = self._extractor.log_probs(made_NCHW)
        read_NA = likeliest(heads)
        names, sizes = self._pictures.label_names, self._pictures.label_sizes
        metrics: Metrics = {
            **class_coverage(combined_label(read_NA, sizes), prod(sizes)),
            "inception_score": inception_score(heads),
        }
        for column, (name, classes) in enumerate(zip(names, sizes, strict=True)):
            suffix = f"_{name}" if len(names) > 1 else ""
            distance = total_variation(read_NA[:, column], true_NA[:, column], classes)
            metrics[f"label_distance{suffix}"] = distance
            if asked_NA is not None and self.space.label_sizes:
                right_N = read_NA[:, column] == asked_NA[:, column]
                metrics[f"label_accuracy{suffix}"] = float(right_N.float().mean())
        return metrics

    def _features_of(self, name: str) -> Tensor:
        if name not in self._features:
            part = self._splits.get(name, self._pictures.train)
            self._features[name] = self._extractor.features(part.x_NCHW)
        return self._features[name]

    def _extractor_accuracy(self) -> dict[str, float]:
        """Of the feature extractor on test pictures: what `label_accuracy` can reach."""
        test = self._pictures.test
        if not self._extractor.reads_labels or test.labels_NA is None:
            return {}
        accuracy = self._extractor.accuracy(test.x_NCHW, test.labels_NA)
        return dict(zip(self._pictures.label_names, accuracy, strict=True))

    # ── Drawing ───────────────────────────────────────────────────────────────────────────────

    def _sample(
        self,
        generator: DirectGenerator,
        rows: int,
        setting: DecodingSetting,
        asked_NA: Tensor | None,
    ) -> Tensor:
        """Bytes [N, C, H, W]."""
        with isolated(self._seed):
            return to_bytes(generate(generator, rows, setting.temperature, asked_NA))

    def _shown_labels(self, rows: int) -> Tensor | None:
        return self._conditions.listed(rows)

    def _grid(self, generator: DirectGenerator, setting: DecodingSetting) -> Image:
        sizes = self.space.label_sizes
        columns = sizes[0] if len(sizes) == 1 else COLUMNS
        rows = SHOWN_PICTURES // columns * columns
        made = self._sample(generator, rows, setting, self._shown_labels(rows))
        return sheets.grid(made, columns)

    def _neighbours(self, generator: DirectGenerator) -> Image:
        labels_NA = self._shown_labels(NEIGHBOURS_SHOWN)
        made = self._sample(generator, NEIGHBOURS_SHOWN, DecodingSetting(), labels_NA)
        train = self._pictures.train.x_NCHW
        nearest_N = nearest_indices(made.flatten(1).float(), train.flatten(1).float())
        return sheets.labelled_rows([("generated", made), ("nearest real", train[nearest_N])])

    def _interpolation(self, generator: DirectGenerator) -> Image:
        with isolated(self._seed):
            start_SL, end_SL = generator.draw(INTERPOLATIONS), generator.draw(INTERPOLATIONS)
        labels_SA = self._shown_labels(INTERPOLATIONS)
        steps = None if labels_SA is None else labels_SA.repeat_interleave(STEPS, 0)
        x = sheets.interpolation(self._decoder(generator, steps), start_SL, end_SL, STEPS)
        return sheets.grid(to_bytes(x), STEPS)

    def _plane(self, generator: DirectGenerator) -> Image:
        with isolated(self._seed):
            z0, u, v = generator.draw(3).unbind()
        labels = self._shown_labels(1)
        same = None if labels is None else labels.expand(PLANE_SIDE**2, -1)
        x = sheets.plane(self._decoder(generator, same), 0 * z0, u, v, PLANE_SIDE)
        return sheets.grid(to_bytes(x), PLANE_SIDE)

    def _sliders(self, generator: DirectGenerator) -> Image:
        directions_KL = torch.eye(generator.latent, device=self._device)[:SLIDERS]
        with isolated(self._seed):
            z0_L = generator.draw(1)[0]
        labels = self._shown_labels(1)
        same = None if labels is None else labels.expand(len(directions_KL) * STEPS, -1)
        decode = self._decoder(generator, same)
        return sheets.grid(to_bytes(sheets.sliders(decode, z0_L, directions_KL, STEPS)), STEPS)

    def _decoder(
        self, generator: DirectGenerator, labels_NA: Tensor | None
    ) -> Callable[[Tensor], Tensor]:
        cond = None if labels_NA is None else labels_NA.to(self._device)

        @torch.no_grad()
        def decode(z_NL: Tensor) -> Tensor:
            return generator(z_NL, cond)

        return decode


def _attribute_metrics(read_NA: Tensor, true_NA: Tensor) -> Metrics:
    distances = attribute_distances(read_NA, true_NA)
    return {
        "valid_attributes": valid_share(read_NA),
        **{f"attribute_distance_{name}": value for name, value in distances.items()},
        "attribute_distance": max(distances.values()),
    }


def combined_label(labels_NA: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """One class number for each combination of labels, the last label changing fastest: [N]."""
    combined_N = torch.zeros_like(labels_NA[:, 0])
    for label_N, size in zip(labels_NA.unbind(1), sizes, strict=True):
        combined_N = combined_N * size + label_N
    return combined_N
