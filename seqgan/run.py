"""Run folders: train into one, evaluate one, sample from one. See docs/run-folder.md."""

import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

import seqgan
from seqgan.build import DataSide, build_data, build_device, build_game
from seqgan.core.device import autocast, describe
from seqgan.core.errors import UserError
from seqgan.core.rng import isolated
from seqgan.core.types import Generator, Space
from seqgan.data.config import OracleDataConfig
from seqgan.data.tokenizers import load_tokenizer
from seqgan.decoding import Ancestral, sample
from seqgan.evaluation.decoding_grid import configured, grid
from seqgan.evaluation.select import evaluate
from seqgan.experiment import Experiment
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.mle import MleGame
from seqgan.models.build import build_generator
from seqgan.training.checkpoint import Checkpoints
from seqgan.training.player import Player
from seqgan.training.runlog import progress_bar, to_json
from seqgan.training.schedule import Schedule
from seqgan.training.trainer import Metrics, Selection, Trainer

# ── Training ──────────────────────────────────────────────────────────────────────────────────


def train(experiment: Experiment, folder: Path) -> Path:
    """Train a new run. Everything that can be wrong is found before the folder is made."""
    if any(part.is_file() for part in (folder, *folder.parents)):
        raise UserError(f"run.dir={str(folder)!r}: there is a file in its way; choose another")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"run.dir={str(folder)!r}: already holds something; resume it with "
            f"'train --resume {folder}', or choose another folder"
        )
    device = build_device(experiment)
    data = build_data(experiment, device, None)
    game = build_game(experiment, data, device)
    _write_head(experiment, folder, data, device)
    _tell_about(data.report)
    _train(experiment, folder, data, game, device, resume=False)
    return folder


def resume(experiment: Experiment, folder: Path) -> Path:
    """Go on from the last checkpoint, to the configured or a raised number of steps."""
    device = build_device(experiment)
    data = build_data(experiment, device, folder)
    _check_same_data(folder, data)
    game = build_game(experiment, data, device)
    _write_config(experiment, folder)
    (folder / "evaluation.json").unlink(missing_ok=True)
    _train(experiment, folder, data, game, device, resume=True)
    return folder


def _check_same_data(folder: Path, data: DataSide) -> None:
    path = folder / "data.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != data.report:
        raise UserError(
            f"{path}: the data files have changed since the run started; put the former ones back, "
            "or start a new run"
        )


def _train(
    experiment: Experiment,
    folder: Path,
    data: DataSide,
    game: MleGame | AdversarialGame,
    device: torch.device,
    resume: bool,
) -> None:
    evaluation = experiment.evaluation
    player: Player[Generator] = game.players["generator"]

    def validation_metrics(step: int) -> Metrics:
        with player.evaluated() as generator, autocast(device, experiment.train.precision):
            metrics, samples = data.evaluator.generated(
                generator, "valid", evaluation.samples_during_training, configured(evaluation)
            )
        path = folder / "samples" / f"step-{step:08d}.txt"
        path.write_text("\n".join(samples) + "\n", encoding="utf-8")
        return metrics

    trainer = Trainer(
        game,
        Schedule(experiment.schedule),
        experiment.train,
        device,
        folder,
        validation_metrics,
        Selection(evaluation.select.metric, evaluation.select.mode),
    )
    if trainer.run(resume):
        evaluate_run(experiment, folder)
        return
    print(
        f"stopped at step {trainer.step} of {trainer.schedule.steps}; "
        f"go on with: seqgan train --resume {folder}",
        file=sys.stderr,
    )


