"""The command line from end to end, on runs that take a second."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_runs import (
    text_data,
    train,
    train_planned,
    without_progress,
    write_config,
    write_text,
)

import seqgan
from seqgan.cli import main, run
from seqgan.core.errors import UserError
from seqgan.reporting.runs import read_run
from seqgan.study import load_study, plan, select_arms

Capture = pytest.CaptureFixture[str]


def succeed(capsys: Capture, *arguments: str) -> str:
    """Run a command and return its stdout; there is nothing to complain about."""
    capsys.readouterr()
    assert run(list(arguments)) == 0
    captured = capsys.readouterr()
    assert "error" not in captured.err
    return captured.out


@pytest.fixture
def own_run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


# ── train ─────────────────────────────────────────────────────────────────────────────────────


def test_train_ends_with_the_folder_and_leaves_what_is_documented(
    tmp_path: Path, capsys: Capture
) -> None:
    config = write_config(tmp_path / "c.yaml", {"train.tensorboard": True})
    folder = tmp_path / "deep" / "run"
    out = succeed(capsys, "train", str(config), f"run.dir={folder}", "seed=3")
    assert out.splitlines()[-1] == str(folder)
    names = {path.name for path in folder.iterdir()}
    documented = {"config.yaml", "run.json", "metrics.jsonl", "samples", "checkpoints"}
    documented |= {"space.json", "SHA256SUMS", ".lock", "correction.json"}
    assert names == documented | {"evaluation.json", "tensorboard"}
    assert "seed: 3" in (folder / "config.yaml").read_text()
    record = json.loads((folder / "run.json").read_text())
    for key in ("git_revision", "python", "torch", "hardware", "command", "started"):
        assert key in record
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        f"updates-{updates:08d}.txt"
        for updates in (0, 3, 5, 8)  # steps 0, 4, 8, 12
    ]


def test_the_default_folder_is_named_after_the_configuration(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = succeed(capsys, "train", str(write_config(tmp_path / "c.yaml")))
    folder = Path(out.splitlines()[-1])
    assert folder.parent == Path("runs")
    assert folder.name.startswith("tiny-")
    assert (folder / "evaluation.json").exists()


# ── evaluate ──────────────────────────────────────────────────────────────────────────────────


def test_evaluate_prints_what_it_writes(own_run: Path, capsys: Capture) -> None:
    written = json.loads((own_run / "evaluation.json").read_text())
    (own_run / "evaluation.json").unlink()
    printed = json.loads(succeed(capsys, "evaluate", str(own_run), "--json"))
    assert printed == json.loads((own_run / "evaluation.json").read_text())
    assert printed["rows"] == written["rows"]  # the same as at the end of training
    assert [row["label"] for row in printed["rows"]][-1] == "real data"
    assert printed["step"] == 12


def test_evaluate_prints_a_table(own_run: Path, capsys: Capture) -> None:
    out = succeed(capsys, "evaluate", str(own_run))
    for word in ("jsd", "nll_test", "real data"):
        assert word in out


def test_a_sweep_marks_exactly_one_decoding(own_run: Path, capsys: Capture) -> None:
    result = json.loads(succeed(capsys, "evaluate", str(own_run), "--sweep", "--json"))
    generated = result["rows"][:-1]
    settings = [(row["temperature"], row["top_p"]) for row in generated]
    assert len(set(settings)) == len(settings) == 9  # seven temperatures, two nuclei
    assert [row["selected"] for row in generated].count(True) == 1
    assert not result["rows"][-1]["selected"]


def test_the_sweeps_rule_is_the_configured_one(tmp_path: Path, capsys: Capture) -> None:
    """Entropy rises with the temperature, so each direction picks one end."""
    chosen = {}
    for mode in ("min", "max"):
        rule = {"evaluation.sweep_select": {"metric": "entropy", "mode": mode}}
        folder = train(tmp_path / mode, rule)
        result = json.loads(succeed(capsys, "evaluate", str(folder), "--sweep", "--json"))
        chosen[mode] = [row["temperature"] for row in result["rows"] if row["selected"]]
    assert chosen == {"min": [0.7], "max": [1.3]}


def test_the_selected_checkpoint_is_the_one_that_is_evaluated(tmp_path: Path) -> None:
    rule = {"evaluation.select": {"metric": "nll_valid", "mode": "max"}, "train.keep": 1}
    folder = train(tmp_path / "run", {**rule, "players.generator": {"lr": 0.05}})
    best = json.loads((folder / "checkpoints" / "best.json").read_text())
    evals = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    values = {e["step"]: e["metrics"]["nll_valid"] for e in evals if e["kind"] == "eval"}
    del values[0]  # the initial network is no candidate
    assert best["step"] == max(values, key=values.__getitem__)
    assert best["step"] != 12, "the test says nothing"
    assert json.loads((folder / "evaluation.json").read_text())["step"] == best["step"]


# ── sample ────────────────────────────────────────────────────────────────────────────────────


def test_samples_of_an_oracle_run(finished_run: Path, capsys: Capture) -> None:
    lines = succeed(capsys, "sample", str(finished_run), "-n", "7").splitlines()
    assert len(lines) == 7
    for line in lines:
        ids = [int(word) for word in line.split()]
        assert len(ids) == 3
        assert all(0 <= token < 4 for token in ids)


def test_the_three_formats_show_the_same_samples(finished_text_run: Path, capsys: Capture) -> None:
    """The text file is gone: a run folder is enough to sample from."""

    def lines(format: str) -> list[str]:
        options = ("-n", "5", "--seed", "3", "--format", format)
        return succeed(capsys, "sample", str(finished_text_run), *options).split("\n")[:-1]

    objects = [json.loads(line) for line in lines("jsonl")]
    assert len(objects) == 5
    assert lines("text") == [item["text"] for item in objects]
    assert lines("ids") == [" ".join(map(str, item["ids"])) for item in objects]
    assert any(item["text"] for item in objects)
    for item in objects:
        assert 1 <= len(item["ids"]) <= 6


def test_a_seed_is_reproducible_and_another_one_differs(
    finished_run: Path, capsys: Capture
) -> None:
    def drawn(*options: str) -> str:
        return succeed(capsys, "sample", str(finished_run), "-n", "20", *options)

    assert drawn("--seed", "1") == drawn("--seed", "1")
    assert drawn("--seed", "1") != drawn("--seed", "2")
    assert drawn() == drawn("--seed", "0")


def test_temperature_and_nucleus_narrow_the_samples(finished_run: Path, capsys: Capture) -> None:
    def distinct(*options: str) -> int:
        out = succeed(capsys, "sample", str(finished_run), "-n", "200", *options)
        return len(set(out.splitlines()))

    assert distinct() > 20
    assert distinct("--temperature", "0.001") == 1
    assert distinct("--top-p", "0.001") == 1


# ── report, score ─────────────────────────────────────────────────────────────────────────────


def test_report_writes_one_self_contained_file(
    finished_run: Path, finished_text_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    page = tmp_path / "report.html"
    out = succeed(capsys, "report", str(finished_run), str(finished_text_run), "-o", str(page))
    assert out == f"{page}\n"
    html = page.read_text()
    assert "<svg" in html
    assert "tiny" in html
    assert 'src="http' not in html


def test_score_prints_numbers_or_json(tmp_path: Path, capsys: Capture) -> None:
    path = str(write_text(tmp_path / "a.txt"))
    options = ("score", "--hyp", path, "--ref", path, "--metrics", "bleu,distinct")
    result = json.loads(succeed(capsys, *options, "--json"))
    assert result["hypotheses"]["bleu"]["2"] == pytest.approx(1.0)
    assert result["hypotheses"]["unique"] == 1.0
    assert "hypotheses\tbleu_2\t1.000000\n" in succeed(capsys, *options)


# ── Text ──────────────────────────────────────────────────────────────────────────────────────


def test_text_from_end_to_end(tmp_path: Path, capsys: Capture) -> None:
    overrides = text_data(tmp_path / "corpus.txt") | {
        "schedule": [
            {"repeat": 40, "phases": {"mle": 3}},
            {"repeat": 2, "phases": {"critic": 1, "generator": 1}},
        ],
        "generator.hidden": 16,
        "players.generator": {"lr": 0.02},
    }
    folder = train(tmp_path / "run", overrides)
    result = json.loads((folder / "evaluation.json").read_text())
    generated, real = (row["metrics"] for row in result["rows"])
    for name in ("nll_test", "nll_known_test", "bleu_2", "self_bleu_2", "in_train", "unknown"):
        assert name in generated
    assert real["bleu_2"] > 0.3
    assert generated["nll_test"] < 2.0  # of ln 11 = 2.4 for the untrained
    assert result["notes"]["bleu_references"]["test"] > 0
    report = json.loads((folder / "data.json").read_text())
    assert report["train"]["lines"] == 54
    words = set((tmp_path / "corpus.txt").read_text().split())
    shown = succeed(capsys, "sample", str(folder), "-n", "20").split()
    assert set(shown) <= words | {"<unk>"}
    assert len(set(shown)) > 3

    del report["warnings"]  # as in a run of a former version
    (folder / "data.json").write_text(json.dumps(report))
    started = json.loads((folder / "run.json").read_text())
    del started["config"]
    (folder / "run.json").write_text(json.dumps(started))
    (folder / "SHA256SUMS").unlink()
    succeed(capsys, "evaluate", str(folder))


def test_what_was_left_out_of_a_text_is_counted(tmp_path: Path) -> None:
    data: dict[str, Any] = text_data(tmp_path / "corpus.txt")["data"]
    with (tmp_path / "corpus.txt").open("a") as file:
        file.writelines(["dog " * 8 + f"{i}\n" for i in range(20)])
    folder = train(tmp_path / "run", {"data": data | {"overlong": "drop"}})
    report = json.loads((folder / "data.json").read_text())
    assert sum(report[split]["dropped"] for split in ("train", "valid", "test")) == 20


# ── compare ───────────────────────────────────────────────────────────────────────────────────


def test_the_version_is_printed(capsys: Capture) -> None:
    assert succeed(capsys, "--version") == f"seqgan {seqgan.__version__}\n"


def test_an_evaluation_can_be_another_one_than_the_configured(
    own_run: Path, capsys: Capture
) -> None:
    out = succeed(capsys, "evaluate", str(own_run), "evaluation.samples=7", "--json")
    assert json.loads(out)["notes"]["samples"] == 7
    saved = json.loads((own_run / "evaluation.json").read_text())
    assert saved["notes"]["overrides"] == "evaluation.samples=7", "a reader has to know"
    assert (
        "overrides" not in json.loads(succeed(capsys, "evaluate", str(own_run), "--json"))["notes"]
    )


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.batch_size=3", ["train.batch_size: cannot change after training", "samples, "]),
        ("evaluation.select.metric=jsd", ["evaluation.select.metric: cannot change", "sweep"]),
        ("evaluation={samples: 9}", ["evaluation: cannot change", "evaluation.{samples"]),
        ("evaluation.sampels=9", ["evaluation.sampels=9", "did you mean 'samples'"]),
        ("evaluation", ["write it as key=value"]),
    ],
)
def test_what_training_has_settled_is_not_changed_by_an_evaluation(
    override: str, parts: list[str], finished_run: Path, capsys: Capture
) -> None:
    before = (finished_run / "evaluation.json").read_bytes()
    assert run(["evaluate", str(finished_run), override]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in parts), line
    assert (finished_run / "evaluation.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["text", "ids", "jsonl"])
def test_samples_go_to_a_file(
    kind: str, finished_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    command = ["sample", str(finished_run), "-n", "5", "--format", kind]
    printed = succeed(capsys, *command)
    path = tmp_path / "samples.txt"
    path.write_text("former")
    assert succeed(capsys, *command, "-o", str(path)) == f"{path}\n"
    assert path.read_text(encoding="utf-8") == printed
    assert list(tmp_path.iterdir()) == [path], "nothing half-written is left"


@pytest.mark.parametrize(("name", "part"), [("no/r.html", "create it first"), (".", "is a folder")])
def test_files_that_a_report_cannot_go_to(
    name: str, part: str, finished_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    output = str(tmp_path / name)
    assert run(["report", str(finished_run), "-o", output]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --output={output!r}: ")
    assert part in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "part"), [("no/x.txt", "create it first"), (".", "is a folder"), ("x.png", ".txt")]
)
def test_files_that_samples_cannot_go_to(
    name: str, part: str, finished_run: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["sample", str(finished_run), "-o", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--output=" in line
    assert part in line
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study file: two arms, two seeds."""
    folder = tmp_path_factory.mktemp("study")
    write_config(folder / "base.yaml")
    tree = {
        "name": "pair",
        "base": "base.yaml",
        "seeds": [0, 1],
        "baseline": "loo",
        "arms": [
            {"name": "loo"},
            {"name": "null", "null_arm": True, "set": {"estimator.reward": "constant"}},
        ],
    }
    (folder / "study.yaml").write_text(OmegaConf.to_yaml(tree))
    return folder


