"""What training and evaluation say on stderr about data, checkpoints and results."""

import sys

from seqgan.core.errors import note, warn
from seqgan.core.plain import JsonObject
from seqgan.core.reported import PhaseEffect, ReportedCheckpoint


def report_warnings(report: JsonObject) -> None:
    """What may be wrong with the data. To be called once, by what has read them."""
    for warning in report.get("warnings", []):
        warn(warning)


def log_data_report(report: JsonObject, kind: str = "") -> None:
    """One line per split: what was read, left out, doubled or leaked."""
    for name in ("a", "b"):  # two kinds of pictures, each with a report of its own
        if name in report:
            log_data_report(report[name], f"{name}, ")
    for split in ("extractor", "train", "valid", "test"):
        if split in report:
            numbers = {k: v for k, v in report[split].items() if k != "sha256"}
            counts = ", ".join(f"{name} {value:.5g}" for name, value in numbers.items())
            print(f"{kind}{split}: {counts}", file=sys.stderr)


def report_result(result: JsonObject) -> None:
    """What a reader of an evaluation has to know."""
    for warning in result["warnings"]:
        warn(warning)
    report_checkpoint(ReportedCheckpoint(**result["checkpoint"]))


def report_outcome(checkpoint: ReportedCheckpoint, outcome: JsonObject) -> None:
    """The last lines of training: what the adversarial phase did to the metric that selects."""
    for warning in outcome["warnings"]:
        warn(warning)
    effect = PhaseEffect.read(outcome["adversarial"])
    if effect is None:
        report_checkpoint(checkpoint)
    else:
        print(effect.beside(checkpoint), file=sys.stderr)


def report_checkpoint(checkpoint: ReportedCheckpoint) -> None:
    """Where in training a checkpoint is from, unless it is the end of all of it."""
    if checkpoint.needs_a_word:
        note(f"the reported checkpoint is {checkpoint}")
