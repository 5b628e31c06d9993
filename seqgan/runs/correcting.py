"""A run's critic as the correction of its generator: rows and certificates of an evaluation, and
correction.json, which samples are drawn by afterwards. See docs/run-folder.md."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from seqgan.core.density_ratio import Calibration
from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.progress import AnyProgress
from seqgan.core.reported import critic_sentence
from seqgan.core.saved_files import read_json_object, to_json, write_json
from seqgan.core.types import Critic, Generator, Rollout, SequenceSpace
from seqgan.decoding.correction import Correction, Exact, OneOf, Rule, sample_corrected
from seqgan.evaluation.base import DecodingSetting, Metrics
from seqgan.evaluation.correctable import CorrectableEvaluator
from seqgan.evaluation.corrected import (
    AS_TRAINED,
    LEAST_HELD_OUT,
    SCORED_IN_TRAINING,
    SHOWN_BESIDE,
    corrected_rows,
    critic_progress,
    describe_worth,
    measure_worth,
    proposals,
)
from seqgan.evaluation.select import table_row
from seqgan.experiment import Experiment
from seqgan.metrics.certificate import Certificate
from seqgan.training.player import Player

CORRECTION_FILE = "correction.json"
MOST_RIVALS = 1_000
"""Samples of which one is kept, at most."""
_MEASURED_WITHOUT_ROWS = 2_000
"""Samples that a certificate takes at most where corrected generators have no rows."""


def why_not_corrected(experiment: Experiment, state: StateDict) -> str | None:
    """Why the critic of a checkpoint cannot correct its generator; None where it can."""
    reason = experiment.why_not_corrected
    if reason is None and state["players"]["critic"]["updates"] == 0:
        rule = experiment.evaluation.select.metric
        picked = (
            f", which evaluation.select.metric={rule} has picked; resume it with "
            "evaluation.select.metric=null to report the last one"
        )
        found = "its critic had not been trained at the reported checkpoint"
        return found + (picked if rule else "")
    return reason


# ── During training ───────────────────────────────────────────────────────────────────────────


def measure_progress(
    experiment: Experiment,
    evaluator: CorrectableEvaluator[Any],
    generator: Any,
    critic: Player[nn.Module],
) -> Metrics:
    """Validation metrics of a generator, and of its critic once that has learned anything."""
    config = experiment.evaluation
    count, setting = config.samples_during_training, DecodingSetting(config.temperature)
    draws = evaluator.draw(evaluator.plain(generator, setting), "valid", count)
    metrics = evaluator.measure(draws, "valid")
    if critic.updates == 0:
        return metrics
    if setting != AS_TRAINED:
        as_trained = evaluator.plain(generator, AS_TRAINED)
        draws = evaluator.draw(as_trained, "valid", min(count, SCORED_IN_TRAINING))
    clip = experiment.game.correction.clip
    with critic.evaluated() as network:
        return metrics | critic_progress(cast(Critic, network), draws, clip)


# ── Evaluation ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Corrected:
    """What evaluation found of a critic as a correction: rows of the table, and `correction` of
    evaluation.json."""

    rows: list[JsonObject]
    found: JsonObject


def evaluate_correction(
    experiment: Experiment,
    folder: Path,
    evaluator: CorrectableEvaluator[Any],
    generator: Any,
    critic: Critic,
    step: int,
    others: dict[str, list[str]],
    bar: AnyProgress,
) -> Corrected:
    """Measure it, and write correction.json; with too few sentences to do so, only say that.

    `others`: what other players have written, by label. Rows are measured where the experiment has
    them, as `bar` shows.
    """
    settings, samples = experiment.game.correction, experiment.evaluation.samples
    one_of, with_rows = settings.resample, experiment.has_corrected_rows
    if not with_rows:
        samples = min(samples, _MEASURED_WITHOUT_ROWS)
    plain = evaluator.lines(evaluator.plain(generator, AS_TRAINED), SHOWN_BESIDE)
    written = {"generator": plain, **others}
    worth = measure_worth(evaluator, generator, critic, samples, settings.clip)
    if worth is None:
        return Corrected([], {"sentence": _too_few(evaluator.unit), "samples": written})
    rows = []
    if with_rows:
        task = bar.add_task(
            "sampling with the critic", total=proposals(worth, samples, one_of), note=""
        )
        rows = corrected_rows(
            evaluator, generator, critic, worth, samples, one_of, partial(bar.advance, task)
        )
    resampled = worth.resampled(one_of, experiment.evaluation.seed)
    own = worth.critic
    found = {
        "sentence": critic_sentence(
            own.gain,
            own.low,
            own.high,
            worth.effective_samples,
            worth.alpha_at_limit,
            worth.counts,
            at_least=worth.scored.conditional,
            lowered=evaluator.lowered,
            unit=evaluator.unit,
        ),
        "unit": evaluator.unit,
        "at_least": worth.scored.conditional,
        "certificate": asdict(own),
        "corrected": asdict(worth.corrected),
        "resampled": None if resampled is None else {"n": one_of, **asdict(resampled)},
        "calibration": asdict(worth.calibration),
        "log_z": worth.log_z,
        **describe_worth(worth),
        "samples": {**written, **{row.label: row.lines for row in rows}},
    }
    _write(folder, worth.calibration, worth.log_z, step)
    return Corrected([table_row(row.label, row.metrics) for row in rows], found)


def read_certificate(folder: Path, evaluation: JsonObject) -> Certificate:
    """The critic's own certificate in evaluation.json. Raises `UserError` where it has none."""
    found = evaluation.get("correction")
    if (too_few := _why_without(found)) is not None:
        raise UserError(f"{folder}: {too_few}")
    if not isinstance(found, dict) or not isinstance(found.get("certificate"), dict):
        raise UserError(f"{folder}: has no certificate yet; run 'seqgan evaluate {folder}'")
    try:
        return Certificate(**found["certificate"])
    except TypeError:
        raise UserError(
            f"{folder / 'evaluation.json'}: damaged ('certificate'); run 'seqgan evaluate' again"
        ) from None


