"""Run folders as `seqgan train` leaves them, with numbers that the tests choose."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

CONFIG: dict[str, Any] = {
    "name": "toy",
    "seed": 0,
    "data": {"name": "oracle", "oracle": {"name": "lstm", "vocabulary": 8, "length": 4}},
    "game": {"name": "adversarial", "mle_weight": 0.0},
    "estimator": {
        "name": "score_function",
        "baseline": {"name": "leave_one_out"},
        "reward": "critic",
    },
    "penalties": [],
    "schedule": [{"phases": ["generator", "critic"], "steps": 1000}],
    "train": {"batch_size": 64},
    "run": {"dir": None},
}
INFO = {
    "seqgan": "0.1.0",
    "git_revision": "0123456789abcdef0123",
    "git_dirty": False,
    "python": "3.11.9",
    "torch": "2.13.0",
    "numpy": "2.3.0",
    "hardware": "2 CPU cores",
    "device": "cpu",
    "threads": 1,
    "command": "seqgan train toy.yaml",
    "started": "2025-01-31T12:00:00",
}
REAL_METRICS = {"jsd": 0.001, "nll_test": None}


def write_run(
    path: Path,
    seed: int = 0,
    jsd: float | str | None = 0.05,
    curve: list[float | str | None] | None = None,
    config: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    finished: bool = True,
    samples: list[str] | None = None,
    rows: list[dict[str, Any]] | None = None,
    reported: dict[str, Any] | None = None,
    files: dict[str, Any] | None = None,
) -> Path:
    """Write a run folder and return it; `curve` holds the jsd of successive evaluations.

    `reported` is what evaluation.json says of the reported checkpoint; `files` are further ones.
    """
    path.mkdir(parents=True)
    resolved = {**CONFIG, **(config or {}), "seed": seed, "run": {"dir": str(path)}}
    (path / "config.yaml").write_text(yaml.safe_dump(resolved), encoding="utf-8")
    (path / "run.json").write_text(json.dumps(INFO | (info or {})), encoding="utf-8")
    lines = [_eval_line(index, value) for index, value in enumerate(curve or [0.6, 0.2])]
    log = "".join(f"{json.dumps(line)}\n" for line in [_train_line(), *lines])
    (path / "metrics.jsonl").write_text(log, encoding="utf-8")
    if finished:
        evaluation = _evaluation(jsd, samples or ["a b c d"], rows) | (reported or {})
        (path / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    for name, content in (files or {}).items():
        (path / name).write_text(json.dumps(content), encoding="utf-8")
    return path


def text_files(vocabulary: int, test: str = "1f", train: str = "2e") -> dict[str, Any]:
    """What a run on text says of its data; hashes stand for files."""
    splits = {
        "train": {"lines": 9, "sha256": train},
        "test": {"lines": 3, "sha256": test},
    }
    return {
        "data.json": {"vocabulary": vocabulary, **splits},
        "space.json": {"vocab_size": vocabulary, "length": 20, "end_id": 0},
    }


def _train_line() -> dict[str, Any]:
    counts = {
        "generator_updates": 25,
        "critic_updates": 25,
        "tokens": 51_200,
        "critic_calls": 19_200,
    }
    return {"kind": "train", "step": 50, "seconds": 0.6, **counts, "generator/loss": 0.3}


def _eval_line(index: int, jsd: float | str | None) -> dict[str, Any]:
    updates = 250 * index
    return {
        "kind": "eval",
        "split": "valid",
        "step": 2 * updates,
        "seconds": 6.0 * index,
        "generator_updates": updates,
        "critic_updates": updates,
        "tokens": 2_048 * updates,
        "critic_calls": 768 * updates,
        "metrics": {"jsd": jsd},
    }


def _evaluation(
    jsd: float | str | None, samples: list[str], rows: list[dict[str, Any]] | None
) -> dict[str, Any]:
    generator = decoding_row({"jsd": jsd, "nll_test": 1.5}, selected=True)
    real = {"label": "real data", "temperature": None, "top_p": None, "selected": False}
    return {
        "split": "test",
        "step": 2000,
        "seconds": 25.0,
        "generator_updates": 1000,
        "critic_updates": 1000,
        "tokens": 2_048_000,
        "critic_calls": 768_000,
        "selection": {"metric": None, "mode": "min"},
        "rows": [*(rows or [generator]), {**real, "metrics": REAL_METRICS}],
        "notes": {"references": 5000, "samples": 5000},
        "samples": samples,
    }


def decoding_row(
    metrics: dict[str, float | str | None], temperature: float = 1.0, selected: bool = False
) -> dict[str, Any]:
    """A generator's row of a final evaluation."""
    return {
        "label": "generator",
        "temperature": temperature,
        "top_p": 1.0,
        "selected": selected,
        "metrics": metrics,
    }


def estimator(**changes: Any) -> dict[str, Any]:
    """A configuration change of the estimator alone."""
    return {"estimator": {**CONFIG["estimator"], **changes}}


def write_pictures(
    path: Path,
    steps: Iterable[int] = (),
    animation: bool = False,
    sheets: Iterable[str] = (),
    texts: list[str] | None = None,
) -> None:
    """Add files where pictures are expected, each with its own name in it; `texts` of the end."""
    for folder in ("samples", "pictures"):
        (path / folder).mkdir(exist_ok=True)
    for step in steps:
        (path / "samples" / f"updates-{step:08d}.png").write_bytes(f"step {step}".encode())
    if animation:
        (path / "samples" / "progress.gif").write_bytes(b"animation")
    for name in sheets:
        (path / "pictures" / f"{name}.png").write_bytes(name.encode())
    if texts is not None:
        evaluation = json.loads((path / "evaluation.json").read_text(encoding="utf-8"))
        evaluation["samples"] = texts
        (path / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
