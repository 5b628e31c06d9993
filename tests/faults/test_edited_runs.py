"""A run folder whose config.yaml no longer fits the weights is refused; a resume says what it
changes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_runs import text_data, train

from seqgan.cli import run
from seqgan.core.config import set_node
from seqgan.core.saved_files import write_checksums

Capture = pytest.CaptureFixture[str]

RULE: dict[str, Any] = {
    "generator": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    "evaluation.select": {"metric": "nll_valid", "mode": "min"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps of a transformer, with a rule. To be copied only."""
    return train(tmp_path_factory.mktemp("trained") / "run", RULE)


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def edit(folder: Path, key: str, value: Any) -> None:
    """As a person does with an editor."""
    path = folder / "config.yaml"
    tree = OmegaConf.load(path)
    assert not isinstance(tree, list)
    set_node(tree, key, value)  # type: ignore[arg-type]
    path.write_text(OmegaConf.to_yaml(tree), encoding="utf-8")


def forget_the_start(folder: Path) -> None:
    """As an earlier version left run.json."""
    path = folder / "run.json"
    info = json.loads(path.read_text())
    del info["config"]
    path.write_text(json.dumps(info))


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.name != ".lock"}


def refused(capsys: Capture, folder: Path, *words: str) -> str:
    before = contents(folder)
    capsys.readouterr()
    assert run(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert contents(folder) == before
    return line


COMMANDS = {
    "sample": ["sample"],
    "evaluate": ["evaluate"],
    "resume": ["train", "--resume"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize(
    ("key", "value", "former"),
    [("generator.width", 8, 4), ("generator.heads", 1, 2), ("critic.hidden", 9, 8)],
)
def test_networks_that_were_edited_are_refused(
    key: str, value: int, former: int, command: list[str], folder: Path, capsys: Capture
) -> None:
    """Other heads have weights of the same shapes, and make another network of them."""
    edit(folder, key, value)
    line = refused(capsys, folder, *command, str(folder))
    assert line.startswith(f"error: {key}={value}: the run was started with {former}")
    assert "put it back" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("players.generator.lr", 0.5),
        ("players.critic.optimizer", "sgd"),
        ("estimator.whiten", True),
        ("objective.name", "lsgan"),
        ("data.train", 65),
        ("seed", 1),
    ],
)
def test_what_decides_a_run_is_refused_when_it_is_resumed(
    key: str, value: Any, folder: Path, capsys: Capture
) -> None:
    edit(folder, key, value)
    line = refused(capsys, folder, "train", "--resume", str(folder))
    assert line.startswith(f"error: {key}={str(value).lower()}: the run was started with ")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_weights_that_do_not_fit_are_one_line_where_the_start_was_not_kept(
    command: list[str], folder: Path, capsys: Capture
) -> None:
    forget_the_start(folder)
    edit(folder, "generator.width", 8)
    line = refused(capsys, folder, *command, str(folder))
    assert "'generator' is another network than the one that was trained" in line
    assert "put back what was changed" in line


def test_text_files_may_have_moved(tmp_path: Path, capsys: Capture) -> None:
    """Their hashes tell that they are the same."""
    data = text_data(tmp_path / "corpus.txt")
    folder = train(tmp_path / "run", {**data, "train.max_minutes": 1e-9})
    (tmp_path / "corpus.txt").rename(tmp_path / "moved.txt")
    edit(folder, "data.path", str(tmp_path / "moved.txt"))
    assert run(["train", "--resume", str(folder), "train.max_minutes=null"]) == 0


# ── The rule ──────────────────────────────────────────────────────────────────────────────────


def test_the_mode_of_the_selection_cannot_change(folder: Path, capsys: Capture) -> None:
    resume = ["train", "--resume", str(folder)]
    line = refused(capsys, folder, *resume, "evaluation.select.mode=max")
    assert line.startswith("error: evaluation.select.mode=max: nll_valid has been selected by min")
    edit(folder, "evaluation.select.mode", "max")
    assert refused(capsys, folder, *resume) == line


def test_another_metric_may_have_another_mode(folder: Path, capsys: Capture) -> None:
    rule = ["evaluation.select.metric=unique", "evaluation.select.mode=max"]
    assert run(["train", "--resume", str(folder), *rule]) == 0


# ── What a resume says ────────────────────────────────────────────────────────────────────────


def test_a_resume_says_what_changed(folder: Path, capsys: Capture) -> None:
    words = ["schedule.0.repeat=5", "train.keep=3", "evaluation.samples=32"]
    capsys.readouterr()
    assert run(["train", "--resume", str(folder), *words]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "resumed with schedule.0.repeat 4 → 5, train.keep 2 → 3"


def test_a_resume_without_changes_says_nothing_of_them(folder: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run(["train", "--resume", str(folder)]) == 0
    assert "resumed with" not in capsys.readouterr().err


def test_runs_that_selected_by_a_former_name_go_on(tmp_path: Path, capsys: Capture) -> None:
    """`in_train` was `copied` in runs on text."""
    rules = {name: {"metric": "in_train"} for name in ("select", "sweep_select")}
    overrides = {f"evaluation.{name}": rule for name, rule in rules.items()}
    folder = train(tmp_path / "run", {**text_data(tmp_path / "corpus.txt"), **overrides})
    capsys.readouterr()
    assert run(["evaluate", str(folder), "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    best = json.loads((folder / "checkpoints" / "best.json").read_text())
    for path in folder.rglob("*"):
        if path.name in ("config.yaml", "metrics.jsonl", "best.json", "state.json"):
            path.write_text(path.read_text().replace("in_train", "copied"))
    for path in (folder / "checkpoints").glob("step-*"):
        write_checksums(path, [path / "tensors.safetensors", path / "state.json"])
    assert run(["evaluate", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert run(["train", "--resume", str(folder)]) == 0
    assert json.loads((folder / "checkpoints" / "best.json").read_text()) == best


def test_another_oracle_has_other_true_values(folder: Path, capsys: Capture) -> None:
    edit(folder, "data.oracle.seed", 7)
    line = refused(capsys, folder, "evaluate", str(folder))
    assert line.startswith("error: data.oracle.seed=7: the run was started with ")
