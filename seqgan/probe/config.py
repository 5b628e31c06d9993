"""Configuration of the probe."""

from typing import Annotated

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.estimators.config import AnyEstimatorConfig

Positive = Annotated[int, Field(gt=0)]


class ProbedEstimator(Config):
    """One row of the table."""

    label: str
    """What tables and figures call it."""
    estimator: AnyEstimatorConfig
    """The estimator, with the experiment's batch size."""


class ProbeConfig(Config):
    """Bias, variance and cost of gradient estimates, all at the same parameters."""

    estimators: Annotated[list[ProbedEstimator], Field(min_length=1)]
    """What is measured."""
    samples: Annotated[int, Field(ge=40)] = 400
    """Independent gradient estimates of each estimator, a batch each."""
    reference_batches: Annotated[int, Field(ge=40)] = 2000
    """Batches of the leave-one-out estimate that stands for the truth where not all sentences can
    be listed."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """Steps of the schedule that are trained before `seqgan probe CONFIG` measures."""
    fit: Annotated[int, Field(ge=0)] = 300
    """Updates of a learned baseline or control variate before its estimator is measured."""
    every: Positive | None = None
    """Steps of training between probes, which then stand in metrics.jsonl; null: never."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of every estimator's samples."""

    @model_validator(mode="after")
    def _labels_differ(self) -> "ProbeConfig":
        labels = [row.label for row in self.estimators]
        doubles = sorted({label for label in labels if labels.count(label) > 1})
        if doubles:
            raise ValueError(f"estimators: the label '{doubles[0]}' is used twice; rename one")
        return self
