"""Bad input on the command line: exit status 2, one line on stderr, nothing written."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tiny_runs import metric_lines, text_data, without_progress, write_config, write_text

from seqgan.cli import run
from seqgan.training.checkpoint import Checkpoints

Capture = pytest.CaptureFixture[str]


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below with its size and time of change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that default paths are seen too."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Refuses:
    """Runs a command in-process that must be refused, and returns its complaint."""

    def __init__(self, place: Path, capsys: Capture) -> None:
        self._place = place
        self._capsys = capsys

    def __call__(self, *arguments: str) -> str:
        before = contents(self._place)
        self._capsys.readouterr()
        status = run(list(arguments))
        captured = self._capsys.readouterr()
        assert status == 2
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("error: ")
        assert contents(self._place) == before
        return line

    def training(self, overrides: dict[str, Any], *words: str) -> str:
        """A training run into the default folder."""
        write_config(self._place / "c.yaml", overrides)
        return self("train", "c.yaml", *words)


@pytest.fixture
def refuses(place: Path, capsys: Capture) -> Refuses:
    return Refuses(place, capsys)


def assert_names(line: str, *parts: str) -> None:
    for part in parts:
        assert part in line


# ── Configurations ────────────────────────────────────────────────────────────────────────────


def test_a_missing_configuration(refuses: Refuses) -> None:
    assert_names(refuses("train", "nowhere.yaml"), "nowhere.yaml", "no such", "see configs/")


def test_a_configuration_that_is_a_folder(refuses: Refuses, place: Path) -> None:
    (place / "folder.yaml").mkdir()
    assert_names(refuses("train", "folder.yaml"), "folder.yaml", "no such configuration file")


def test_bad_yaml(refuses: Refuses, place: Path) -> None:
    (place / "bad.yaml").write_text("name: [a\nb: c: d\n")
    assert_names(refuses("train", "bad.yaml"), "bad.yaml", "not readable as YAML")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["generatr.hidden=3"], ["generatr", "unknown key", "did you mean 'generator'"]),
        (["generator.name=gruu"], ["generator.name='gruu'", "did you mean 'gru'"]),
        (["train.batch_size=many"], ["train.batch_size='many'", "integer"]),
        (["train.batch_size"], ["override 'train.batch_size'", "key=value"]),
        (["schedule.3.repeat=1"], ["schedule.3.repeat=1", "cannot be applied"]),
        (["critic=null"], ["game.name=adversarial", "needs critic", "or use game mle"]),
        (["estimator.credit={name: per_step}"], ["per_step", "every step", "use critic rnn"]),
        (["device=warp"], ["device='warp'", "cuda"]),
    ],
    ids=lambda value: value[0],
)
def test_overrides_are_held_to_the_same_rules(
    words: list[str], parts: list[str], refuses: Refuses
) -> None:
    assert_names(refuses.training({}, *words), *parts)


def test_train_without_a_configuration(refuses: Refuses) -> None:
    assert_names(refuses("train"), "CONFIG.yaml", "--resume")
    assert_names(refuses("train", "seed=3"), "CONFIG.yaml")


def test_a_device_that_is_not_here(refuses: Refuses) -> None:
    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has eight GPUs")
    assert_names(refuses.training({}, "device=cuda:7"), "device='cuda:7'", "use device=auto")


@pytest.mark.parametrize("argument", [["--bogus"], ["frobnicate"], []])
def test_commands_and_options_that_do_not_exist(argument: list[str], refuses: Refuses) -> None:
    assert_names(refuses(*argument), "--help", *argument)


# ── Text ──────────────────────────────────────────────────────────────────────────────────────


def text(place: Path, **fields: Any) -> dict[str, Any]:
    data = text_data(place / "corpus.txt")["data"]
    return {"data": data | fields}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"\n \n\n", "empty"),
        (b"a b\0c\n", "binary"),
        (b"good line\nbad \xff byte\n", "line 2: byte 0xff is not UTF-8"),
    ],
    ids=["empty", "blank", "binary", "not UTF-8"],
)
@pytest.mark.parametrize("field", ["path", "valid_path", "test_path"])
def test_text_files_that_are_none(
    field: str, content: bytes, part: str, refuses: Refuses, place: Path
) -> None:
    (place / "broken.txt").write_bytes(content)
    line = refuses.training(text(place, **{field: "broken.txt"}))
    assert_names(line, f"data.{field}", "broken.txt", part)


def test_a_missing_text_file(refuses: Refuses, place: Path) -> None:
    line = refuses.training(text(place, path="gone.txt"))
    assert_names(line, "data.path", "gone.txt", "no such file", "check the path")


def test_lines_that_are_too_long(refuses: Refuses, place: Path) -> None:
    write_text(place / "corpus.txt")
    with (place / "corpus.txt").open("a") as file:
        file.write("a " * 9 + "\n")
    (place / "long.txt").write_bytes((place / "corpus.txt").read_bytes())
    line = refuses.training(text(place, path="long.txt"))
    assert_names(
        line, "long.txt: line 61", "10 tokens", "data.length=6", "data.overlong=drop", "truncate"
    )


@pytest.mark.parametrize("missing", ["<unk>", "<eos>"])
def test_a_vocabulary_without_a_needed_token(missing: str, refuses: Refuses, place: Path) -> None:
    entries = [entry for entry in ("<eos>", "<unk>", "a", "dog") if entry != missing]
    (place / "vocabulary.txt").write_text("\n".join(entries) + "\n")
    tokenizer = {"name": "word", "vocabulary": "vocabulary.txt"}
    line = refuses.training(text(place, tokenizer=tokenizer))
    assert_names(line, "vocabulary.txt", missing)


def test_a_corpus_without_enough_sentences(refuses: Refuses, place: Path) -> None:
    (place / "short.txt").write_text("one line\n")
    assert_names(refuses.training(text(place, path="short.txt")), "short.txt", "train split")


def test_a_critic_that_is_wider_than_the_sentences(refuses: Refuses, place: Path) -> None:
    overrides = text(place) | {"critic": {"name": "cnn", "widths": [1, 7], "filters": [2, 2]}}
    assert_names(refuses.training(overrides), "critic.widths", "7", "6 tokens")


# ── Run folders ───────────────────────────────────────────────────────────────────────────────


def test_a_run_folder_that_exists(refuses: Refuses, place: Path) -> None:
    (place / "taken").mkdir()
    (place / "taken" / "precious.txt").write_text("keep me")
    line = refuses.training({}, "run.dir=taken")
    assert_names(line, "run.dir='taken'", "no run", "another folder")
    write_config(place / "taken" / "config.yaml")
    line = refuses.training({}, "run.dir=taken")
    assert_names(line, "run.dir='taken'", "--resume taken", "another folder")


def test_a_run_folder_that_is_a_file(refuses: Refuses, place: Path) -> None:
    (place / "taken").write_text("a file")
    for folder in ("taken", "taken/below"):
        line = refuses.training({}, f"run.dir={folder}")
        assert_names(line, f"run.dir='{folder}'", "a file in its way", "choose another")


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "."],
        ["sample", "."],
        ["train", "--resume", "."],
        ["report", ".", "-o", "r.html"],
        ["evaluate", "nowhere"],
        ["sample", "nowhere"],
        ["train", "--resume", "nowhere"],
        ["report", "nowhere", "-o", "r.html"],
    ],
    ids=" ".join,
)
def test_a_run_that_is_none(command: list[str], refuses: Refuses) -> None:
    assert "run folder" in refuses(*command)


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_a_run_without_a_checkpoint(command: str, refuses: Refuses, place: Path) -> None:
    (place / "run").mkdir()
    write_config(place / "run" / "config.yaml")
    assert_names(refuses(command, "run"), "run", "no checkpoint yet")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--temperature", "0"], ["temperature=0", "from 1e-6 to 1e6"]),
        (["--temperature", "-1"], ["temperature=-1", "from 1e-6 to 1e6"]),
        (["--temperature", "nan"], ["temperature=nan", "from 1e-6 to 1e6"]),
        (["--temperature", "inf"], ["temperature=inf"]),
        (["--temperature", "warm"], ["--temperature", "number"]),
        (["--top-p", "0"], ["top_p=0", "above 0"]),
        (["--top-p", "1.5"], ["top_p=1.5", "at most 1"]),
        (["--format", "yaml"], ["--format='yaml'", "text, ids, jsonl"]),
        (["-n", "0"], ["-n", "1"]),
        (["--seed", "-3"], ["--seed"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("-") else "",
)
def test_sampling_options(
    options: list[str], parts: list[str], refuses: Refuses, finished_run: Path
) -> None:
    assert_names(refuses("sample", str(finished_run), *options), *parts)


# ── Scores and studies ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--metrics", "blue"], ["unknown metric 'blue'", "did you mean 'bleu'"]),
        (["--metrics", "bleu"], ["--ref", "missing"]),
        (["--metrics", "in_train"], ["--train", "missing"]),
        (["--ref", "gone.txt"], ["gone.txt", "no such file"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("-") else "",
)
def test_scores(options: list[str], parts: list[str], refuses: Refuses, place: Path) -> None:
    write_text(place / "hyp.txt")
    assert_names(refuses("score", "--hyp", "hyp.txt", *options), *parts)


def arm(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "set": {key.replace("__", "."): v for key, v in values.items()}}


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"baseline": "lo"}, ["baseline='lo'", "no such arm", "did you mean 'loo'"]),
        ({"arms": [arm("loo"), arm("loo")]}, ["'loo'", "twice", "rename"]),
        ({"arms": [arm("loo", evaluation__samples=9)]}, ["'loo'", "evaluation.samples", "share"]),
        ({"arms": [arm("loo", seed=9)]}, ["'loo'", "seed", "share"]),
        ({"arms": [arm("loo", generator__hiden=9)]}, ["arm 'loo'", "hiden", "'hidden'"]),
        ({"arms": []}, ["arms", "at least 1"]),
        ({"seeds": [0, 0]}, ["seeds=[0, 0]", "twice"]),
        ({"seeds": [-1]}, ["seeds.0=-1"]),
        ({"base": "gone.yaml"}, ["gone.yaml", "no such configuration file"]),
        ({"sedes": [0]}, ["sedes", "did you mean 'seeds'"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_studies(fields: dict[str, Any], parts: list[str], refuses: Refuses, place: Path) -> None:
    write_config(place / "base.yaml")
    study = {"name": "s", "base": "base.yaml", "seeds": [0], "arms": [arm("loo")], **fields}
    (place / "study.yaml").write_text(OmegaConf.to_yaml(study))
    assert_names(refuses("compare", "study.yaml"), *parts)


def test_the_command_that_fits_is_named(refuses: Refuses, place: Path, finished_run: Path) -> None:
    write_config(place / "c.yaml")
    (place / "s.yaml").write_text("{name: s, base: c.yaml, seeds: [0], arms: [{name: a}]}")
    for command in ("train", "probe", "config"):
        line = refuses(command, "s.yaml")
        assert_names(line, "s.yaml", "is a study", "use 'seqgan compare s.yaml'")
    line = refuses("compare", "c.yaml")
    assert_names(line, "c.yaml", "is an experiment", "use 'seqgan train c.yaml'")
    line = refuses("train", str(finished_run))
    assert_names(line, "is a run folder", f"'seqgan train --resume {finished_run}'")


def test_a_study_folder_that_holds_another_configuration(refuses: Refuses, place: Path) -> None:
    write_config(place / "base.yaml")
    (place / "s" / "loo" / "seed-0").mkdir(parents=True)
    write_config(place / "s" / "loo" / "seed-0" / "config.yaml", {"generator.hidden": 99})
    study = {"name": "s", "base": "base.yaml", "seeds": [0], "arms": [arm("loo")]}
    (place / "study.yaml").write_text(OmegaConf.to_yaml(study))
    line = refuses("compare", "study.yaml", "--dir", "s")
    assert_names(line, "seed-0", "another configuration", "--dir")


# ── Runs that fail while they train ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("overrides", "player"),
    [
        (
            {
                "players.critic": {"lr": 1e30},
                "schedule": [{"repeat": 4, "phases": {"critic": 2, "generator": 1}}],
            },
            "critic",
        ),
        ({"players.generator": {"lr": 1e38, "optimizer": "sgd", "clip_norm": None}}, "generator"),
        (
            {
                "players.generator": {"lr": 3e38},
                "estimator": {"name": "soft_gumbel"},
            },
            "generator",
        ),
    ],
    ids=["critic", "generator", "pathwise"],
)
def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(
    overrides: dict[str, Any], player: str, place: Path, capsys: Capture
) -> None:
    often = {"train.checkpoint_every": 1, "train.keep": 100}  # nothing but the save looks
    often |= {"train.log_every": 100, "train.eval_every": 100}
    write_config(place / "c.yaml", often | overrides)
    assert run(["train", "c.yaml", "run.dir=run"]) == 1
    captured = capsys.readouterr()
    (line,) = without_progress(captured.err)
    assert_names(line, f"player '{player}'", "not finite at its update", f"players.{player}.lr")
    assert captured.out == ""
    checkpoints = Checkpoints(place / "run" / "checkpoints", 1)
    for step in checkpoints.steps():
        for name, saved in checkpoints.load(step)["players"].items():
            for key, tensor in saved["module"].items():
                assert tensor.isfinite().all(), (step, name, key)
    assert not (place / "run" / "evaluation.json").exists()
    assert max(line["step"] for line in metric_lines(place / "run")) < 12


def test_it_is_noticed_within_log_every_steps(place: Path, capsys: Capture) -> None:
    write_config(place / "c.yaml", {"train.log_every": 5, "train.eval_every": 100})
    override = "players.generator={lr: 3e38, optimizer: sgd, clip_norm: null}"
    assert run(["train", "c.yaml", "run.dir=run", override]) == 1
    found = re.search(r"its update (\d+) \(noticed at step (\d+)\)", capsys.readouterr().err)
    assert found
    update, noticed = map(int, found.groups())
    steps_of_updates = [1, 3, 4, 6, 7, 9, 10, 12]  # mle, critic, generator, mle, …
    assert 0 <= noticed - steps_of_updates[update - 1] < 5
    assert all(step < noticed for step in Checkpoints(place / "run" / "checkpoints", 1).steps())


# ── Through a real process ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "c.yaml", "generator.nam=gru"], "did you mean 'name'"),
        (["train", "c.yaml", "data={name: text, path: gone.txt}"], "gone.txt"),
        (["sample", "."], "no run folder"),
        (["sample", ".", "--bogus"], "--bogus"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_a_real_process_complains_alike(arguments: list[str], part: str, place: Path) -> None:
    write_config(place / "c.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "seqgan", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert part in line
    assert [path.name for path in place.iterdir()] == ["c.yaml"]


def test_the_tiny_experiment_itself_is_accepted(place: Path) -> None:
    """Otherwise every refusal above could be for another reason."""
    write_config(place / "c.yaml", text_data(place / "corpus.txt"))
    assert run(["train", "c.yaml", "run.dir=text"]) == 0
