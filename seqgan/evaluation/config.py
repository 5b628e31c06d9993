"""Configuration of evaluation: how much is sampled, and which rule picks what is reported."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.errors import did_you_mean
from seqgan.core.metric_names import CERTIFICATE, base
from seqgan.core.numbers import Temperature
from seqgan.core.parts import DataPart
from seqgan.core.renamed import new_metric

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from seqgan.core.types import Batch, SequenceSpace
    from seqgan.evaluation.feature_extractor import FeatureExtractor
    from seqgan.evaluation.text_extractor import TextExtractor

Positive = Annotated[int, Field(gt=0)]
AtLeastTwo = Annotated[int, Field(ge=2, le=10_000_000)]  # Self-BLEU compares a sentence with others

DEFAULT_SWEEP_METRIC = "nll_valid"

SHOWN = 16
"""Sequences in a file of samples."""


class FeatureExtractorConfig(Config):
    """The network that pictures are measured with, trained on pictures of its own."""

    kind: Literal["auto", "labels", "rotations", "random"] = "auto"
    """What it learns: the labels, the quarter turn that a picture was given, or nothing (random
    filters); auto: labels where there are any, else rotations."""
    updates: Positive = 700
    """Training updates of 128 pictures."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of its parameters and batches, the same for every run that is to be compared."""

    def build(
        self,
        x_NCHW: "Tensor",
        labels_NA: "Tensor | None",
        label_sizes: tuple[int, ...],
        device: "torch.device",
    ) -> "FeatureExtractor":
        """The network for such pictures (bytes), trained at most once on one machine."""
        from seqgan.evaluation.feature_extractor import ExtractorSpec, cached_extractor

        kind = self.kind
        if kind == "auto":
            kind = "labels" if label_sizes else "rotations"
        spec = ExtractorSpec(
            kind=kind,
            label_sizes=label_sizes if kind == "labels" else (),
            channels=x_NCHW.shape[1],
            seed=self.seed,
            updates=self.updates,
        )
        return cached_extractor(spec, x_NCHW, labels_NA, device)


class TextFeaturesConfig(Config):
    """The network that text is measured with, and when; see docs/text.md."""

    measure: Literal["evaluate", "always", "never"] = "evaluate"
    """When: by `seqgan evaluate` only, at the end of training too, or never. Validation during
    training does without."""
    path: str | None = None
    """Hub id or folder of a `transformers` encoder; null: a language model is trained on the
    training text."""
    updates: Positive = 1_000
    """Training updates of 32 sentences; of few sentences at most five epochs."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of its parameters and batches, the same for every run that is to be compared."""

    def build(
        self,
        sentences: "Batch",
        space: "SequenceSpace",
        decode: "Callable[[list[int]], str]",
        device: "torch.device",
    ) -> "TextExtractor":
        """The network for such training sentences, trained at most once on one machine."""
        from seqgan.evaluation.text_extractor import (
            Encoder,
            LanguageModelSpec,
            kept_language_model,
        )

        if self.path is not None:
            return Encoder(self.path, decode, device)
        spec = LanguageModelSpec(space.vocab_size, space.length, self.updates, self.seed)
        return kept_language_model(spec, sentences)


class SelectionConfig(Config):
    """A rule that picks what is reported, the same for every arm; it uses validation data only."""

    metric: str | None = None
    """A metric of the validation evaluations, e.g. nll_valid; null: nothing is picked (the last
    checkpoint, the configured temperature)."""
    mode: Literal["min", "max"] = "min"
    """Whether the smallest or the largest value of the metric is best."""
    patience: Positive | None = None
    """Steps without a better value after which training stops; null: the schedule decides."""


class EvaluationConfig(Config):
    """Final evaluations use the test split, those during training the validation split."""

    samples: AtLeastTwo = 5_000
    """Generated samples per final evaluation."""
    samples_during_training: AtLeastTwo = 1_000
    """Generated samples per evaluation during training."""
    references: Positive = 5_000
    """Most reference sentences of BLEU; the number is recorded with the result."""
    temperature: Temperature = 1.0
    """Of the reported samples and densities alike; of a picture generator's noise."""
    sweep: bool = False
    """Also evaluate at every temperature and top-p below; `sweep_select` picks one of them."""
    sweep_temperatures: list[Temperature] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]
    """Temperatures of a sweep, each with top-p 1."""
    sweep_top_p: list[Annotated[float, Field(gt=0, le=1)]] = [0.8, 0.9]
    """Top-p values of a sweep: draw from the likeliest tokens that hold this much probability."""
    select: SelectionConfig = SelectionConfig()
    """Picks the checkpoint, never the initial network."""
    sweep_select: SelectionConfig = SelectionConfig(metric=DEFAULT_SWEEP_METRIC)
    """Picks the decoding of a sweep; settings with top-p below 1 have no nll_valid. For pictures
    name another metric, such as fid."""
    ngram_order: Annotated[int, Field(ge=1, le=6)] = 3
    """Order of the n-gram model that scores translations; for two kinds of text."""
    corrected_rows: bool | None = None
    """Whether final evaluations also measure samples that the critic corrects: exact ones, and the
    critic's choice of 16, which takes 16 times as long to draw; null: in game residual only."""
    feature_extractor: FeatureExtractorConfig = FeatureExtractorConfig()
    """The feature extractor of pictures."""
    text_features: TextFeaturesConfig = TextFeaturesConfig()
    """Measures of text on features of a network; for data of sentences."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1234
    """Seed of the generated sequences, the same in every evaluation."""

    @model_validator(mode="after")
    def _a_certificate_is_to_be_large(self) -> Self:
        if self.select.metric == CERTIFICATE and self.select.mode == "min":
            raise ValueError(
                "select.mode=min: with select.metric=certificate it picks the critic that is worth "
                "least; set select.mode to max"
            )
        return self

    @model_validator(mode="after")
    def _patience_waits_for_a_metric(self) -> Self:
        for field in ("select", "sweep_select"):
            rule = getattr(self, field)
            if rule.patience is not None and (rule.metric is None or field == "sweep_select"):
                raise ValueError(
                    f"{field}.patience={rule.patience} waits for no metric of training; set "
                    "select.metric too, or leave it out"
                )
        return self

    def check_data(
        self, data: DataPart, directions: Sequence[str], further: Sequence[str] = ()
    ) -> None:
        """Raises `ValueError` where there are too few samples for the data's metrics, or where a
        rule selects by what is not measured; `directions` of translation are those played, and
        training measures the `further` metrics too."""
        for field in ("samples", "samples_during_training"):
            count, least = getattr(self, field), data.least_samples
            if count < least:
                raise ValueError(
                    f"evaluation.{field}={count}: data {data.name} are measured by each sample's "
                    f"fifth nearest neighbour; raise it to {least} or more"
                )
        measured = data.measured(directions)
        for field in ("select", "sweep_select"):
            known = (*measured, *(further if field == "select" else ()))
            metric = getattr(self, field).metric
            unused = field == "sweep_select" and not self.sweep
            default = unused and metric == DEFAULT_SWEEP_METRIC  # which is for sequences
            if metric is None or default or base(metric) in known:
                continue
            now = new_metric(metric, data.name)
            hint = did_you_mean(metric, known) or ";"
            wrong = f"unknown{hint} choose from: {', '.join(known)}"
            if base(now) in known:
                wrong = f"has another name now; write {now}"
            raise ValueError(f"evaluation.{field}.metric='{metric}': {wrong}")
