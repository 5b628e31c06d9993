"""Studies: one experiment, several arms, several seeds, and the processes that run them.

    base: ../oracle/enumerable.yaml       # relative to the study file
    seeds: [0, 1, 2]
    baseline: leave_one_out               # the arm that differences are taken to
    arms:
      - {name: leave_one_out}
      - {name: reinforce, set: {estimator.baseline: {name: none}}}

An arm's `set` replaces nodes of the base configuration by dotted keys. How results are evaluated
and selected is the same for every arm: `evaluation` can be set for the whole study only.
An arm with `runs_of` and `row` trains nothing: it is another row of what those runs measured.
No torch here: every run is a process of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Self

from omegaconf import DictConfig, OmegaConf
from pydantic import Field, model_validator

from seqgan.core.config import (
    KEY_ERRORS,
    Config,
    FolderName,
    read_yaml,
    reason,
    set_node,
    set_overrides,
    validate,
)
from seqgan.core.errors import UserError, did_you_mean, terminate
from seqgan.core.metric_names import find
from seqgan.core.plain import JsonObject
from seqgan.core.progress import progress_bar
from seqgan.core.renamed import new_metric
from seqgan.core.saved_files import write_text
from seqgan.core.yaml_text import format_yaml
from seqgan.experiment import Experiment, holds_run_of, is_evaluated
from seqgan.reporting.runs import SPENT, SPENT_REPORTED, SPENT_TOTAL, Arm, read_run
from seqgan.reporting.tables import metric_names
from seqgan.training.phase_schedule import PhaseSchedule

_OWN_FILES = ("study.yaml", "configs", "comparison.json", "report.html")


class ArmConfig(Config):
    """One arm of a study."""

    name: FolderName
    """A short name for folders; `baseline` refers to it."""
    label: str | None = None
    """What tables call it; null: its name."""
    group: str | None = None
    """What the arm is a setting of, as an objective with one of several learning rates: arms of a
    group become one box in the report, beside those of other groups. Null: nothing."""
    null_arm: bool = False
    """A control that should not learn; marked in tables and plots."""
    base: str | None = None
    """Another experiment that this arm starts from, relative to the study file; its data and its
    evaluation are those of the study's base. Null: the study's base itself."""
    set: JsonObject = {}
    """Dotted keys of the experiment and the values they take in this arm."""
    runs_of: str | None = None
    """Another arm, whose runs this one reports by the `row` below; nothing is trained for it. Null:
    it has runs of its own."""
    row: str | None = None
    """With `runs_of`: the label of the row that stands for the arm, as `corrected (exact)`."""

    @model_validator(mode="after")
    def _row_of_other_runs(self) -> Self:
        if (self.runs_of is None) != (self.row is None):
            raise ValueError(f"arm '{self.name}': runs_of and row go together; set both or neither")
        if self.runs_of is not None and (self.base is not None or self.set):
            raise ValueError(
                f"arm '{self.name}' reports the runs of '{self.runs_of}', so it has no base and "
                "no set; remove them"
            )
        return self


class StudyConfig(Config):
    """A comparison."""

    name: FolderName
    """A short name for folders and reports."""
    base: str
    """The experiment every arm starts from, relative to this file."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Every arm is run once with each of these seeds."""
    baseline: str | None = None
    """Name of the arm that paired differences are taken to; null: no differences."""
    metrics: list[str] | None = None
    """Metrics of the headline table; null: all. What stands behind an @ can be left out."""
    set: JsonObject = {}
    """Set in every arm, before the arm's own."""
    arms: Annotated[list[ArmConfig], Field(min_length=1)]
    """What is compared: variations of the base experiment."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [arm.name for arm in self.arms]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"arms: the name '{doubles[0]}' is used twice; rename one")
        for name in names:
            if name in _OWN_FILES:
                raise ValueError(f"arms: '{name}' is a file of the study itself; rename the arm")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds={self.seeds}: a seed stands twice; list each once")
        if self.baseline is not None and self.baseline not in names:
            hint = did_you_mean(self.baseline, names)
            raise ValueError(f"baseline='{self.baseline}': no such arm{hint or ''}")
        trained = [arm.name for arm in self.arms if arm.runs_of is None]
        for arm in self.arms:
            if arm.runs_of is not None and arm.runs_of not in trained:
                raise ValueError(
                    f"arm '{arm.name}': runs_of='{arm.runs_of}': no such arm with runs of its own; "
                    f"choose from: {', '.join(trained)}"
                )
            unfair = [key for key in arm.set if key.split(".")[0] in ("evaluation", "seed", "run")]
            if unfair:
                raise ValueError(
                    f"arm '{arm.name}' sets {unfair[0]}, which all arms must share; "
                    "set it in the study's own 'set'"
                )
        return self


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One arm with one seed."""

    arm: str
    seed: int
    folder: Path
    experiment: Experiment


