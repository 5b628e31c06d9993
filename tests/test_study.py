"""Arms of a study: what they may differ in, and what all of them share."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_runs import tiny_tree

from seqgan.study import PlannedRun, load_study, plan

OTHER = {
    "data.train": 48,
    "evaluation": {"samples": 7, "sweep": True, "temperature": 0.5},
    "train.batch_size": 4,
    "train.log_every": 3,
}
"""How the experiment that one arm starts from differs from the study's base."""


def planned(
    folder: Path,
    base: dict[str, Any],
    overrides: list[str] | None = None,
    arm: dict[str, Any] | None = None,
) -> dict[str, PlannedRun]:
    """Two arms: the base itself, and one that starts from another experiment."""
    for name, tree in (("base", base), ("other", tiny_tree(OTHER))):
        (folder / f"{name}.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(tree)))
    study = {
        "name": "s",
        "base": "base.yaml",
        "seeds": [3],
        "set": {"train.log_every": 5},
        "arms": [{"name": "plain"}, {"name": "borrowed", "base": "other.yaml", "set": arm or {}}],
    }
    path = folder / "study.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(study)))
    return {run.arm: run for run in plan(load_study(path), path, folder / "out", overrides or [])}


def test_an_arm_of_another_experiment_has_the_studys_data_and_evaluation(tmp_path: Path) -> None:
    runs = planned(tmp_path, tiny_tree({"evaluation.samples": 9}))
    plain, borrowed = runs["plain"].experiment, runs["borrowed"].experiment
    assert borrowed.data == plain.data
    assert borrowed.data.train == 64
    assert borrowed.evaluation == plain.evaluation
    assert borrowed.evaluation.samples == 9
    assert not borrowed.evaluation.sweep
    assert (plain.train.batch_size, borrowed.train.batch_size) == (8, 4), "the rest is its own"


def test_where_the_base_says_nothing_of_evaluation_the_defaults_are_shared(tmp_path: Path) -> None:
    base = tiny_tree()
    del base["evaluation"]
    runs = planned(tmp_path, base)
    assert runs["borrowed"].experiment.evaluation == runs["plain"].experiment.evaluation
    assert runs["borrowed"].experiment.evaluation.samples == 5_000


@pytest.mark.parametrize(
    ("overrides", "arm", "expected"),
    [
        ([], {}, 5),
        (["train.log_every=6"], {}, 6),
        (["train.log_every=6"], {"train.log_every": 8}, 8),
    ],
    ids=["the study's", "the command line's", "the arm's own"],
)
def test_what_is_set_last_wins(
    tmp_path: Path, overrides: list[str], arm: dict[str, Any], expected: int
) -> None:
    run = planned(tmp_path, tiny_tree(), overrides, arm)["borrowed"]
    assert run.experiment.train.log_every == expected
    assert run.experiment.seed == run.seed == 3
    assert run.folder == tmp_path / "out" / "borrowed" / "seed-3"