def _too_few(unit: str) -> str:
    return (
        f"too few held-out {unit}s to tell what the critic is worth: it takes at least "
        f"{LEAST_HELD_OUT} for validation and {LEAST_HELD_OUT} for the test"
    )


def _why_without(found: object) -> str | None:
    """The sentence of an evaluation that could measure no certificate; None where it could."""
    if not isinstance(found, dict) or "certificate" in found:
        return None
    return found.get("sentence")


# ── correction.json ───────────────────────────────────────────────────────────────────────────


def _write(folder: Path, calibration: Calibration, log_z: float, step: int) -> None:
    content = {**asdict(calibration), "log_z": log_z, "step": step}
    write_json(folder / CORRECTION_FILE, {**content, "sha256": _digest(content)})


def _digest(content: JsonObject) -> str:
    text = json.dumps(to_json(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_calibration(folder: Path, step: int) -> Calibration:
    """The calibration of the checkpoint of this step. Raises `UserError` where there is none."""
    path, remedy = folder / CORRECTION_FILE, f"run 'seqgan evaluate {folder}'"
    if not path.exists():
        _check_enough(folder)
        raise UserError(f"{folder}: has no correction yet; {remedy}")
    content = read_json_object(path, remedy)
    digest = content.pop("sha256", None)
    if digest != _digest(content):
        raise UserError(f"{path}: damaged (not what was written, by its checksum); {remedy}")
    of_step, _ = content.pop("step"), content.pop("log_z")
    if of_step != step:
        raise UserError(f"{path}: is of step {of_step}, not of the reported {step}; {remedy}")
    return Calibration(**content)


def _check_enough(folder: Path) -> None:
    """Raise `UserError` where an evaluation has found too few sentences for a correction."""
    path = folder / "evaluation.json"
    if path.exists():
        found = read_json_object(path, "run 'seqgan evaluate' again").get("correction")
        if (too_few := _why_without(found)) is not None:
            raise UserError(f"{folder}: has no correction; {too_few}")


# ── Samples ───────────────────────────────────────────────────────────────────────────────────


def read_rule(correct: str | int) -> Rule:
    """`exact`, or a number of samples of which one is kept."""
    if correct == "exact":
        return Exact()
    rivals = int(correct) if type(correct) in (int, str) and str(correct).isdecimal() else 0
    if not 2 <= rivals <= MOST_RIVALS:
        raise UserError(
            f"correct={correct}: choose exact, or keep one of 2 to {MOST_RIVALS:,} samples, as 16"
        )
    return OneOf(rivals)


@dataclass(slots=True)
class CorrectedWriter:
    """Writes sentences of the corrected generator, and counts what that took."""

    generator: Generator
    correction: Correction
    rule: Rule
    space: SequenceSpace
    kept: int = 0
    tried: float = 0.0

    def sample(self, rows: int, cond: Tensor | None = None) -> Rollout:
        drawn = sample_corrected(self.generator, self.correction, self.space, rows, self.rule, cond)
        self.kept += rows
        self.tried += rows / drawn.acceptance
        return drawn.rollout

    @property
    def acceptance(self) -> float:
        """Share of the generator's samples that were kept."""
        return self.kept / self.tried
