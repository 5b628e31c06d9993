"""Run folders under fire: flipped bits, cut files, kills between two writes, a full disk.

A damaged file is one line and exit status 2, or an intact checkpoint stands in for it, which is
said; nothing else changes. What a killed process left is taken up again.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_runs import (
    assert_same_run,
    text_data,
    tiny_experiment,
    train,
    without_progress,
    write_config,
)

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.core.lock import only_writer
from seqgan.core.picture_files import save_picture
from seqgan.core.saved_files import (
    CHECKSUMS,
    remove_partial,
    replacing,
    write_checksums,
    write_text,
)
from seqgan.evaluation.sheets import write_gif
from seqgan.runs import train as running
from seqgan.study import PlannedRun, _steps_done, run_done
from seqgan.training.checkpoint import Checkpoints, save_tree
from seqgan.training.trainer import Trainer

Capture = pytest.CaptureFixture[str]
Damage = Callable[[Path], None]

RULE = {
    "evaluation.select": {"metric": "nll_valid", "mode": "max"},
    "train.checkpoint_every": 4,
    "train.keep": 3,
}


def flip(path: Path) -> None:
    """One bit, in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [flip, cut, empty, Path.unlink]


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file but the lock, which holds the number of the process that had it last."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps with checkpoints 4, 8 and 12, and no rule. To be read only."""
    every = {"train.checkpoint_every": 4, "train.keep": 3}
    return train(tmp_path_factory.mktemp("whole") / "run", every)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a rule that picks the step of the worst likelihood. To be read only."""
    return train(tmp_path_factory.mktemp("ruled") / "run", RULE)


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def checkpoint(folder: Path, step: int) -> Path:
    return Checkpoints(folder / "checkpoints", 1).path(step)


def former(folder: Path) -> Path:
    """Make a run one of a version that wrote no checksums, and said of none that they are there."""
    for path in folder.rglob(CHECKSUMS):
        path.unlink()
    for path in (folder / "checkpoints").rglob("state.json"):
        tree = json.loads(path.read_text())
        del tree["checksums"]
        path.write_text(json.dumps(tree))
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({k: v for k, v in info.items() if k != "config"}))
    return folder


def edit_state(folder: Path, keys: list[str], value: Any) -> None:
    """Put a value where the keys lead in the state of a checkpoint; None: nothing stays there."""
    path = folder / "state.json"
    tree = json.loads(path.read_text())
    node = tree
    for key in keys[:-1]:
        node = node[int(key)] if isinstance(node, list) else dict(node["__dict__"])[key]
    kept = [pair for pair in node["__dict__"] if pair[0] != keys[-1]]
    assert len(kept) == len(node["__dict__"]) - 1
    node["__dict__"] = kept if value is None else [*kept, [keys[-1], value]]
    path.write_text(json.dumps(tree))


def output(capsys: Capture, *arguments: str, status: int = 0) -> tuple[str, list[str]]:
    """(stdout, lines of stderr without those on progress)."""
    capsys.readouterr()
    assert run(list(arguments)) == status
    captured = capsys.readouterr()
    return captured.out, without_progress(captured.err)


# ── Checkpoints ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("tensors.safetensors", "state.json") for damage in DAMAGES),
        *((CHECKSUMS, damage) for damage in DAMAGES),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_last_intact_checkpoint_stands_in_for_a_damaged_one(
    name: str, damage: Damage, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    shutil.rmtree(checkpoint(folder, 12))
    expected, _ = output(capsys, "sample", str(folder))
    shutil.copytree(checkpoint(whole, 12), checkpoint(folder, 12))
    damage(checkpoint(folder, 12) / name)
    before = contents(folder)
    samples, (warning,) = output(capsys, "sample", str(folder))
    assert samples == expected
    assert warning.startswith(f"warning: {checkpoint(folder, 12)}: damaged (")
    assert "the checkpoint of step 8 stands in for it" in warning
    assert contents(folder) == before


def test_a_resumed_run_makes_a_damaged_checkpoint_again(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    flip(checkpoint(folder, 12) / "tensors.safetensors")
    damaged = (checkpoint(folder, 12) / "tensors.safetensors").read_bytes()
    _, (warning,) = output(capsys, "train", "--resume", str(folder))
    assert "step-00000012: damaged" in warning
    assert_same_run(whole, folder)
    aside = folder / "checkpoints" / "step-00000012.damaged" / "tensors.safetensors"
    assert aside.read_bytes() == damaged


@pytest.mark.parametrize("command", [["sample"], ["evaluate"], ["train", "--resume"]], ids=str)
def test_without_an_intact_checkpoint_nothing_is_made_and_nothing_changes(
    command: list[str], whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    for step in (4, 8, 12):
        cut(checkpoint(folder, step) / "state.json")
    before = contents(folder)
    made, (line,) = output(capsys, *command, str(folder), status=2)
    assert made == ""
    assert "step-00000012: damaged (state.json is not what was written" in line
    assert "no other checkpoint is intact" in line
    assert contents(folder) == before


@pytest.mark.parametrize("command", [["sample"], ["evaluate"], ["train", "--resume"]], ids=str)
def test_checkpoints_of_former_versions_have_no_checksums(
    command: list[str], whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = former(copy_of(whole, tmp_path))
    expected, _ = output(capsys, "sample", str(whole))
    _, lines = output(capsys, *command, str(folder))
    assert lines == []
    assert output(capsys, "sample", str(folder)) == (expected, [])


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [cut, empty], ids=lambda damage: damage.__name__)
def test_cut_files_are_found_without_checksums(
    name: str, damage: Damage, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = former(copy_of(whole, tmp_path))
    damage(checkpoint(folder, 12) / name)
    _, (warning,) = output(capsys, "sample", str(folder))
    assert "step-00000012: damaged (not readable" in warning


OPTIMIZER = "players.critic.optimizer"


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("rng", None),
        ("rng", 5),
        ("rng.cpu", "x"),
        ("game", None),
        ("seconds", "x"),
        ("statistics.sums", 5),
        ("at_stop", 5),
        (OPTIMIZER, []),
        (f"{OPTIMIZER}.state", "x"),
        (f"{OPTIMIZER}.param_groups", None),
        (f"{OPTIMIZER}.param_groups", "x"),
        (f"{OPTIMIZER}.param_groups", []),
        (f"{OPTIMIZER}.param_groups.0.lr", None),
        (f"{OPTIMIZER}.param_groups.0.lr", "x"),
        (f"{OPTIMIZER}.param_groups.0.betas", [0.5, 0.9]),
        (f"{OPTIMIZER}.param_groups.0.amsgrad", "x"),
    ],
    ids=str,
)
def test_a_former_state_that_training_cannot_go_on_from_is_damaged(
    keys: str, value: Any, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = former(copy_of(whole, tmp_path))
    edit_state(checkpoint(folder, 12), keys.split("."), value)
    _, (warning,) = output(capsys, "train", "--resume", str(folder))
    assert "step-00000012: damaged (" in warning
    assert warning.endswith("the checkpoint of step 8 stands in for it")
    assert_same_run(whole, folder)


def test_without_a_former_state_to_go_on_from_nothing_changes(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = former(copy_of(whole, tmp_path))
    for step in (4, 8, 12):
        edit_state(checkpoint(folder, step), ["rng"], None)
    before = contents(folder)
    _, (line,) = output(capsys, "train", "--resume", str(folder), status=2)
    assert line.endswith(
        "step-00000012: damaged (not a state that training can go on from); no other checkpoint is "
        "intact, start a new run"
    )
    assert contents(folder) == before


def test_a_state_with_its_checksums_that_cannot_be_loaded_is_a_mistake_of_ours(
    whole: Path, tmp_path: Path
) -> None:
    folder = copy_of(whole, tmp_path)
    edit_state(checkpoint(folder, 12), ["rng"], None)
    files = [checkpoint(folder, 12) / name for name in ("tensors.safetensors", "state.json")]
    write_checksums(checkpoint(folder, 12), files)
    with pytest.raises(KeyError, match="rng"):
        run(["train", "--resume", str(folder)])


# ── The selected checkpoint ───────────────────────────────────────────────────────────────────


def test_a_damaged_selection_is_taken_from_the_last_checkpoint(
    ruled: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(ruled, tmp_path)
    best = folder / "checkpoints" / "best.json"
    intact = best.read_bytes()
    expected, _ = output(capsys, "sample", str(ruled))
    for content in (b"", b"{", b"[]", b"{}", b'{"step": "4"}', b"\xff\xfe"):
        best.write_bytes(content)
        samples, (warning,) = output(capsys, "sample", str(folder))
        assert samples == expected
        assert warning.startswith(f"warning: {best}: damaged (")
    _, (outcome,) = output(capsys, "train", "--resume", str(folder))
    assert outcome.startswith("adversarial phase: ")
    assert best.read_bytes() == intact


def test_a_damaged_selected_checkpoint_is_left_out(
    ruled: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(ruled, tmp_path)
    best = Checkpoints(folder / "checkpoints", 1).selected()
    assert best is not None
    assert best["step"] < 12
    flip(checkpoint(folder, best["step"]) / "tensors.safetensors")
    _, (warning,) = output(capsys, "sample", str(folder))
    assert f"step-{best['step']:08d}: damaged" in warning
    assert "the checkpoint of step 12 stands in for it" in warning
    _, (warning, _) = output(capsys, "train", "--resume", str(folder))
    assert warning == (
        f"warning: the selected checkpoint (step {best['step']}) is damaged and left out"
    )
    assert Checkpoints(folder / "checkpoints", 1).selected() is None


def test_a_damaged_last_checkpoint_leaves_the_selected_one_in_use(
    tmp_path: Path, capsys: Capture
) -> None:
    """Where patience decides whether training is over, as in every run that is under way."""
    rule = {"metric": "nll_valid", "mode": "max", "patience": 100}
    folder = train(
        tmp_path / "run",
        {**RULE, "evaluation.select": rule, "schedule": [{"repeat": 12, "phases": {"mle": 1}}]},
    )
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("repeat: 12", "repeat: 24"))
    expected, _ = output(capsys, "sample", str(folder))
    flip(checkpoint(folder, 12) / "tensors.safetensors")
    samples, (warning, note) = output(capsys, "sample", str(folder))
    assert samples == expected
    assert "step-00000012: damaged" in warning
    assert note.endswith("selected by nll_valid; training is not finished")
    output(capsys, "evaluate", str(folder))


# ── Other files ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["space.json", "data.json", "vocabulary.txt", "tokenizer.json"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_every_command_reads_is_checked(
    name: str, damage: Damage, finished_text_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(finished_text_run, tmp_path)
    damage(folder / name)
    before = contents(folder)
    others = [["evaluate"], ["train", "--resume"]] if damage is flip else []
    for command in (["sample"], *others):
        made, (line,) = output(capsys, *command, str(folder), status=2)
        assert made == ""
        assert line.startswith(f"error: {folder}: damaged ({name} is ")
        assert "restore it from a copy" in line
    assert contents(folder) == before


def test_a_run_that_has_lost_its_checksums_is_no_former_one(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    (folder / CHECKSUMS).unlink()
    for command in (["sample"], ["evaluate"], ["train", "--resume"]):
        _, (line,) = output(capsys, *command, str(folder), status=2)
        assert line == (
            f"error: {folder}: damaged (SHA256SUMS is missing); restore it from a copy of the run, "
            "or start a new run"
        )


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"a": 1}', '{"shape": 3}'])
def test_a_damaged_space_without_checksums(
    content: str, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = former(copy_of(whole, tmp_path))
    (folder / "space.json").write_text(content)
    _, (line,) = output(capsys, "sample", str(folder), status=2)
    assert line.startswith(f"error: {folder / 'space.json'}: damaged (")


def test_a_damaged_frame_of_the_animation_is_named(tmp_path: Path) -> None:
    frames = [tmp_path / "0.png", tmp_path / "1.png"]
    for path in frames:
        save_picture(Image.new("RGB", (64, 64), "red"), path)
    write_gif(frames, tmp_path / "progress.gif")
    former = (tmp_path / "progress.gif").read_bytes()
    for damage in (cut, empty):
        damage(frames[1])
        with pytest.raises(UserError, match=r"1\.png: .*remove"):
            write_gif(frames, tmp_path / "progress.gif")
    assert (tmp_path / "progress.gif").read_bytes() == former


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"finished": false}', "\xff"])
def test_a_study_repeats_a_run_whose_result_is_damaged(content: str, tmp_path: Path) -> None:
    planned = PlannedRun("arm", 0, tmp_path, tiny_experiment())
    assert not run_done(planned)
    (tmp_path / "evaluation.json").write_text(content, encoding="latin-1")
    assert not run_done(planned)
    (tmp_path / "evaluation.json").write_text('{"finished": true}')
    assert run_done(planned)


@pytest.mark.parametrize(
    "tail", ["", "7\n", '{"kind": "tr\n', "[]\n", '{"step": null}\n', "\xff\n"]
)
def test_progress_is_read_whatever_a_killed_run_has_left(tail: str, tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text('{"step": 3}\n' + tail, encoding="latin-1")
    planned = PlannedRun("arm", 0, tmp_path, tiny_experiment())
    assert _steps_done(planned) == (0 if tail else 3)


DAMAGED_LINES = [
    '{"kind": "eval", "step": 9}',
    '{"kind": "eval", "metrics": {"nll_valid": 1.5}}',
    '{"kind": "eval", "step": "9", "metrics": {"nll_valid": 1.5}}',
    '{"kind": "eval", "step": 9, "metrics": [1.5]}',
    '{"kind": "eval", "step": 9, "metrics": {"nll_valid": "low"}}',
    '{"kind": "eval", "step": 9, "metrics": {"nll_valid": {}}}',
    '{"kind": "train"}',
    '{"kind": "train", "step": "x"}',
]


def test_damaged_lines_of_the_log_are_left_out(
    ruled: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(ruled, tmp_path)
    expected = json.loads(output(capsys, "evaluate", str(folder), "--json")[0])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("".join(f"{line}\n" for line in DAMAGED_LINES))
    result = json.loads(output(capsys, "evaluate", str(folder), "--json")[0])
    assert result["adversarial"] == expected["adversarial"]
    assert result["adversarial"] is not None
    report = str(tmp_path / "report.html")
    _, (warning, *_) = output(capsys, "report", str(folder), "-o", report)
    assert warning.endswith(f"metrics.jsonl: {len(DAMAGED_LINES)} damaged lines left out")


def test_a_run_without_its_log_is_evaluated(ruled: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = copy_of(ruled, tmp_path)
    (folder / "metrics.jsonl").unlink()
    result = json.loads(output(capsys, "evaluate", str(folder), "--json")[0])
    assert result["finished"]
    assert result["adversarial"] is None


@pytest.mark.parametrize("width", [10, 4_060, 5_000, 100_000])
@pytest.mark.parametrize("earlier", ["", '{"step": 3}\n'])
@pytest.mark.parametrize("half", ["", '{"step": 9, "x'])
def test_progress_is_read_from_a_line_of_any_length(
    width: int, earlier: str, half: str, tmp_path: Path
) -> None:
    long = json.dumps({"step": 7, "text": "x" * width})
    (tmp_path / "metrics.jsonl").write_text(f"{earlier}{long}\n{half}")
    assert _steps_done(PlannedRun("arm", 0, tmp_path, tiny_experiment())) == 7


# ── Kills ─────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """Ends a run in-process as SIGKILL would: nothing of ours runs after it."""


def die(*arguments: object, **named: object) -> None:
    raise Killed


def sample_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "samples").iterdir()}


@pytest.mark.parametrize(("moment", "step"), [("save", 4), ("_show", 0), ("_show", 8)])
def test_a_kill_behind_any_write_loses_no_sample_and_no_line(
    moment: str, step: int, ruled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Checkpoints if moment == "save" else Trainer
    act = getattr(owner, moment)

    def act_and_die(self: Checkpoints | Trainer, *arguments: object) -> None:
        act(self, *arguments)
        if (self.step if isinstance(self, Trainer) else arguments[0]) == step:
            raise Killed

    folder = tmp_path / "broken"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, moment, act_and_die)
        train(folder, RULE)
    assert run(["train", "--resume", str(folder)]) == 0
    assert_same_run(ruled, folder)
    assert sample_files(ruled) == sample_files(folder)


def test_training_begins_in_a_folder_that_was_never_finished(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    folder = tmp_path / "broken"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(running, "_write_config", die)
        train(folder, text_data(tmp_path / "corpus.txt"))
    assert (folder / "vocabulary.txt").exists()
    _, (line,) = output(capsys, "train", "--resume", str(folder), status=2)
    assert "train one first" in line
    train(folder, {"train.checkpoint_every": 4, "train.keep": 3})
    assert_same_run(whole, folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in whole.iterdir()}


def test_nothing_of_a_persons_is_removed_from_a_folder_in_the_making(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.partial", "vocabulary.txt", "thesis.txt"):
        (folder / name).write_text("mine")
    config = write_config(tmp_path / "c.yaml")
    _, (line,) = output(capsys, "train", str(config), f"run.dir={folder}", status=2)
    assert "already holds something that is no run" in line
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_run_without_checkpoints_says_that_it_starts_again(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    shutil.rmtree(folder / "checkpoints")
    _, (line, *_) = output(capsys, "train", "--resume", str(folder))
    assert "holds no checkpoint; training starts from the beginning" in line


@pytest.mark.parametrize("tree", ['{"config": null}', '{"config": [1]}'])
def test_a_damaged_record_of_the_start_is_one_line(
    tree: str, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    (folder / "run.json").write_text(tree)
    _, (line,) = output(capsys, "sample", str(folder), status=2)
    assert "run.json: damaged" in line


def test_what_a_killed_process_left_half_written_is_removed(whole: Path, tmp_path: Path) -> None:
    folder = copy_of(whole, tmp_path)
    (folder / "checkpoints" / "step-00000016.partial").mkdir()
    (folder / "checkpoints" / "step-00000016.partial" / "state.json").write_text("{")
    (folder / "samples" / "updates-00000009.txt.partial").write_text("a")
    assert run(["train", "--resume", str(folder)]) == 0
    assert list(folder.rglob("*.partial")) == []
    assert {path.relative_to(folder) for path in folder.rglob("*")} == {
        path.relative_to(whole) for path in whole.rglob("*")
    }


# ── One writer ────────────────────────────────────────────────────────────────────────────────


def test_a_second_writer_is_refused(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = copy_of(whole, tmp_path)
    before = contents(folder)
    with only_writer(folder):
        _, (line,) = output(capsys, "train", "--resume", str(folder), status=2)
        assert "is writing into it" in line
        assert output(capsys, "sample", str(folder))[1] == []  # reading is free
        assert contents(folder) == before
    assert run(["train", "--resume", str(folder)]) == 0


def test_of_two_that_start_at_once_one_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "run").mkdir()
    config = write_config(tmp_path / "c.yaml")
    with only_writer(tmp_path / "run"):
        _, (line,) = output(capsys, "train", str(config), f"run.dir={tmp_path}/run", status=2)
    assert "is writing into it" in line
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    assert run(["train", str(config), f"run.dir={tmp_path}/run"]) == 0


# ── A full disk ───────────────────────────────────────────────────────────────────────────────


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes: the kernel refuses as it does on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_checkpoint_without_room_is_one_line_and_the_former_one_stays(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = copy_of(whole, tmp_path)
    for step in (8, 12):
        shutil.rmtree(checkpoint(folder, step))
    size = (checkpoint(folder, 4) / "tensors.safetensors").stat().st_size
    with room_for(size - 1):
        _, (line,) = output(capsys, "train", "--resume", str(folder), status=2)
    assert line.startswith(f"error: {checkpoint(folder, 8)}: cannot be written (")
    assert "make room and go on with train --resume" in line
    assert Checkpoints(folder / "checkpoints", 1).steps() == [4]
    assert list(folder.rglob("*.partial")) == []
    assert run(["train", "--resume", str(folder)]) == 0
    assert_same_run(whole, folder)


def test_a_log_without_room_is_one_line(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = copy_of(whole, tmp_path)
    for step in (8, 12):
        shutil.rmtree(checkpoint(folder, step))
    write_text(folder / "metrics.jsonl", '{"step": 1}\n' * 2000)
    with room_for(24_100):
        _, (line,) = output(capsys, "train", "--resume", str(folder), status=2)
    assert line.startswith(f"error: {folder / 'metrics.jsonl'}: ")


@pytest.mark.parametrize("room", [0, 3])
def test_a_file_without_room_keeps_its_former_content(room: int, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_text(path, "former")
    with room_for(room), pytest.raises(OSError, match="too large"):
        write_text(path, "latter")
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_complete_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(Killed), replacing(tmp_path / "new") as file:
        file.write(b"half")
        assert not (tmp_path / "new").exists()
        raise Killed
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link, dangling = (tmp_path / name for name in ("target", "link", "dangling"))
    target.write_text("former")
    link.symlink_to("target")
    dangling.symlink_to("new")
    for path in (link, dangling):
        write_text(path, "latter")
        assert path.is_symlink()
    assert target.read_text() == (tmp_path / "new").read_text() == "latter"


def test_pipes_and_devices_are_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    program = "from pathlib import Path; from seqgan.core.saved_files import write_text as write; "
    done = subprocess.run(
        [sys.executable, "-c", program + "write(Path('/dev/stdout'), 'text')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "text"


def test_two_processes_that_write_one_file_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evaluation.json"
    with replacing(path) as first:
        first.write(b"first")
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 1)
            write_text(path, "second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_partial_folders_are_removed_with_what_is_in_them(tmp_path: Path) -> None:
    save_tree({"a": 1}, tmp_path / "a.partial" / "b.partial")
    write_text(tmp_path / "kept", "x")
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
