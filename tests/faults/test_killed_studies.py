"""`seqgan compare` that is killed, and a second one: its runs save and stop, and no folder has two
writers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tiny_runs import tiny_experiment, without_progress, write_config

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.core.lock import only_writer
from seqgan.training.checkpoint import Checkpoints

ENDLESS = {
    "schedule": [{"repeat": 10**6, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
    "train.checkpoint_every": 10**6,
    "train.eval_every": 10**6,
}
"""Nothing is saved but by a signal."""


PATIENCE = 240
"""Seconds that a busy machine may take to start two processes."""


STATUS = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
"""What a study ends with, by signal; -9 is how Python tells of a killed process."""


def write_study(folder: Path, arms: list[str], overrides: dict[str, object]) -> Path:
    write_config(folder / "base.yaml", overrides)
    tree = {
        "name": "s",
        "base": "base.yaml",
        "seeds": [0],
        "arms": [{"name": name} for name in arms],
    }
    path = folder / "study.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(tree)))
    return path


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def is_free(folder: Path) -> bool:
    try:
        with only_writer(folder):
            return True
    except UserError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_runs_of_a_killed_study_save_and_stop(number: signal.Signals, tmp_path: Path) -> None:
    study, folder = write_study(tmp_path, ["only"], ENDLESS), tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgan", "compare", str(study), "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell that runs the tests in the background has its jobs ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    child = folder / "only" / "seed-0"
    try:
        wait_until(lambda: (child / "metrics.jsonl").exists() or process.poll() is not None)
    except AssertionError:
        process.kill()
        raise
    if number == signal.SIGINT:  # Ctrl-C reaches every process of the terminal's foreground group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == STATUS[number]
    if number == signal.SIGKILL:
        wait_until(lambda: is_free(child))
    assert is_free(child)
    assert len(Checkpoints(child / "checkpoints", 1).steps()) == 1
    (line,) = without_progress((folder / "only" / "seed-0.log").read_text())
    assert line == f"error: SIGTERM: saved; go on with: seqgan train --resume {child}"


def test_a_second_comparison_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, folder = write_study(tmp_path, ["only"], {}), tmp_path / "out"
    folder.mkdir()
    with only_writer(folder):
        assert run(["compare", str(study), "--dir", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {folder}: process {os.getpid()} is writing into it")
    assert [path.name for path in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "a/b", "", "-x", "a\n", "study.yaml"])
def test_names_that_lead_elsewhere(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path, [name], {})
    assert run(["compare", str(study), "--dir", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "arms" in line
    assert "rename" in line or "names no folder; use" in line
    if name != "study.yaml":
        with pytest.raises(UserError, match=r"^tiny: name=.*: names no folder; use"):
            tiny_experiment({"name": name})
