"""docs/extending.md from a folder outside the checkout: its files are written and used there."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import write_config

import seqgan

ROOT = Path(seqgan.__file__).parents[1]
ESTIMATOR = {"estimator": {"name": "my_lab.estimators:SignReinforceConfig", "scale": 0.5}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the tutorial."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "my_lab").mkdir()
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    names = re.findall(r"`my_lab/(\w+\.py)`:\n\n```python\n(.*?)```", page, flags=re.DOTALL)
    for name, source in names:
        (folder / "my_lab" / name).write_text(source, encoding="utf-8")
    assert [name for name, _ in names] == ["estimators.py", "rewards.py"]
    return folder


def seqgan_in(folder: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("seqgan"), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done


# The console script adds no folder to Python's path, and -P adds none here.
IN_ONE_PROCESS = """
import json, sys
from seqgan.cli import run
for command in json.loads(sys.argv[1]):
    assert run(command) == 0, command
"""


def all_in(folder: Path, *commands: list[str]) -> str:
    """Run commands one behind the other in one process, which has to import torch only once."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", IN_ONE_PROCESS, json.dumps(commands)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_own_estimator_trains_resumes_and_samples(folder: Path) -> None:
    write_config(folder / "my.yaml", {**ESTIMATOR, "run.dir": "mine"})
    seqgan_in(folder, "train", "my.yaml", "schedule.0.repeat=2")
    out = all_in(
        folder,
        ["config", "my.yaml"],
        ["train", "--resume", "mine", "schedule.0.repeat=4"],
        ["sample", "mine", "-n", "3"],
    )
    assert "  # Size of every advantage.\n  scale: 0.5" in out
    steps = [json.loads(line)["step"] for line in (folder / "mine/metrics.jsonl").open()]
    assert max(steps) == 12
    assert len(out.partition("\nmine\n")[2].splitlines()) == 3
    elsewhere = seqgan_in(folder.parent, "sample", str(folder / "mine"), expect=2).stderr
    assert "no module my_lab is installed or in" in elsewhere
    assert elsewhere.count("\n") == 1


def test_the_tutorials_commands_are_configurations(folder: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    found = [shlex.split(line) for line in re.findall(r"(?m)^    seqgan train (.*)$", page)]
    assert len(found) == 2
    out = all_in(folder, *(["config", str(ROOT / path), *rest] for path, *rest in found))
    assert "name: my_lab.estimators:SignReinforceConfig" in out
    assert "scorer: my_lab.rewards:Politeness" in out


GAME: dict[str, Any] = {
    **ESTIMATOR,
    "critic": None,
    "objective": None,
    "schedule": [{"repeat": 3, "phases": {"generator": 1}}],
    "players.generator": {"lr": 0.05},
}
TEXT = {
    "name": "text",
    "path": "lines.txt",
    "tokenizer": {"name": "word", "min_count": 1},
    "valid_fraction": 0.1,
    "test_fraction": 0.1,
}


def test_an_own_reward_of_strings_or_ids_is_raised(folder: Path) -> None:
    words = ("please", "sit", "thanks", "go")
    lines = [f"{a} {b} {c}" for a in words for b in words for c in words]
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    scorers: dict[str, dict[str, Any]] = {"Politeness": {"data": TEXT}, "evenness": {}}
    for scorer, data in scorers.items():
        game = {"name": "reward", "scorer": f"my_lab.rewards:{scorer}"}
        path = folder / f"{scorer}.yaml"
        write_config(path, {**GAME, **data, "game": game, "run.dir": f"run_{scorer}"})
    long = ["schedule.0.repeat=60", "train.log_every=5"]
    all_in(folder, *(["train", f"{scorer}.yaml", *long] for scorer in scorers))
    for scorer in scorers:
        rows = [json.loads(line) for line in (folder / f"run_{scorer}/metrics.jsonl").open()]
        found = [row["generator/return"] for row in rows if "generator/return" in row]
        assert 0 <= found[0] < 0.8 * found[-1] <= 1, scorer