def load_study(path: Path) -> StudyConfig:
    """Read and validate a study file."""
    tree = read_yaml(path)
    if "game" in tree and "arms" not in tree:
        raise UserError(f"{path}: is an experiment, no study; use 'seqgan train {path}'")
    return validate(StudyConfig, tree, str(path))


def select_arms(study: StudyConfig, arms: list[str], seeds: list[int], source: str) -> StudyConfig:
    """The study with these arms only, and with these seeds; empty lists leave it as it is."""
    names = [arm.name for arm in study.arms]
    for name in arms:
        if name not in names:
            hint = did_you_mean(name, names)
            raise UserError(f"{source}: --arm {name}: no such arm{hint or ''}")
    tree = study.model_dump()
    if arms:
        tree["arms"] = [arm for arm in tree["arms"] if arm["name"] in arms]
        tree["baseline"] = study.baseline if study.baseline in arms else None
    tree["seeds"] = seeds or study.seeds
    return validate(StudyConfig, tree, source)


def _check_metrics(study: StudyConfig, path: Path, shared: DictConfig) -> None:
    """Refuse former names of metrics, which nothing would be found under."""
    data = OmegaConf.select(shared, "data.name")
    for metric in study.metrics or []:
        if (now := new_metric(metric, data)) != metric:
            raise UserError(f"{path}: metrics: '{metric}' has another name now; write {now}")


def plan(study: StudyConfig, path: Path, folder: Path, overrides: list[str]) -> list[PlannedRun]:
    """Every run of the study, each configuration validated before anything is written."""
    shared = OmegaConf.create(read_yaml((path.parent / study.base).resolve()))
    _check_metrics(study, path, shared)
    arms = [arm for arm in study.arms if arm.runs_of is None]
    trees = {arm.name: _arm_tree(study, arm, shared, path, overrides) for arm in arms}
    runs = []
    for seed in study.seeds:  # seeds outermost: a broken-off study has whole comparisons
        for arm in arms:
            run_folder = folder / arm.name / f"seed-{seed}"
            source = f"{path}: arm '{arm.name}'"
            tree = trees[arm.name]
            _set_all(tree, {"seed": seed, "run.dir": str(run_folder)}, source)
            experiment = validate(Experiment, tree, source)
            runs.append(PlannedRun(arm.name, seed, run_folder, experiment))
    _check_rows(study, path, {run.arm: run.experiment for run in runs})
    return runs


def _check_rows(study: StudyConfig, path: Path, experiments: dict[str, Experiment]) -> None:
    """Refuse misspelt labels of corrected generators and other writers. Those of temperatures and
    controls are not known before an evaluation."""
    for arm in study.arms:
        if arm.row is None or arm.runs_of is None:
            continue
        known = experiments[arm.runs_of].rows_beside_the_generator
        hint = did_you_mean(arm.row, known)
        if arm.row not in known and (hint or arm.row.startswith("corrected")):
            hint = hint or "; choose from: " + ", ".join(known)
            raise UserError(
                f"{path}: arm '{arm.name}': row='{arm.row}': runs of arm '{arm.runs_of}' have no "
                f"such row{hint}"
            )


def _arm_tree(
    study: StudyConfig, arm: ArmConfig, shared: DictConfig, path: Path, overrides: list[str]
) -> DictConfig:
    """An arm's configuration without its seed: base, study's `set`, command line, arm's `set`."""
    tree = shared.copy()
    if arm.base is not None:
        tree = OmegaConf.create(read_yaml((path.parent / arm.base).resolve()))
        for branch in ("data", "evaluation"):
            if branch in shared:
                set_node(tree, branch, shared[branch])
            else:
                tree.pop(branch, None)
    _set_all(tree, study.set, f"{path}: set")
    set_overrides(tree, overrides)
    _set_all(tree, arm.set, f"{path}: arm '{arm.name}'")
    return tree


def _set_all(tree: DictConfig, values: JsonObject, source: str) -> None:
    for key, value in values.items():
        try:
            set_node(tree, key, value)
        except KEY_ERRORS as error:
            raise UserError(f"{source}: {key}={value} cannot be set ({reason(error)})") from error


def is_finished(run: PlannedRun) -> bool:
    """Whether the run's result stands. Raises `UserError` if the folder is of another run."""
    if not (run.folder / "config.yaml").exists():
        return False
    if not holds_run_of(run.folder, run.experiment):
        raise UserError(
            f"{run.folder}: holds a run with another configuration; move the study folder away, "
            "or choose another one with --dir"
        )
    return run_done(run)


