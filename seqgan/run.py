"""Run folders: train into one, evaluate one. See docs/run-folder.md."""

import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL.Image import Image
from torch import Tensor

import seqgan
from seqgan.build.data import Task, build_data
from seqgan.build.game import build_device, build_game, build_generating_module
from seqgan.core.device import autocast, describe
from seqgan.core.errors import UserError, note, warn
from seqgan.core.lock import only_writer
from seqgan.core.picture_files import save_picture
from seqgan.core.progress import progress_bar
from seqgan.core.renamed import upgrade_budget, upgrade_report
from seqgan.core.reported import PhaseEffect, ReportedCheckpoint
from seqgan.core.saved_files import (
    read_json,
    read_json_object,
    remove_partial,
    to_json,
    write_json,
    write_text,
)
from seqgan.core.types import ArraySpace, SequenceSpace, Space, SpacePair
from seqgan.evaluation.decoding_grid import configured
from seqgan.evaluation.select import evaluate, rounds
from seqgan.evaluation.sheets import write_gif
from seqgan.experiment import Experiment, as_started, changes, load_run
from seqgan.outcome import is_finished, reported_checkpoint, selection_rule, training_outcome
from seqgan.probe.measure import Probe
from seqgan.run_folder import (
    FROM_A_COPY,
    check_head,
    check_vacant,
    making,
    write_head_checksums,
)
from seqgan.training.checkpoint import Checkpoints
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player, load_weights
from seqgan.training.trainer import Game, Metrics, Trainer

# ── Training ──────────────────────────────────────────────────────────────────────────────────


def train(experiment: Experiment, folder: Path) -> Path:
    """Train a new run. Everything that can be wrong is found before the folder is made."""
    check_vacant(folder)
    device = build_device(experiment)
    data = build_data(experiment, device, None)
    game = build_game(experiment, data, device)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        check_vacant(folder)  # again: another process may have been faster
        write_metadata(experiment, folder, data, device)
        tell_warnings(data)
        log_data_report(data.report)
        _train(experiment, folder, _trainer(experiment, folder, data, game, device))
    return folder


def resume(experiment: Experiment, folder: Path) -> Path:
    """Go on from the last checkpoint, to the configured or a raised number of steps."""
    with only_writer(folder):
        check_head(folder)
        device = build_device(experiment)
        data = build_data(experiment, device, folder)
        _check_same_data(folder, data)
        tell_warnings(data)
        trainer = _trainer(experiment, folder, data, build_game(experiment, data, device), device)
        trainer.restore()
        changed = changes(load_run(folder), experiment)
        if changed:
            told = (f"{key} {before} → {after}" for key, (before, after) in changed.items())
            print(f"resumed with {', '.join(told)}", file=sys.stderr)
        remove_partial(folder)
        _write_config(experiment, folder)
        (folder / "evaluation.json").unlink(missing_ok=True)
        _train(experiment, folder, trainer)
    return folder


def _check_same_data(folder: Path, data: Task) -> None:
    path = folder / "data.json"
    if not path.exists():
        return
    if _counted(upgrade_report(read_json(path, FROM_A_COPY))) != _counted(data.report):
        raise UserError(
            f"{path}: the data files have changed since the run started; put the former ones back, "
            "or start a new run"
        )


def _counted(report: dict[str, Any]) -> dict[str, Any]:
    """What was counted, without what is said about it: later versions may say more."""
    return {
        name: _counted(value) if isinstance(value, dict) else value
        for name, value in report.items()
        if name not in ("warnings", "bits")
    }


def _trainer(
    experiment: Experiment, folder: Path, data: Task, game: Game, device: torch.device
) -> Trainer:
    evaluation = experiment.evaluation
    player: Player[Any] = game.players["generator"]
    setting, count = configured(evaluation), evaluation.samples_during_training

    def validation_metrics(step: int) -> Metrics:
        with player.evaluated() as generator, autocast(device, experiment.train.precision):
            return data.evaluator.generated(generator, "valid", count, setting)

    def show(step: int) -> None:
        with player.evaluated() as generator, autocast(device, experiment.train.precision):
            shown = data.evaluator.show(generator, setting)
        shown.save(folder / "samples" / f"updates-{player.updates:08d}")

    return Trainer(
        game,
        PhaseSchedule(experiment.schedule),
        experiment.train,
        device,
        folder,
        validation_metrics,
        show,
        selection_rule(experiment),
        Probe(experiment, game.players, data, device).measure,
        None if experiment.probe is None else experiment.probe.every,
    )


