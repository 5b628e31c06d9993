"""Training: a new run, or more of one. See docs/run-folder.md."""

import platform
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seqgan
from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.device import autocast, describe
from seqgan.core.errors import UserError
from seqgan.core.lock import only_writer
from seqgan.core.plain import JsonObject
from seqgan.core.reported import ReportedCheckpoint
from seqgan.core.saved_files import remove_partial, write_json, write_text
from seqgan.core.yaml_text import format_yaml
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.correctable import CorrectableEvaluator
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment, as_started, changes, load_run
from seqgan.probe.measure import measure
from seqgan.reporting.terminal import print_correction, print_rows
from seqgan.runs.correcting import CORRECTION_FILE, measure_progress
from seqgan.runs.evaluate import evaluate_run
from seqgan.runs.folder import (
    PROMPTS_FILE,
    check_head,
    check_same_data,
    check_vacant,
    making,
    write_head_checksums,
)
from seqgan.runs.messages import log_data_report, report_outcome, report_warnings
from seqgan.runs.outcome import open_reported, selection_rule, training_outcome
from seqgan.runs.saved import SavedRun
from seqgan.training.alarms import Alarms
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player
from seqgan.training.selection import Metrics
from seqgan.training.trainer import Trainer


def train(experiment: Experiment, folder: Path | str | None = None) -> SavedRun:
    """Train a new run, and evaluate it. Everything that can be wrong is found before its folder is
    made.

    `folder` defaults to `run.dir` of the configuration, else to runs/<name>-<time>.
    Raises `UserError` for what cannot be trained, `NonFiniteError` where training fails, and
    `Interrupted` after Ctrl-C or SIGTERM, when the run is saved.
    """
    if not isinstance(experiment, Experiment):
        file = str(experiment) if isinstance(experiment, str | Path) else "FILE.yaml"
        raise UserError(
            f"experiment={experiment!r}: is no experiment; give seqgan.load_experiment({file!r})"
        )
    folder = _default_folder(experiment) if folder is None else Path(folder)
    check_vacant(folder)
    device = build_device(experiment)
    data = build_task(experiment, device, None)
    game = build_game(experiment, data, device)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        check_vacant(folder)  # again: another process may have been faster
        write_metadata(experiment, folder, data, device)
        report_warnings(data.report)
        log_data_report(data.report)
        _train(experiment, folder, data, _trainer(experiment, folder, data, game, device))
    return SavedRun(experiment, folder)


def _default_folder(experiment: Experiment) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path(experiment.run.dir or f"runs/{experiment.name}-{stamp}")


def resume(experiment: Experiment, folder: Path) -> SavedRun:
    """Go on from the last checkpoint, to the configured or a raised number of steps."""
    with only_writer(folder):
        check_head(folder)
        device = build_device(experiment)
        data = build_task(experiment, device, folder)
        check_same_data(folder, data.report)
        report_warnings(data.report)
        trainer = _trainer(experiment, folder, data, build_game(experiment, data, device), device)
        trainer.restore()
        before = load_run(folder)
        trainer.schedule.check_past(PhaseSchedule(before.schedule), trainer.step)
        changed = changes(before, experiment)
        if changed:
            shown = (f"{key} {before} → {after}" for key, (before, after) in changed.items())
            print(f"resumed with {', '.join(shown)}", file=sys.stderr)
        remove_partial(folder)
        _write_config(experiment, folder)
        for name in ("evaluation.json", CORRECTION_FILE):
            (folder / name).unlink(missing_ok=True)
        _train(experiment, folder, data, trainer)
    return SavedRun(experiment, folder)


def _trainer(
    experiment: Experiment, folder: Path, data: Task, game: Game, device: torch.device
) -> Trainer:
    evaluation = experiment.evaluation
    player: Player[Any] = game.players["generator"]
    setting, count = DecodingSetting(evaluation.temperature), evaluation.samples_during_training

    def validation_metrics(step: int) -> Metrics:
        with player.evaluated() as generator, autocast(device, experiment.train.precision):
            evaluator = data.evaluator
            corrected = experiment.why_not_corrected is None
            if corrected and isinstance(evaluator, CorrectableEvaluator):
                return measure_progress(experiment, evaluator, generator, game.players["critic"])
            return evaluator.generated(generator, "valid", count, setting)

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
        partial(measure, experiment, game.players, data, device),
        None if experiment.probe is None else experiment.probe.every,
        _alarms(experiment),
    )


def _alarms(experiment: Experiment) -> Alarms | None:
    """What watches that neither player stops; None where the generator's rewards are a control
    without information."""
    if experiment.is_control:
        return None
    objective, players = experiment.objective, experiment.players
    rates = {"generator": players.generator.lr, "critic": players.critic.lr}
    return Alarms(
        PhaseSchedule(experiment.schedule),
        experiment.game.adversarial_phases,
        objective is not None and objective.separates_at_zero,
        [name for name, rate in rates.items() if rate == 0],
    )


def _train(experiment: Experiment, folder: Path, data: Task, trainer: Trainer) -> None:
    if trainer.run():
        result = evaluate_run(experiment, folder, data)
        report_outcome(ReportedCheckpoint(**result["checkpoint"]), result)
        if result["correction"] is not None:
            if experiment.has_corrected_rows:
                print_rows(result["rows"], stderr=True)
            print_correction(result["correction"], stderr=True)
        return
    print(
        f"stopped at step {trainer.step} of {trainer.schedule.steps}; "
        f"go on with: seqgan train --resume {folder}",
        file=sys.stderr,
    )
    _, checkpoint = open_reported(experiment, folder)
    report_outcome(checkpoint, training_outcome(experiment, folder))


def write_metadata(experiment: Experiment, folder: Path, data: Task, device: torch.device) -> None:
    with making(folder):
        write_json(folder / "run.json", {**_provenance(device), **as_started(experiment)})
        write_json(folder / "space.json", asdict(data.space))
        for name, tokenizer in data.tokenizers.items():
            (folder / name).mkdir(exist_ok=True)
            tokenizer.save(folder / name)
        if data.report:
            write_json(folder / "data.json", data.report)
        if data.prompts is not None:
            write_json(folder / PROMPTS_FILE, data.prompts.shown)
        write_head_checksums(folder)
        for name in ("checkpoints", "samples"):
            (folder / name).mkdir()
        _write_config(experiment, folder)  # last: it makes the folder a run


def _write_config(experiment: Experiment, folder: Path) -> None:
    write_text(folder / "config.yaml", format_yaml(experiment.model_dump()))


def _provenance(device: torch.device) -> JsonObject:
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
