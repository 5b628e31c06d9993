"""What a run reports and what its phases did, from its schedule, its log and its checkpoints."""

from dataclasses import asdict
from pathlib import Path

from seqgan.core.metric_names import find
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.renamed import new_metric
from seqgan.core.reported import PhaseEffect, ReportedCheckpoint
from seqgan.experiment import Experiment
from seqgan.runs.folder import check_head
from seqgan.training.checkpoint import Checkpoints
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.runlog import read_evaluations
from seqgan.training.selection import Selection


def selection_rule(experiment: Experiment) -> Selection:
    """The configured rule, as the trainer takes it."""
    rule = experiment.evaluation.select
    return Selection(rule.metric, rule.mode, rule.patience, experiment.data.name)


def reported_checkpoint(
    experiment: Experiment, state: StateDict, metric: str | None, finished: bool
) -> ReportedCheckpoint:
    """What `state`, the checkpoint that a run is judged by, is; `metric` has selected it."""
    schedule, step = PhaseSchedule(experiment.schedule), state["step"]
    begins = schedule.first_visit(experiment.game.adversarial_phases)
    return ReportedCheckpoint(
        step,
        schedule.steps,
        finished,
        metric and new_metric(metric, experiment.data.name),
        experiment.game.adversarial_name if begins is not None and step <= begins else None,
        state["players"]["generator"]["updates"] > 0,
    )


def open_reported(experiment: Experiment, folder: Path) -> tuple[StateDict, ReportedCheckpoint]:
    """The selected checkpoint where a rule has picked one, else the last; and what it is.

    Where that checkpoint is damaged, the newest intact one stands in for it, with a warning.
    """
    check_head(folder)
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    state, metric = checkpoints.load_reported()
    is_newest = metric is None or state["step"] == checkpoints.steps()[-1]
    finished = is_finished(experiment, checkpoints, state if is_newest else None)
    return state, reported_checkpoint(experiment, state, metric, finished)


def is_finished(experiment: Experiment, checkpoints: Checkpoints, newest: StateDict | None) -> bool:
    """Whether the schedule ended, or the rule stopped it. `newest`: the newest intact state, where
    it has been read."""
    if checkpoints.steps()[-1] >= PhaseSchedule(experiment.schedule).steps:
        return True
    rule = selection_rule(experiment)
    if rule.patience is None:
        return False
    newest = newest or checkpoints.load_newest()
    return rule.waited_long_enough(newest["best"], newest["step"])


def training_outcome(experiment: Experiment, folder: Path) -> JsonObject:
    """`adversarial`, the fields of a `PhaseEffect` or None, and `warnings`, lines for people."""
    rule = experiment.evaluation.select
    evaluations = read_evaluations(folder / "metrics.jsonl")
    values: dict[int, float | None] = {}
    for line in evaluations:
        metrics = {new_metric(k, experiment.data.name): v for k, v in line["metrics"].items()}
        name = find(rule.metric, metrics) if rule.metric else None
        values[line["step"]] = metrics[name] if name else None
    effect = _effect(experiment, {s: v for s, v in values.items() if v is not None})
    stuck = [] if rule.metric is None else _standing_still(rule.metric, values)
    return {"adversarial": None if effect is None else asdict(effect), "warnings": stuck}


def _effect(experiment: Experiment, values: dict[int, float]) -> PhaseEffect | None:
    """None without an adversarial phase, a selection metric, or a value on either side."""
    game, rule = experiment.game, experiment.evaluation.select
    begins = PhaseSchedule(experiment.schedule).first_visit(game.adversarial_phases)
    if begins is None:
        return None
    earlier = [step for step in values if step <= begins]
    later = [step for step in values if step > begins]
    if rule.metric is None or not earlier or not later:
        return None
    first, last = earlier[-1], later[-1]
    name, metric = game.adversarial_name, rule.metric
    return PhaseEffect(name, metric, rule.mode, values[first], first, values[last], last)


def _standing_still(metric: str, values: dict[int, float | None]) -> list[str]:
    """A rule picks nothing by a metric that is the same at every evaluation of a training."""
    if len(values) < 2 or len(set(values.values())) > 1:
        return []
    value = next(iter(values.values()))
    what = "had no value" if value is None else f"was {value:.5g}"
    return [
        f"evaluation.select.metric={metric} {what} at each of {len(values)} evaluations, so "
        "nothing was selected by merit; check that the run learns, or select by another metric"
    ]
