"""Reading run folders: complete, killed and damaged ones; grouping them into arms."""

import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_runs import decoding_row, estimator, text_files, write_run

from seqgan.core.config_diff import config_diff, flatten
from seqgan.core.errors import UserError
from seqgan.reporting.runs import group_runs, read_run


def test_reads_a_finished_run(tmp_path):
    run = read_run(write_run(tmp_path / "run", seed=3, jsd=0.04, curve=[0.6, 0.3, 0.1]))
    assert (run.seed, run.finished, len(run.train), len(run.evals)) == (3, True, 1, 3)
    assert run.selected_row["metrics"]["jsd"] == 0.04
    assert run.real_row["metrics"]["jsd"] == 0.001
    assert run.info["torch"] == "2.13.0"


def test_the_selected_row_is_the_marked_one(tmp_path):
    rows = [decoding_row({"jsd": 0.3}, 0.7), decoding_row({"jsd": 0.1}, 1.1, selected=True)]
    run = read_run(write_run(tmp_path / "run", rows=rows))
    assert run.selected_row["temperature"] == 1.1
    assert len(run.decoding_rows) == 2


def test_last_line_of_a_killed_run_may_be_cut(tmp_path):
    path = write_run(tmp_path / "run", finished=False, curve=[0.6, 0.2])
    log = path / "metrics.jsonl"
    log.write_bytes(log.read_bytes() + '{"kind": "eval", "note": "é'.encode()[:-1])
    run = read_run(path)
    assert (run.finished, len(run.evals), run.last_line["step"]) == (False, 2, 500)


def test_the_last_line_of_a_finished_run_is_behind_its_reported_checkpoint(tmp_path):
    run = read_run(write_run(tmp_path / "run", reported={"step": 0, "seconds": 0.0}))
    assert (run.final["step"], run.last_line["step"]) == (0, 500)


def test_good_lines_around_half_written_ones_are_read(tmp_path, capsys):
    path = write_run(tmp_path / "run", finished=False, curve=[0.6, 0.2])
    log = path / "metrics.jsonl"
    whole = read_run(path)
    first, *rest = log.read_text().splitlines(keepends=True)
    log.write_text("".join([first, '{"kind": "tr\n', *rest, "7\n"]))
    run = read_run(path)
    assert (run.train, run.evals) == (whole.train, whole.evals)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"warning: {log}: 2 damaged lines left out"


def test_a_run_killed_before_its_first_line(tmp_path):
    path = write_run(tmp_path / "run", finished=False)
    (path / "metrics.jsonl").unlink()
    assert read_run(path).last_line == {}


def test_an_unfinished_run_shows_its_latest_samples(tmp_path):
    path = write_run(tmp_path / "run", finished=False)
    (path / "samples").mkdir()
    (path / "samples" / "updates-00000500.txt").write_text("old\n")
    (path / "samples" / "updates-00001000.txt").write_text("new\nnewer\n")
    assert read_run(path).samples == ["new", "newer"]


def _no_folder(path):
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


DAMAGES = {
    "no folder": (_no_folder, "no such run folder"),
    "no config": (lambda p: (p / "config.yaml").unlink(), "no config.yaml"),
    "no run.json": (lambda p: (p / "run.json").unlink(), "run.json: missing"),
    "a study": (lambda p: (p / "study.yaml").write_text("arms: []"), "a study, not a run"),
    "cut evaluation": (
        lambda p: (p / "evaluation.json").write_text('{"rows": ['),
        "evaluation.json: damaged (not JSON)",
    ),
    "no rows": (lambda p: (p / "evaluation.json").write_text("{}"), "'rows' needs a list"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_on_one_line(tmp_path, damage):
    break_it, message = DAMAGES[damage]
    path = write_run(tmp_path / "run")
    break_it(path)
    with pytest.raises(UserError) as caught:
        read_run(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_runs_that_differ_in_seed_and_folder_are_one_arm(tmp_path):
    runs = [read_run(write_run(tmp_path / f"run-{seed}", seed=seed)) for seed in (2, 0, 1)]
    (arm,) = group_runs(runs)
    assert [run.seed for run in arm.runs] == [0, 1, 2]
    assert (arm.label, arm.null) == ("toy", False)


def test_labels_say_what_sets_namesakes_apart(tmp_path):
    soft = {"estimator": {"name": "soft_gumbel"}}
    runs = [
        read_run(write_run(tmp_path / "a")),
        read_run(write_run(tmp_path / "b", config=soft)),
        read_run(write_run(tmp_path / "c", config={"name": "other"})),
    ]
    labels = [arm.label for arm in group_runs(runs)]
    assert "estimator.name=score_function" in labels[0]
    assert labels[1] == "toy (estimator.name=soft_gumbel)"
    assert labels[2] == "other"


@pytest.mark.parametrize("null", ["constant", "shuffled"])
def test_null_arms_are_recognised(tmp_path, null):
    runs = [read_run(write_run(tmp_path / "run", config=estimator(reward=null)))]
    assert group_runs(runs)[0].null


def test_equal_configurations_on_other_files_are_other_arms(tmp_path):
    runs = [
        read_run(write_run(tmp_path / name, files=text_files(300, train=name)))
        for name in ("before", "after")
    ]
    assert [arm.label for arm in group_runs(runs)] == ["toy", "toy #2"]


def test_copies_of_training_lines_have_one_name_in_old_runs_too(tmp_path):
    rows = [decoding_row({"copied": 0.25}, selected=True)]
    text = read_run(write_run(tmp_path / "text", rows=rows, config={"data": {"name": "text"}}))
    chat = {"data": {"name": "prompted_text"}}
    prompted = read_run(write_run(tmp_path / "prompted", rows=rows, config=chat))
    assert text.selected_row["metrics"] == {"in_train": 0.25}
    assert prompted.selected_row["metrics"] == {"copied": 0.25}, "words taken from the prompt"


def test_the_same_seed_twice_is_refused(tmp_path):
    runs = [read_run(write_run(tmp_path / name, seed=1)) for name in ("a", "b")]
    with pytest.raises(UserError, match="seed=1 of the same configuration"):
        group_runs(runs)


def test_flatten_indexes_lists_of_mappings_only():
    tree = {"a": {"b": 1, "c": [1, 2]}, "s": [{"n": 1}, {"n": 2}], "e": {}}
    assert flatten(tree) == {"a.b": 1, "a.c": [1, 2], "s.0.n": 1, "s.1.n": 2, "e": {}}


def test_config_diff_keeps_exactly_the_differing_keys():
    diff = config_diff([{"same": 1, "x": 1, "gone": True}, {"same": 1, "x": 2.5}])
    assert diff == {"x": ["1", "2.5"], "gone": ["true", "–"]}


def test_reporting_never_imports_what_is_slow_to_load():
    check = "import sys, seqgan.reporting.html; print({'torch', 'scipy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", check], stdout=subprocess.PIPE, check=True)
    assert done.stdout.strip() == b"set()"


@pytest.mark.parametrize("text", ["", "data: text\n", "name: ${oc.env:NO}\ndata: {}\n"])
def test_a_configuration_that_describes_no_experiment_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml: .*give a folder that 'seqgan train' wrote"):
        read_run(tmp_path)