def _write_head(experiment: Experiment, folder: Path, data: DataSide, device: torch.device) -> None:
    for name in ("checkpoints", "samples"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_json(folder / "run.json", _provenance(device))
    _write_json(folder / "space.json", asdict(data.space))
    if data.tokenizer is not None:
        data.tokenizer.save(folder)
        _write_json(folder / "data.json", data.report)
    _write_config(experiment, folder)  # last: it makes the folder a run


def _tell_about(report: dict[str, Any]) -> None:
    """One line a split on stderr: what was read, left out, doubled or leaked."""
    for split in ("train", "valid", "test"):
        if split in report:
            numbers = {k: v for k, v in report[split].items() if k != "sha256"}
            counts = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            print(f"{split}: {counts}", file=sys.stderr)


def _write_config(experiment: Experiment, folder: Path) -> None:
    text = OmegaConf.to_yaml(OmegaConf.create(experiment.model_dump()))
    (folder / "config.yaml").write_text(text, encoding="utf-8")


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


def evaluate_run(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Evaluate the selected (or last) checkpoint on test data; writes evaluation.json."""
    device = build_device(experiment)
    state, last_step = _reported_state(folder)
    data = build_data(experiment, device, folder)
    _check_same_data(folder, data)
    sweep = experiment.evaluation.sweep
    generator = _load_generator(experiment, data.space, state, device)
    config = experiment.evaluation
    with progress_bar() as bar, autocast(device, experiment.train.precision):
        settings = len(grid(config)) if sweep else 1
        task = bar.add_task("evaluating", total=settings, note="")
        rows, shown = evaluate(data.evaluator, generator, config, sweep, lambda: bar.advance(task))
    players = state["players"]
    result = {
        "split": "test",
        "finished": last_step >= Schedule(experiment.schedule).steps,
        "step": state["step"],
        "seconds": round(state["seconds"], 3),
        **{f"{name}_updates": player["updates"] for name, player in players.items()},
        "selection": config.select.model_dump(),
        "sweep_selection": config.sweep_select.model_dump() if sweep else None,
        "rows": rows,
        "notes": {"samples": config.samples, **data.evaluator.notes},
        "samples": shown,
    }
    _write_json(folder / "evaluation.json", result)
    return to_json(result)


def _reported_state(folder: Path) -> tuple[dict[str, Any], int]:
    """The selected checkpoint where a rule has picked one, else the last; and the last step."""
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    selected = checkpoints.selected()
    steps = checkpoints.steps()
    if not steps:
        raise UserError(f"{folder}: no checkpoint yet; train it first")
    return checkpoints.load(selected["step"] if selected else steps[-1]), steps[-1]


def _load_generator(
    experiment: Experiment, space: Space, state: dict[str, Any], device: torch.device
) -> Generator:
    generator = build_generator(experiment.generator, space).to(device)
    player = state["players"]["generator"]
    generator.load_state_dict(player.get("averaged", player["module"]))
    generator.eval().requires_grad_(False)
    return generator


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What `seqgan sample` asks for."""

    rows: int
    temperature: float
    top_p: float
    seed: int
    format: str


_SAMPLE_BLOCK = 1_000


def sample_run(experiment: Experiment, folder: Path, request: SampleRequest) -> list[str]:
    """Lines of samples: text, ids, or JSON objects with both.

    Needs the run folder only, not the data it was trained on.
    """
    device = build_device(experiment)
    state, _ = _reported_state(folder)
    space = Space(**json.loads((folder / "space.json").read_text(encoding="utf-8")))
    tokenizer = None if isinstance(experiment.data, OracleDataConfig) else load_tokenizer(folder)
    generator = _load_generator(experiment, space, state, device)
    draw = Ancestral(request.temperature, top_p=request.top_p)
    lines: list[str] = []
    precision = autocast(device, experiment.train.precision)
    with isolated(request.seed), torch.no_grad(), precision, progress_bar() as bar:
        task = bar.add_task("sampling", total=request.rows, note="")
        while len(lines) < request.rows:
            rows = min(_SAMPLE_BLOCK, request.rows - len(lines))
            rollout = sample(generator, space, rows, draw)
            for ids, kept in zip(rollout.ids_BT.tolist(), rollout.mask_BT.tolist(), strict=True):
                ids = ids[: sum(kept)]
                text = tokenizer.decode(ids) if tokenizer else " ".join(map(str, ids))
                lines.append(_format(request.format, text, ids))
            bar.update(task, completed=len(lines))
    return lines


def _format(kind: str, text: str, ids: list[int]) -> str:
    if kind == "text":
        return text
    if kind == "ids":
        return " ".join(map(str, ids))
    return json.dumps({"text": text, "ids": ids}, ensure_ascii=False)


def _write_json(path: Path, tree: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(to_json(tree), indent=1, ensure_ascii=False), encoding="utf-8")
    partial.replace(path)
