"""Solvable picture tasks reach their thresholds, and what should fail them fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from seqgan.cli import run
from seqgan.core.metric_names import base

ROOT = Path(__file__).parents[2]
MNIST = ROOT.parent / "shared" / "data" / "images" / "mnist" / "mnist.npz"
VAE = (
    "game={name: autoencode, decoder_std: 0.01}",
    "critic=null",
    "objective=null",
    "estimator=null",
    "penalties=[]",
    "encoder={name: mlp, hidden: 128, layers: 3}",
)


def trained(folder: Path, config: str, *overrides: str) -> list[dict[str, Any]]:
    """Metrics of the rows of a run's evaluation; the feature extractor's name is left out."""
    words = [f"run.dir={folder}", "device=cpu", "train.tensorboard=false", *overrides]
    assert run(["train", str(ROOT / "configs" / config), *words]) == 0
    rows = json.loads((folder / "evaluation.json").read_text())["rows"]
    return [{base(name): value for name, value in row["metrics"].items()} for row in rows]


def test_a_ring_of_gaussians_is_learned(tmp_path: Path) -> None:
    """1,000 updates, ten seconds: eight modes, most points on them."""
    short = ("data.layout=ring", "data.std=0.05", "schedule.0.repeat=1000", "train.threads=1")
    falling = (
        "players.generator.lr_decay={start: 1, end: 0, after: 333, steps: 667}",
        "players.critic.lr_decay={start: 1, end: 0, after: 666, steps: 1334}",
    )
    few = ("evaluation.samples=2000", "data.valid=2000", "data.test=2000", "train.show_at=[]")
    found, real = trained(tmp_path / "ring", "image/gaussians.yaml", *short, *falling, *few)
    assert found["modes"] == 8
    assert found["high_quality"] > 0.7
    assert real["high_quality"] > 0.98


@pytest.mark.study
def test_twenty_five_gaussians(tmp_path: Path) -> None:
    found, _ = trained(tmp_path / "wgan_gp", "image/gaussians.yaml")
    assert found["modes"] >= 24
    assert found["high_quality"] >= 0.8
    vae, _ = trained(
        tmp_path / "vae",
        "image/gaussians.yaml",
        *VAE,
        "schedule=[{repeat: 12000, phases: {reconstruct: 1}}]",
    )
    assert vae["high_quality"] <= 0.4


@pytest.mark.study
@pytest.mark.skipif(not MNIST.exists(), reason="MNIST is not in ../shared/data/images")
def test_digits_on_demand(tmp_path: Path) -> None:
    found, real = trained(
        tmp_path / "digits", "image/mnist_conditional.yaml", f"data.source.path={MNIST}"
    )
    assert found["label_accuracy"] >= 0.95
    assert found["coverage"] >= 0.5 * real["coverage"]


@pytest.mark.study
def test_cartoon_faces(tmp_path: Path) -> None:
    found, real = trained(tmp_path / "faces", "image/faces.yaml")
    assert found["valid_attributes"] >= 0.9
    assert found["attribute_distance"] <= 0.2
    assert min(found["recall"], found["coverage"]) >= 0.3
    assert real["valid_attributes"] > 0.98


@pytest.mark.study
def test_cartoon_faces_by_a_generator_that_is_told_nothing(tmp_path: Path) -> None:
    found, _ = trained(tmp_path / "faces", "image/faces_unlabelled.yaml")
    assert found["valid_attributes"] >= 0.6
    assert found["attribute_distance"] <= 0.2


@pytest.mark.study
@pytest.mark.skipif(not MNIST.exists(), reason="MNIST is not in ../shared/data/images")
def test_a_cycle_keeps_the_digit(tmp_path: Path) -> None:
    paths = [f"data.{side}.source.path={MNIST}" for side in "ab"]
    found, _ = trained(tmp_path / "cycle", "image/cycle_mnist.yaml", *paths)
    assert found["label_preservation_a2b"] >= 0.8
    assert found["label_preservation_b2a"] >= 0.8


@pytest.mark.study
def test_a_cycle_keeps_the_face(tmp_path: Path) -> None:
    found, _ = trained(tmp_path / "cycle", "image/cycle_faces.yaml")
    assert found["label_preservation_a2b"] >= 0.8
    assert found["label_preservation_b2a"] >= 0.8
