"""Evaluation of a run on test data: the rows of evaluation.json, and sheets of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from PIL.Image import Image

from seqgan.assembly import build_device, build_task
from seqgan.core.device import autocast
from seqgan.core.metric_names import CERTIFICATE, CRITIC_METRICS
from seqgan.core.picture_files import save_picture
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.progress import AnyProgress, progress_bar
from seqgan.core.renamed import upgrade_budget
from seqgan.core.reported import OTHER_WRITERS
from seqgan.core.saved_files import to_json, write_json
from seqgan.core.types import Critic
from seqgan.evaluation.correctable import CorrectableEvaluator
from seqgan.evaluation.corrected import AS_TRAINED, SHOWN_BESIDE
from seqgan.evaluation.select import evaluate, rounds, table_row
from seqgan.evaluation.sheets import write_gif
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment, says_where_data_are
from seqgan.runs.correcting import (
    CORRECTION_FILE,
    Corrected,
    evaluate_correction,
    why_not_corrected,
)
from seqgan.runs.folder import check_same_data
from seqgan.runs.messages import report_warnings
from seqgan.runs.outcome import open_reported, training_outcome
from seqgan.runs.weights import load_critic, load_generator


def evaluate_run(
    experiment: Experiment, folder: Path, data: Task | None = None, overrides: Sequence[str] = ()
) -> JsonObject:
    """Evaluate the selected (or last) checkpoint on test data; writes evaluation.json, with the
    `overrides` that make it another evaluation than the configured one.

    `data`: those that the run was trained on, where they are at hand; else they are read again.
    """
    device = build_device(experiment)
    state, checkpoint = open_reported(experiment, folder)
    if data is None:
        data = build_task(experiment, device, folder)
        check_same_data(folder, data.report)
        report_warnings(data.report)
    config, evaluator = experiment.evaluation, data.evaluator
    generator = load_generator(experiment, data.space, state, device)
    settings = evaluator.settings(config, config.sweep)
    with progress_bar() as bar, autocast(device, experiment.train.precision):
        total = rounds(evaluator, config, settings) + len(_other_writers(state))
        advance = partial(bar.advance, bar.add_task("evaluating", total=total, note=""))
        rows, shown = evaluate(evaluator, generator, config, settings, advance)
        _write_sheets(folder, evaluator.sheets(generator))
        others, written = _measure_others(experiment, data, state, device, advance)
        corrected = _correct(experiment, folder, data, generator, state, written, device, bar)
    if corrected and "certificate" in corrected.found:
        selected = next(row for row in rows if row["selected"])
        selected["metrics"] |= {name: corrected.found[name] for name in CRITIC_METRICS[:2]}
        selected["metrics"][CERTIFICATE] = corrected.found["certificate"]["gain"]
    rows[len(settings) : len(settings)] = [*others, *(corrected.rows if corrected else [])]
    players = state["players"]
    other = [override for override in overrides if not says_where_data_are(override, folder)]
    changed = {"overrides": " ".join(other)} if other else {}
    result = {
        "split": "test",
        "finished": checkpoint.finished,
        "step": state["step"],
        "seconds": round(state["seconds"], 3),
        **upgrade_budget(state["budget"]),
        **{f"{name}_updates": player["updates"] for name, player in players.items()},
        "checkpoint": asdict(checkpoint),
        **training_outcome(experiment, folder),
        "selection": config.select.model_dump(),
        "sweep_selection": config.sweep_select.model_dump() if config.sweep else None,
        "rows": rows,
        "notes": {"samples": config.samples, **evaluator.notes, **changed},
        "correction": corrected and corrected.found,
        "samples": shown.lines,
    }
    write_json(folder / "evaluation.json", result)
    return to_json(result)


def _other_writers(state: StateDict) -> dict[str, str]:
    """The players that write as the generator does, and their labels."""
    return {name: label for name, label in OTHER_WRITERS.items() if name in state["players"]}


def _measure_others(
    experiment: Experiment,
    data: Task,
    state: StateDict,
    device: torch.device,
    advance: Callable[[], None],
) -> tuple[list[JsonObject], dict[str, list[str]]]:
    """Rows of the other writers at T = 1, as those of the corrected generator are, and a few
    samples of each; `advance` after each."""
    samples, rows, written = experiment.evaluation.samples, [], {}
    for name, label in _other_writers(state).items():
        writer = load_generator(experiment, data.space, state, device, name)
        metrics = data.evaluator.generated(writer, "test", samples, AS_TRAINED)
        rows.append(table_row(label, metrics))
        written[label] = list(data.evaluator.show(writer, AS_TRAINED).lines[:SHOWN_BESIDE])
        advance()
    return rows, written


def _correct(
    experiment: Experiment,
    folder: Path,
    data: Task,
    generator: Any,
    state: StateDict,
    written: dict[str, list[str]],
    device: torch.device,
    bar: AnyProgress,
) -> Corrected | None:
    """The critic as a correction of the generator, where it can be one; where rows of it are asked
    for, else why not."""
    (folder / CORRECTION_FILE).unlink(missing_ok=True)
    reason = why_not_corrected(experiment, state)
    if reason is not None and experiment.has_corrected_rows:
        sentence = f"the critic corrects nothing: {reason}"
        return Corrected([], {"sentence": sentence, "samples": written})
    if reason is not None or not isinstance(data.evaluator, CorrectableEvaluator):
        return None
    critic = load_critic(experiment, data.space, state, device)
    assert critic is not None, "there is a critic"
    evaluator, step = data.evaluator, state["step"]
    return evaluate_correction(
        experiment, folder, evaluator, generator, cast(Critic, critic), step, written, bar
    )


def _write_sheets(folder: Path, sheets: dict[str, Image]) -> None:
    """Pictures about the finished generator, and how samples of fixed noise changed in training."""
    for name, image in sheets.items():
        (folder / "pictures").mkdir(exist_ok=True)
        save_picture(image, folder / "pictures" / f"{name}.png")
    frames = sorted((folder / "samples").glob("updates-*.png"))
    if frames:
        write_gif(frames, folder / "samples" / "progress.gif")
