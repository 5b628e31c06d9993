"""A tiny experiment, and helpers to train it in-process and to look at what it left behind."""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from seqgan.cli import run
from seqgan.core.config import set_node, validate
from seqgan.core.yaml_text import format_yaml
from seqgan.experiment import Experiment
from seqgan.runs.train import train as train_run
from seqgan.study import load_study, plan, select_arms
from seqgan.training.checkpoint import Checkpoints

Overrides = Mapping[str, Any]

_BASE: dict[str, Any] = {
    "name": "tiny",
    "device": "cpu",
    "data": {
        "name": "oracle",
        "train": 64,
        "valid": 32,
        "test": 32,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
    },
    "game": {"name": "adversarial"},
    "generator": {"name": "gru", "embed": 4, "hidden": 8},
    "critic": {"name": "mlp", "hidden": 8, "layers": 1},
    "objective": {"name": "non_saturating", "reward": "logit"},
    "estimator": {"name": "score_function", "baseline": {"name": "leave_one_out"}},
    "schedule": [{"repeat": 4, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
    "train": {
        "batch_size": 8,
        "log_every": 2,
        "eval_every": 4,
        "checkpoint_every": 5,
        "threads": 1,
        "tensorboard": False,
    },
    "evaluation": {"samples": 32, "samples_during_training": 16},
}
"""Twelve steps over V = 4, T = 3."""

_WORDS = ("a", "dog", "cat", "bird", "sees", "hears", "the", "moon", "sun")


_MLP = {"name": "mlp", "hidden": 8, "layers": 1}
_FACES = {"name": "faces", "train": 24, "extractor": 24, "valid": 16, "test": 16}
_DIRECT: dict[str, Any] = {
    "generator": {**_MLP, "latent": 3},
    "estimator": {"name": "pathwise"},
    "schedule": [{"repeat": 6, "phases": {"critic": 1, "generator": 1}}],
    "evaluation": {
        "samples": 16,
        "samples_during_training": 16,
        "feature_extractor": {"updates": 2},
    },
}
POINTS: dict[str, Any] = {
    **_DIRECT,
    "data": {"name": "points", "layout": "grid", "valid": 64, "test": 64},
}
"""Twelve steps on points in the plane."""
PICTURES: dict[str, Any] = {
    **_DIRECT,
    "data": {"name": "pictures", "source": _FACES, "size": 16},
}
"""Twelve steps on cartoon faces of 16 × 16 pixels, with the perceptrons of the toys."""
CONDITIONAL: dict[str, Any] = {**PICTURES, "game": {"name": "conditional"}}
GROWING: dict[str, Any] = {
    **PICTURES,
    "game": {"name": "growing", "fade": 3},
    "generator": {"name": "growing", "latent": 3, "width": 2, "start": 4},
    "critic": {"name": "growing", "width": 2, "start": 4},
    "players.generator": {"ema": 0.8},
    "schedule": [
        {"repeat": 1, "phases": {"critic": 1, "generator": 1}},
        {"repeat": 2, "phases": {"grow": 1, "critic": 2, "generator": 2}},
    ],
}
"""Twelve steps on faces that grow from 4 to 16 pixels."""
AUTOENCODER: dict[str, Any] = {
    **PICTURES,
    "game": {"name": "autoencode"},
    "critic": None,
    "encoder": _MLP,
    "objective": None,
    "estimator": None,
    "schedule": [{"repeat": 12, "phases": {"reconstruct": 1}}],
}
REGRESSION: dict[str, Any] = {
    **AUTOENCODER,
    "game": {"name": "regression", "codes": "fixed", "labels": True},
    "encoder": None,
    "schedule": [{"repeat": 12, "phases": {"regress": 1}}],
}
CYCLE: dict[str, Any] = {
    **PICTURES,
    "data": {
        "name": "unpaired",
        "a": {"source": _FACES, "size": 16},
        "b": {"source": {**_FACES, "palette": "night", "seed": 1}, "size": 16},
    },
    "game": {"name": "cycle", "pool": 12},
    "generator": {"name": "translator", "width": 4, "blocks": 1},
    "critic": {"name": "patch", "width": 4, "layers": 1},
}
PAIRED: dict[str, Any] = {
    **CYCLE,
    "data": {
        "name": "paired_pictures",
        "a": {"name": "edges"},
        "b": {"source": _FACES, "size": 16},
    },
    "game": {"name": "paired"},
    "generator": {"name": "unet", "width": 4, "halvings": 2},
}
DIRECT = {
    "points": POINTS,
    "pictures": PICTURES,
    "conditional": CONDITIONAL,
    "autoencoder": AUTOENCODER,
    "regression": REGRESSION,
    "cycle": CYCLE,
    "paired": PAIRED,
}
"""One tiny experiment for each game on pictures and points."""


_TEXT_CYCLE: dict[str, Any] = {
    "critic": {"name": "local", "width": 6, "windows": [3]},
    "estimator": {"name": "straight_through", "temperature": 1.0},
    "schedule": [{"repeat": 6, "phases": {"critic": 1, "generator": 1}}],
    "evaluation": {"samples": 24, "samples_during_training": 16, "ngram_order": 2},
}
CIPHER: dict[str, Any] = {
    **_TEXT_CYCLE,
    "data": {"name": "cipher", "length": 12, "train": 64, "valid": 24, "test": 24},
    "game": {"name": "cycle", "cycle_weight": 1.0, "identity_weight": 0.0, "pool": 0},
    "generator": {"name": "lexicon"},
}
"""Twelve steps of deciphering windows of twelve letters with a table."""
EVENTS: dict[str, Any] = {
    **_TEXT_CYCLE,
    "data": {"name": "events", "train": 48, "valid": 24, "test": 24},
    "game": {
        "name": "cycle",
        "cycle_weight": 0.5,
        "identity_weight": 0.5,
        "noise": {"name": "words"},
        "pool": 12,
    },
    "generator": {"name": "pointer", "embed": 4, "hidden": 6},
    "schedule": [
        {"repeat": 2, "phases": {"denoise": 1}},
        {"repeat": 1, "phases": {"reconstruct": 1, "critic": 1}},
        {"repeat": 4, "phases": {"critic": 1, "generator": 1}},
    ],
}
"""Twelve steps on articles and headlines, in all four phases."""
LANGUAGES: dict[str, Any] = {
    **CIPHER,
    "data": {"name": "language_pair", "words": 40, "train": 64, "valid": 24, "test": 24},
    "game": {"name": "cycle", "cycle_weight": 0.5, "identity_weight": 0.0, "pool": 12},
    "generator": {"name": "lexicon", "reach": 1},
}
"""Twelve steps on two invented languages, word by word: sentences of several lengths."""
_NAMES = ("ann", "bob", "cid", "dee", "eve", "fay", "gus", "hal")
_VERBS = {"a": ("sees", "hears", "likes", "knows"), "b": ("seen", "heard", "liked", "known")}


def unpaired_text(folder: Path) -> dict[str, Any]:
    """Overrides that train an encoder-decoder on files of two kinds of short sentences in
    `folder`; held-out line i of one translates line i of the other."""
    folder.mkdir(exist_ok=True)
    rows = [(x, v, y) for x in _NAMES for v in range(4) for y in _NAMES if x != y]
    rows = [rows[i * 37 % len(rows)] for i in range(len(rows))]
    splits = {"train.a": rows[:80], "train.b": rows[80:160], "valid": rows[160:190]}
    splits["test"] = rows[190:220]
    lines = {
        "a": lambda x, v, y: f"{x} {_VERBS['a'][v]} {y}",
        "b": lambda x, v, y: f"by {x} {y} is {_VERBS['b'][v]}",
    }
    for side, say in lines.items():
        for split in (f"train.{side}", "valid", "test"):
            name = f"train.{side}" if split.startswith("train") else f"{split}.{side}"
            text = "".join(say(*row) + "\n" for row in splits[split])
            (folder / name).write_text(text, encoding="utf-8")
    held_out = {
        split: {side: str(folder / f"{split}.{side}") for side in "ab"}
        for split in ("valid", "test")
    }
    return {
        **EVENTS,
        "data": {
            "name": "unpaired_text",
            **{side: {"path": str(folder / f"train.{side}"), "length": 8} for side in "ab"},
            **held_out,
            "score": ["bleu"],
        },
        "generator": {"name": "encoder_decoder", "width": 8, "layers": 1, "heads": 2},
    }


def tiny_tree(overrides: Overrides | None = None) -> dict[str, Any]:
    """The tiny experiment; each dotted key replaces the node it names."""
    if not any("." in key for key in overrides or {}):
        return copy.deepcopy(_BASE | dict(overrides or {}))
    tree = OmegaConf.create(_BASE)
    for key, value in (overrides or {}).items():
        set_node(tree, key, value)
    plain = OmegaConf.to_container(tree)
    assert isinstance(plain, dict)
    return plain


def tiny_experiment(overrides: Overrides | None = None) -> Experiment:
    return validate(Experiment, tiny_tree(overrides), "tiny")


def write_config(path: Path, overrides: Overrides | None = None) -> Path:
    path.write_text(format_yaml(tiny_tree(overrides)), encoding="utf-8")
    return path


def write_text(path: Path) -> Path:
    """Sixty distinct sentences of three to five words."""
    rows = [
        [_WORDS[i % 3], _WORDS[1 + i % 5], _WORDS[i // 9], *_WORDS[7 : 7 + i % 3]]
        for i in range(60)
    ]
    path.write_text("".join(" ".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def text_data(path: Path) -> dict[str, Any]:
    """Overrides that train on `write_text(path)`."""
    return {"data": {"name": "text", "path": str(write_text(path)), "length": 6}}


def train(folder: Path, overrides: Overrides | None = None) -> Path:
    """Train the tiny experiment into `folder`; its configuration is written beside it."""
    config = write_config(folder.parent / f"{folder.name}.yaml", overrides)
    assert run(["train", str(config), f"run.dir={folder}"]) == 0
    return folder


def train_planned(path: Path, folder: Path, seeds: Sequence[int] = ()) -> None:
    """Train runs of a study (of all its seeds, or of these) in this process, without the seconds
    that the processes of `seqgan compare` take to start."""
    study = load_study(path)
    for planned in plan(select_arms(study, [], list(seeds), str(path)), path, folder, []):
        train_run(planned.experiment, planned.folder)


def metric_lines(folder: Path) -> list[dict[str, Any]]:
    """Lines of metrics.jsonl without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def last_checkpoint(folder: Path) -> dict[str, Any]:
    checkpoints = Checkpoints(folder / "checkpoints", keep=1)
    return checkpoints.load(checkpoints.steps()[-1])


def assert_same_tree(left: Any, right: Any, where: str = "") -> None:
    """Bit for bit, dtypes and the order of keys aside."""
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype, where
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same_tree(left[key], right[key], f"{where}.{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for position, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same_tree(a, b, f"{where}.{position}")
    else:
        assert left == right, where


def assert_same_run(left: Path, right: Path) -> None:
    """The last checkpoints and the logs agree in everything but the clock."""
    first, second = last_checkpoint(left), last_checkpoint(right)
    del first["seconds"], second["seconds"]
    assert_same_tree(first, second)
    assert metric_lines(left) == metric_lines(right)


def same_weights(left: Path, right: Path) -> bool:
    """Whether two runs ended with the same generator."""
    first, second = (
        last_checkpoint(folder)["players"]["generator"]["module"] for folder in (left, right)
    )
    return all(torch.equal(first[name], second[name]) for name in first)


def without_progress(err: str) -> list[str]:
    """The lines of stderr that say neither how far the work is nor what the critic is worth."""
    kinds = r" gone(, about .* left)?$|^exact correction accepts |^the critic (lowers|raises) "
    kinds += "|^the corrected generator's held-out nll is "
    return [line for line in err.splitlines() if not re.search(kinds, line)]