def _train(experiment: Experiment, folder: Path, trainer: Trainer) -> None:
    if trainer.run():
        result = evaluate_run(experiment, folder, told=True)
        _tell_outcome(ReportedCheckpoint(**result["checkpoint"]), result)
        return
    print(
        f"stopped at step {trainer.step} of {trainer.schedule.steps}; "
        f"go on with: seqgan train --resume {folder}",
        file=sys.stderr,
    )
    _, checkpoint = open_reported(experiment, folder)
    _tell_outcome(checkpoint, training_outcome(experiment, folder))


def write_metadata(experiment: Experiment, folder: Path, data: Task, device: torch.device) -> None:
    with making(folder):
        write_json(folder / "run.json", {**_provenance(device), **as_started(experiment)})
        write_json(folder / "space.json", asdict(data.space))
        for name, tokenizer in data.tokenizers.items():
            (folder / name).mkdir(exist_ok=True)
            tokenizer.save(folder / name)
        if data.report:
            write_json(folder / "data.json", data.report)
        if data.shown_prompts:
            write_json(folder / PROMPTS_FILE, data.shown_prompts)
        write_head_checksums(folder)
        for name in ("checkpoints", "samples"):
            (folder / name).mkdir()
        _write_config(experiment, folder)  # last: it makes the folder a run


def tell_warnings(data: Task) -> None:
    """What may be wrong with the data, on stderr; whoever has built them says it once."""
    for warning in data.report.get("warnings", []):
        warn(warning)


def log_data_report(report: dict[str, Any], kind: str = "") -> None:
    """One line a split on stderr: what was read, left out, doubled or leaked."""
    for name in ("a", "b"):  # two kinds of pictures, each with a report of its own
        if name in report:
            log_data_report(report[name], f"{name}, ")
    for split in ("extractor", "train", "valid", "test"):
        if split in report:
            numbers = {k: v for k, v in report[split].items() if k != "sha256"}
            counts = ", ".join(f"{name} {value:.5g}" for name, value in numbers.items())
            print(f"{kind}{split}: {counts}", file=sys.stderr)


def _write_config(experiment: Experiment, folder: Path) -> None:
    text = OmegaConf.to_yaml(OmegaConf.create(experiment.model_dump()))
    write_text(folder / "config.yaml", text)


def _provenance(device: torch.device) -> dict[str, Any]:
    return {
        "seqgan": seqgan.__version__,
        "git_revision": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "hardware": f"{_processor()}, {describe(device)}",
        "device": str(device),
        "threads": torch.get_num_threads(),
        "command": " ".join(sys.argv),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _git(*arguments: str) -> str | None:
    source = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(source), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


# ── Finished runs ─────────────────────────────────────────────────────────────────────────────


def evaluate_run(
    experiment: Experiment, folder: Path, overrides: Sequence[str] = (), *, told: bool = False
) -> dict[str, Any]:
    """Evaluate the selected (or last) checkpoint on test data; writes evaluation.json, with the
    `overrides` that make it another evaluation than the configured one.

    `told`: the warnings about the data stand on stderr already.
    """
    device = build_device(experiment)
    state, checkpoint = open_reported(experiment, folder)
    data = build_data(experiment, device, folder)
    _check_same_data(folder, data)
    if not told:
        tell_warnings(data)
    config, evaluator = experiment.evaluation, data.evaluator
    generator = load_generator(experiment, data.space, state, device)
    settings = evaluator.settings(config, config.sweep)
    with progress_bar() as bar, autocast(device, experiment.train.precision):
        task = bar.add_task("evaluating", total=rounds(config, settings), note="")
        rows, shown = evaluate(evaluator, generator, config, settings, lambda: bar.advance(task))
        _write_sheets(folder, evaluator.sheets(generator))
    players = state["players"]
    changed = {"overrides": " ".join(overrides)} if overrides else {}
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
        "samples": shown.lines,
    }
    write_json(folder / "evaluation.json", result)
    return to_json(result)