class _Process:
    """One training process; its output goes to seed-S.log beside the run folder."""

    def __init__(self, run: PlannedRun, configs: Path) -> None:
        self.run = run
        self.log = run.folder.parent / f"{run.folder.name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._output: IO[str] = self.log.open("a", encoding="utf-8")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "seqgan.study_child", "train", *self._arguments(configs)],
            stdin=subprocess.PIPE,  # closed when this process ends: the sign to save and stop
            stdout=self._output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C comes here only, and is handed on once: a second one kills
            env={"OMP_NUM_THREADS": "1", **os.environ},  # side by side; train.threads may raise it
        )

    def _arguments(self, configs: Path) -> list[str]:
        if (self.run.folder / "config.yaml").exists():
            return ["--resume", str(self.run.folder)]
        path = configs / f"{self.run.arm}-{self.run.seed}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, format_yaml(self.run.experiment.model_dump()))
        return [str(path)]

    def failed(self) -> bool:
        return self.popen.poll() not in (None, 0)

    def close(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        self._output.close()

    def reason(self) -> str:
        """The last line the process wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "no output"


def run_study(
    runs: list[PlannedRun],
    folder: Path,
    jobs: int,
    finished_one: Callable[[], None] = lambda: None,
) -> list[str]:
    """Run what is not finished, `jobs` processes at a time; `finished_one` is called at first and
    whenever a run is done. Returns one line for each failure."""
    signal.signal(signal.SIGTERM, terminate)
    waiting = [run for run in runs if not is_finished(run)]
    active: list[_Process] = []
    failures: list[str] = []
    total = sum(PhaseSchedule(run.experiment.schedule).steps for run in runs)
    finished_one()
    with progress_bar() as bar:
        done, finished = sum(map(_steps_done, runs)), sum(map(run_done, runs))
        task = bar.add_task("comparing", total=total, completed=done, note="")
        try:
            while waiting or active:
                while waiting and len(active) < jobs:
                    active.append(_Process(waiting.pop(0), folder / "configs"))
                time.sleep(0.2)
                active = _reap(active, failures)
                before, finished = finished, sum(map(run_done, runs))
                if finished > before:
                    finished_one()
                bar.update(
                    task,
                    completed=sum(map(_steps_done, runs)),
                    note=_note(finished, len(runs), active),
                    milestone=finished > before,
                )
        except BaseException:  # Ctrl-C, SIGTERM, or an error of our own: leave no orphans
            _stop(active)
            raise
    return failures


def _note(finished: int, total: int, active: list[_Process]) -> str:
    names = [f"{process.run.arm}/{process.run.seed}" for process in active]
    return "; ".join([f"{finished} of {total} runs", *([", ".join(names)] if names else [])])


def _steps_done(run: PlannedRun) -> int:
    """The step of the last complete line of metrics.jsonl."""
    path = run.folder / "metrics.jsonl"
    if not path.exists():
        return 0
    try:
        return int(json.loads(_last_line(path))["step"])
    except (ValueError, KeyError, TypeError):  # half-written by a process that was killed
        return 0


def _last_line(path: Path) -> bytes:
    """The last complete line; empty where there is none."""
    with path.open("rb") as file:
        size, taken = file.seek(0, os.SEEK_END), 4096
        while True:
            file.seek(max(0, size - taken))
            lines = file.read(size - file.tell()).split(b"\n")
            if len(lines) > 2 or taken >= size:  # one more has its beginning in the block
                return lines[-2] if len(lines) > 1 else b""
            taken *= 4


def run_done(run: PlannedRun) -> bool:
    return is_evaluated(run.folder)


def _reap(active: list[_Process], failures: list[str]) -> list[_Process]:
    going = []
    for process in active:
        if process.popen.poll() is None:
            going.append(process)
            continue
        process.close()
        run = process.run
        if process.failed() or not run_done(run):
            failures.append(f"arm '{run.arm}' seed {run.seed}: {process.reason()}")
    return going


def _stop(active: list[_Process]) -> None:
    """Ask every process to save and stop, and wait for it."""
    for process in active:
        process.popen.terminate()
    for process in active:
        process.popen.wait()
        process.close()


def unmeasured(study: StudyConfig, arms: list[Arm]) -> list[str]:
    """A line for each metric or row of the study that no run has."""
    missing = []
    recorded = [*metric_names(arms), *SPENT, *SPENT_REPORTED, *SPENT_TOTAL]
    for metric in study.metrics or []:
        if find(metric, recorded) is None:
            hint = did_you_mean(metric, recorded) or "; measured: " + ", ".join(recorded)
            missing.append(f"metrics: no run has measured '{metric}'{hint}")
    rows = {arm.name: arm.row for arm in study.arms if arm.row is not None}
    without = [arm.name for arm in arms if not any(run.selected_row for run in arm.finished)]
    return missing + [
        f"arm '{name}': row='{rows[name]}': no run has such a row"
        for name in without
        if name in rows
    ]


def arms_of(study: StudyConfig, runs: list[PlannedRun]) -> list[Arm]:
    """The runs of each arm that have a folder, for tables and reports; without any, no arm."""
    arms = []
    for arm in study.arms:
        folders = [run.folder for run in runs if run.arm == (arm.runs_of or arm.name)]
        found = [read_run(path) for path in folders if (path / "run.json").exists()]
        if arm.row is not None:
            found = [run.by_row(arm.row) for run in found]
        if found:
            arms.append(Arm(arm.name, arm.label or arm.name, arm.null_arm, found, arm.group or ""))
    return arms
