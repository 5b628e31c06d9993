"""Rules pick by what is measured; a probe measures what could be trained."""

from typing import TYPE_CHECKING

from seqgan.checks.estimators import check_estimator
from seqgan.checks.kinds import DIRECT_DATA, UNPAIRED_TEXT
from seqgan.core.errors import did_you_mean
from seqgan.core.metric_names import base
from seqgan.evaluation.config import (
    CYCLE_METRICS,
    DEFAULT_SWEEP_METRIC,
    LEAST_NEIGHBOURS,
    ORACLE_METRICS,
    PICTURE_METRICS,
    POINT_METRICS,
    PROMPTED_METRICS,
    TEXT_METRICS,
    TRANSLATION_METRICS,
)
from seqgan.games.config import CycleGameConfig, PairedGameConfig

if TYPE_CHECKING:
    from seqgan.experiment import Experiment


METRICS = {
    "oracle": ORACLE_METRICS,
    "text": TEXT_METRICS,
    "huggingface": TEXT_METRICS,
    "points": POINT_METRICS,
    "pictures": PICTURE_METRICS,
    "unpaired": CYCLE_METRICS,
    "conditional_oracle": ORACLE_METRICS,
    "prompted_text": PROMPTED_METRICS,
    **dict.fromkeys(UNPAIRED_TEXT, TRANSLATION_METRICS),
}
"""What can be selected by, by kind of data."""


def check_probe(experiment: "Experiment") -> None:
    """Every probed estimator could be the experiment's own."""
    probe = experiment.probe
    if probe is None:
        return
    if experiment.game.name not in ("adversarial", "conditional") or (
        experiment.data.name in DIRECT_DATA
    ):
        raise ValueError(
            f"probe: game.name={experiment.game.name} on data.name={experiment.data.name} has no "
            "estimators of discrete tokens to compare; remove it"
        )
    for row in probe.estimators:
        try:
            check_estimator(experiment.model_copy(update={"estimator": row.estimator}))
        except ValueError as error:
            raise ValueError(f"probe.estimators, '{row.label}': {error}") from error


def check_samples(experiment: "Experiment") -> None:
    if experiment.data.name not in ("pictures", "points"):
        return
    for field in ("samples", "samples_during_training"):
        count = getattr(experiment.evaluation, field)
        if count < LEAST_NEIGHBOURS:
            raise ValueError(
                f"evaluation.{field}={count}: data {experiment.data.name} are measured by each "
                f"sample's fifth nearest neighbour; raise it to {LEAST_NEIGHBOURS} or more"
            )


def check_selection(experiment: "Experiment") -> None:
    known = _measured(experiment)
    for field in ("select", "sweep_select"):
        rule = getattr(experiment.evaluation, field)
        metric = rule.metric
        if rule.patience is not None and (metric is None or field == "sweep_select"):
            raise ValueError(
                f"evaluation.{field}.patience={rule.patience} waits for no metric of training; set "
                "evaluation.select.metric too, or leave it out"
            )
        unused = field == "sweep_select" and not experiment.evaluation.sweep
        if unused and metric == DEFAULT_SWEEP_METRIC:  # the default, which is for sequences
            continue
        if metric is not None and base(metric) not in known:
            hint = did_you_mean(metric, known) or ";"
            raise ValueError(
                f"evaluation.{field}.metric='{metric}': unknown{hint} choose from: "
                f"{', '.join(known)}"
            )


def _measured(experiment: "Experiment") -> tuple[str, ...]:
    """What the validation of this experiment measures: of translations, those that are played."""
    known, game = METRICS[experiment.data.name], experiment.game
    if known is not TRANSLATION_METRICS or not isinstance(game, CycleGameConfig | PairedGameConfig):
        return known
    ends = tuple(f"_{way}" for way in game.directions)
    return tuple(name for name in known if name == "label_free" or name.endswith(ends))