def _write_sheets(folder: Path, sheets: dict[str, Image]) -> None:
    """Pictures about the finished generator, and the fixed noise's way through training."""
    for name, image in sheets.items():
        (folder / "pictures").mkdir(exist_ok=True)
        save_picture(image, folder / "pictures" / f"{name}.png")
    frames = sorted((folder / "samples").glob("updates-*.png"))
    if frames:
        write_gif(frames, folder / "samples" / "progress.gif")


def open_reported(
    experiment: Experiment, folder: Path
) -> tuple[dict[str, Any], ReportedCheckpoint]:
    """The selected checkpoint where a rule has picked one, else the last; and what it is.

    Where that checkpoint is damaged, the newest intact one stands in for it, and is told.
    """
    check_head(folder)
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    state, metric = checkpoints.load_reported()
    is_newest = metric is None or state["step"] == checkpoints.steps()[-1]
    finished = is_finished(experiment, checkpoints, state if is_newest else None)
    return state, reported_checkpoint(experiment, state, metric, finished)


def told_state(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """The reported checkpoint, for use; stderr says where in training it is from, if it is not the
    end of all of it."""
    state, checkpoint = open_reported(experiment, folder)
    _tell_checkpoint(checkpoint)
    return state


def tell_result(result: dict[str, Any]) -> None:
    """On stderr what a reader of an evaluation has to know."""
    for warning in result["warnings"]:
        warn(warning)
    _tell_checkpoint(ReportedCheckpoint(**result["checkpoint"]))


def _tell_outcome(checkpoint: ReportedCheckpoint, outcome: dict[str, Any]) -> None:
    """On stderr, last, what the adversarial phase did to the metric that selects."""
    for warning in outcome["warnings"]:
        warn(warning)
    effect = PhaseEffect.read(outcome["adversarial"])
    if effect is None:
        _tell_checkpoint(checkpoint)
    else:
        print(effect.beside(checkpoint), file=sys.stderr)


def _tell_checkpoint(checkpoint: ReportedCheckpoint) -> None:
    if checkpoint.needs_a_word:
        note(f"the reported checkpoint is {checkpoint}")


PROMPTS_FILE = "prompts.json"
"""Ids of validation prompts, for samples of a run that answers prompts."""


def read_prompts(folder: Path) -> Tensor:
    """`cond` [N, P]: the prompts that a run has kept."""
    path = folder / PROMPTS_FILE
    try:
        return torch.tensor(read_json(path, FROM_A_COPY), dtype=torch.long)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"{path}: damaged (not rows of ids); {FROM_A_COPY}") from None


def read_space(folder: Path) -> Space | SpacePair:
    """What the samples of a run look like."""
    path = folder / "space.json"
    tree = read_json_object(path, FROM_A_COPY)
    try:
        if "a" in tree:
            return SpacePair(_space(tree["a"]), _space(tree["b"]))
        return _space(tree)
    except (TypeError, KeyError):
        raise UserError(f"{path}: damaged (describes no samples); {FROM_A_COPY}") from None


def _space(tree: dict[str, Any]) -> Space:
    if "shape" in tree:
        return ArraySpace(tuple(tree["shape"]), tuple(tree["label_sizes"]))
    return SequenceSpace(**tree)


def load_generator(
    experiment: Experiment, space: Space | SpacePair, state: dict[str, Any], device: torch.device
) -> Any:
    """The player `generator` of a checkpoint, for use: averaged weights where there are any.

    Raises `UserError` if the configuration describes another one.
    """
    generator = build_generating_module(experiment, space).to(device)
    player = state["players"]["generator"]
    load_weights(generator, player.get("averaged", player["module"]), "generator")
    generator.eval().requires_grad_(False)
    return generator