def results(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in sorted(folder.glob("*/seed-*/evaluation.json"))
    }


def test_compare_runs_every_arm_and_repeats_nothing_that_is_finished(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The runs of one seed are there already, trained by this process."""
    folder = study / "out"
    command = ["compare", str(study / "study.yaml"), "--dir", str(folder), "--jobs", "2"]
    train_planned(study / "study.yaml", folder, seeds=[1])
    there = results(folder)
    assert list(there) == [f"{arm}/seed-1/evaluation.json" for arm in ("loo", "null")]
    capfd.readouterr()
    assert run(command) == 0
    out = capfd.readouterr().out
    assert out.splitlines()[-1] == str(folder / "report.html")
    assert "jsd" in out
    before = results(folder)
    assert list(before) == [
        f"{arm}/seed-{seed}/evaluation.json" for arm in ("loo", "null") for seed in (0, 1)
    ]
    assert there.items() <= before.items()
    summary = json.loads((folder / "comparison.json").read_text())
    assert summary["null"]["null"]
    assert set(summary["null"]["metrics"]["jsd"]["values"]) == {"0", "1"}
    assert "difference" in summary["null"]["metrics"]["jsd"]
    assert "difference" not in summary["loo"]["metrics"]["jsd"]

    shutil.rmtree(folder / "null" / "seed-1")  # one run is missing: only it is trained
    assert run(command) == 0
    after = results(folder)
    assert after.keys() == before.keys()
    repeated = [name for name in before if after[name] != before[name]]
    assert repeated == ["null/seed-1/evaluation.json"]
    again = json.loads((folder / "comparison.json").read_text())
    for tree in (summary, again):  # the clock went on
        for arm in tree.values():
            del arm["metrics"]["seconds_reported"], arm["metrics"]["seconds_total"]
    assert again == summary, "the same seed"


def test_a_failed_run_is_named_and_does_not_stop_the_others(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a study that is narrowed to two of three arms and to a seed that it does not list."""
    tree = OmegaConf.load(study / "study.yaml")
    tree.base = str(study / "base.yaml")
    tree.arms.append({"name": "wild", "set": {"players.critic": {"lr": 1e30}}})
    (tmp_path / "study.yaml").write_text(OmegaConf.to_yaml(tree))
    folder = tmp_path / "out"
    narrow = ["--arm", "null", "--arm", "wild", "--seed", "5", "--jobs", "2"]
    assert run(["compare", str(tmp_path / "study.yaml"), "--dir", str(folder), *narrow]) == 1
    (line,) = without_progress(capfd.readouterr().err)
    assert line.startswith("error: arm 'wild' seed 5: ")
    assert "not finite" in line
    assert list(results(folder)) == ["null/seed-5/evaluation.json"]
    assert {path.name for path in folder.glob("*/seed-*.log")} == {"seed-5.log"}
    assert {path.name for path in folder.glob("*/")} == {"configs", "null", "wild"}
    assert (folder / "report.html").exists()


def test_a_metric_or_row_that_no_run_has_is_named(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As soon as each arm has a finished run: the one that is trained here is not waited for."""
    tree = OmegaConf.load(study / "study.yaml")
    tree.base = str(study / "base.yaml")
    tree.metrics = ["jsd", "nll_tes", "seconds"]
    tree.arms.append({"name": "distilled", "runs_of": "loo", "row": "distilled"})
    path, folder = tmp_path / "study.yaml", tmp_path / "out"
    path.write_text(OmegaConf.to_yaml(tree))
    train_planned(path, folder, seeds=[0, 1])
    shutil.rmtree(folder / "null" / "seed-1")
    capfd.readouterr()
    assert run(["compare", str(path), "--dir", str(folder)]) == 0
    lines = capfd.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("warning: ")]
    assert lines[: len(told)] == told, "before anything is trained"
    assert told == [
        f"warning: {path}: metrics: no run has measured 'nll_tes'; did you mean 'nll_test'?",
        f"warning: {path}: arm 'distilled': row='distilled': no run has such a row",
    ]


def test_a_row_that_no_evaluation_has_is_refused(study: Path, tmp_path: Path) -> None:
    tree = OmegaConf.load(study / "study.yaml")
    tree.base = str(study / "base.yaml")
    tree.arms.append({"name": "exact", "runs_of": "loo", "row": "corrected (exakt)"})
    path = tmp_path / "study.yaml"
    path.write_text(OmegaConf.to_yaml(tree))
    with pytest.raises(UserError, match=r"arm 'exact': row='corrected \(exakt\)'.*\(exact\)'"):
        plan(load_study(path), path, tmp_path / "out", [])


def test_a_study_can_be_narrowed_to_arms_and_seeds(study: Path) -> None:
    path = study / "study.yaml"
    config = load_study(path)
    assert select_arms(config, [], [], "x") == config
    only = select_arms(config, ["null"], [], "x")
    assert (only.baseline, only.seeds) == (None, config.seeds)
    assert select_arms(config, ["null", "loo"], [3], "x").baseline == "loo"
    with pytest.raises(UserError, match=r"study.yaml: --arm nul: no such arm.*null"):
        select_arms(config, ["nul"], [], "study.yaml")


def test_an_override_reaches_every_arm_and_yields_to_what_an_arm_is_about(study: Path) -> None:
    path = study / "study.yaml"
    config = load_study(path).model_copy(update={"set": {"train.batch_size": 4}})
    overrides = ["train.batch_size=6", "estimator.reward=shuffled"]
    runs = plan(config, path, study / "x", overrides)
    for seed in config.seeds:
        of_seed = [run for run in runs if run.experiment.seed == run.seed == seed]
        assert [run.arm for run in of_seed] == ["loo", "null"]
        assert all(run.experiment.run.dir == str(run.folder) for run in of_seed)
    planned = {run.arm: run.experiment for run in runs}
    assert {e.train.batch_size for e in planned.values()} == {6}
    assert planned["loo"].estimator.reward == "shuffled"
    assert planned["null"].estimator.reward == "constant"


def test_a_key_that_cannot_be_set_is_named_with_its_arm(study: Path, tmp_path: Path) -> None:
    tree = OmegaConf.load(study / "study.yaml")
    tree.base = str(study / "base.yaml")
    tree.arms = [{"name": "loo", "set": {"schedule.9.repeat": 3}}]
    tree.baseline = None
    path = tmp_path / "study.yaml"
    path.write_text(OmegaConf.to_yaml(tree))
    with pytest.raises(UserError, match=r"arm 'loo'.*schedule\.9\.repeat=3"):
        plan(load_study(path), path, tmp_path / "x", [])


# ── Runs that are not finished, or not where they were ────────────────────────────────────────


def test_evaluating_on_the_way_does_not_finish_a_run(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {"train.max_minutes": 1e-9})
    assert "go on with: seqgan train --resume" in capsys.readouterr().err
    assert not json.loads(succeed(capsys, "evaluate", str(folder), "--json"))["finished"]
    assert read_run(folder).final is None


def test_an_oracle_run_is_sampled_without_its_oracle(own_run: Path, capsys: Capture) -> None:
    text = (own_run / "config.yaml").read_text()
    paper = {"name": "seqgan_paper", "path": "gone.npz", "length": 3}
    tree = OmegaConf.create(text)
    tree.data.oracle = paper
    tree.device = "cuda:63"
    (own_run / "config.yaml").write_text(OmegaConf.to_yaml(tree))
    assert run(["sample", str(own_run), "-n", "2"]) == 2  # no such device
    assert len(succeed(capsys, "sample", str(own_run), "-n", "2", "--device", "cpu").split()) == 6


def test_a_run_refuses_data_that_have_changed(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "corpus.txt"
    folder = train(tmp_path / "run", text_data(file))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[1:], lines[1]]) + "\n")
    capsys.readouterr()
    assert run(["train", "--resume", str(folder)]) == 2
    assert "data files have changed" in capsys.readouterr().err


# ── Text goes out in UTF-8 ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str
)
def test_text_goes_out_in_utf8_whatever_the_locale_says(
    variables: dict[str, str], tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.yaml", {"run.dir": "été/日本"})
    command = [sys.executable, "-m", "seqgan", "config", str(config)]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **variables})
    assert "dir: été/日本".encode() in done.stdout


def through_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[str, str]:
    """What a command writes where the streams say that they are ASCII."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    with pytest.raises(SystemExit):
        main(list(arguments))
    out, err = (stream.detach().getvalue().decode("utf-8", "surrogateescape") for stream in streams)
    return out, err


def test_tables_and_complaints_too(finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(finished_run, finished_run.with_name("für Tabellen"), dirs_exist_ok=True)
    out, _ = through_main(monkeypatch, "evaluate", str(copy))
    assert "│" in out
    _, complaint = through_main(monkeypatch, "sample", "Züge/日本")
    assert complaint.startswith("error: Züge/日本: ")


def test_the_end_of_a_file_is_not_taken_for_ctrl_d(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer makes an interruption of every EOFError, and so hid mistakes of ours."""

    def broken(*_: object) -> None:
        raise EOFError("no data left")

    monkeypatch.setattr("seqgan.experiment.load_experiment", broken)
    with pytest.raises(EOFError):
        run(["config", "c.yaml"])
