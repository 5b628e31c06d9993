"""Shipped configurations load, and a long GPU run that is cut into pieces reaches its end."""

import re
from itertools import takewhile
from pathlib import Path

import pytest
from tiny_runs import assert_same_run, last_checkpoint, metric_lines, unpaired_text

from seqgan.cli import run
from seqgan.experiment import load_experiment
from seqgan.games.config import CycleGameConfig
from seqgan.study import load_study

CONFIGS = Path(__file__).parents[1] / "configs"
OF_GPUS = sorted(CONFIGS.glob("**/*_gpu.yaml"))
CYCLES_OF_TEXT = sorted(
    path
    for task in ("cipher", "translate", "summarize")
    for path in (CONFIGS / task).glob("*.yaml")
)
MISSING = {
    "distillation_hf_gpu": ["data.source.path=teacher.jsonl"],
    "coco_seqgan_gpu": ["data.path=captions.txt"],
    "anime_gpu": ["data.source.path=faces"],
    "seqgan_t20_gpu": ["data.oracle.path=target_params.npz"],
}
"""Files that have to be named on the command line."""


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=name_of)
def test_every_file_says_first_what_it_does_and_how_long_it_takes(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = list(takewhile(lambda line: line.startswith("#"), lines))
    assert re.match(r"# \w", header[0])
    (duration,) = [line for line in header if line.startswith("# Duration: ")]
    assert header.index(duration) > 0
    assert "on two cores" in duration
    if path.parent.name == "studies":
        study = load_study(path)
        trained = [arm for arm in study.arms if arm.runs_of is None]
        assert f" {len(trained) * len(study.seeds)} runs, " in duration


@pytest.mark.parametrize("path", OF_GPUS, ids=name_of)
def test_gpu_configurations_load_without_a_gpu(path: Path) -> None:
    experiment = load_experiment(path, MISSING.get(path.stem, []))
    assert experiment.device == "cuda"
    assert experiment.train.max_minutes is not None
    assert experiment.train.max_minutes < 10


@pytest.mark.parametrize("path", CYCLES_OF_TEXT, ids=name_of)
def test_cycles_of_text_say_which_loss_rules(path: Path) -> None:
    game = load_experiment(path, []).game
    assert isinstance(game, CycleGameConfig)
    assert game.gradients_every is not None


TINY = [
    "device=cpu",
    "data.a.length=8",
    "data.b.length=8",
    "data.tokenizer.vocab_size=32",
    "game.gradients_every=10",
    "game.identity_weight.steps=30",
    "generator.width=8",
    "generator.layers=1",
    "generator.heads=2",
    "critic.embed=4",
    "critic.filters=[2, 2, 2]",
    "schedule.0.repeat=30",
    "schedule.1.repeat=30",
    "train.batch_size=4",
    "train.eval_every=40",
    "train.checkpoint_every=25",
    "train.tensorboard=false",
    "train.threads=1",
    "evaluation.samples=12",
    "evaluation.samples_during_training=8",
]


def words(folder: Path, name: str) -> list[str]:
    """The shipped GPU configuration of translation, tiny, on files in `folder`."""
    data = unpaired_text(folder)["data"]
    paths = [f"data.{side}.path={data[side]['path']}" for side in "ab"]
    for split in ("valid", "test"):
        paths += [f"data.{split}.{side}={data[split][side]}" for side in "ab"]
    path = CONFIGS / "translate" / "multi30k_gpu.yaml"
    return [str(path), *paths, *TINY, f"run.dir={folder / name}"]


def test_a_gpu_cycle_in_pieces_ends_where_one_piece_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sentencepiece", reason="pip install 'seqgan[corpora]'")
    pytest.importorskip("sacrebleu", reason="pip install 'seqgan[corpora]'")
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert run(["train", *words(tmp_path, "whole"), "train.max_minutes=null"]) == 0
    assert run(["train", *words(tmp_path, "pieces"), "train.max_minutes=0.001"]) == 0
    assert f"seqgan train --resume {pieces}" in capsys.readouterr().err
    assert 0 < last_checkpoint(pieces)["step"] < 60
    assert not (pieces / "evaluation.json").exists()
    assert run(["train", "--resume", str(pieces), "train.max_minutes=null"]) == 0
    assert last_checkpoint(pieces)["step"] == 60
    assert (pieces / "evaluation.json").exists()
    assert_same_run(whole, pieces)
    names = {name for line in metric_lines(pieces) for name in line}
    assert {"generator/b/backward_gradient", "generator/b/identity_gradient"} <= names
