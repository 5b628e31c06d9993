"""Where an idea is played: a folder with its trainings, its pictures and `result.json`.

    runs/lecture-22/
      result.json      number, findings, pictures, seconds; `finished` is false before its end
      NAME.png         the first is the idea's picture
      NAME/            a training, which is a run folder like any other

Whoever plays an idea again gets its finished trainings back, and goes on with one that was stopped.
"""

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.errors import UserError, terminate
from seqgan.core.lock import LOCK, only_writer
from seqgan.core.metric_names import base
from seqgan.core.plain import JsonObject
from seqgan.core.rng import seed_everything
from seqgan.core.saved_files import read_json_object, write_json
from seqgan.evaluation.task import Task
from seqgan.experiment import (
    Experiment,
    holds_run_of,
    is_evaluated,
    load_experiment,
    load_resumed,
)
from seqgan.lectures import REPOSITORY
from seqgan.lectures.idea import Finding, Idea
from seqgan.reporting.runs import read_run
from seqgan.runs.saved import SavedRun
from seqgan.runs.train import resume, train
from seqgan.training.game import Game
from seqgan.training.trainer import Interrupted

_RESULT = "result.json"
_QUICK_REPEATS = 2
_QUICK_EVALUATION = (
    "evaluation.samples=64",
    "evaluation.samples_during_training=64",
    "evaluation.feature_extractor.updates=2",
    "evaluation.text_features.updates=2",
)
AGAIN = "run the same command again"


class Stage:
    """What an idea is played on."""

    def __init__(self, folder: Path, quick: bool = False) -> None:
        self.folder = folder
        self.quick = quick
        """The form that tests run: the same code with few updates, so no finding has to hold."""
        self.pictures: list[Path] = []

    def train(self, config: str, *overrides: str, name: str, quick: Sequence[str] = ()) -> SavedRun:
        """Train a file of configs/ with dotted overrides, as `seqgan train` does, in the folder
        `name`, with hyphens for blanks. A finished training of the same configuration is opened
        instead, a stopped one goes on. `quick` holds further overrides for the quick form, such as
        fewer pictures.

        Raises `UserError` where the folder holds another run, and `Interrupted`.
        """
        experiment = self._load(config, list(overrides), quick)
        folder = self.folder / name.replace(" ", "-")
        if (folder / "config.yaml").exists():
            if not holds_run_of(folder, experiment):
                raise UserError(
                    f"{folder}: holds a run with another configuration; move {self.folder} away, "
                    "or choose another folder with --dir"
                )
            if is_evaluated(folder):
                return SavedRun(experiment, folder)
        try:
            if (folder / "config.yaml").exists():
                return resume(load_resumed(folder, []), folder)
            return train(experiment, folder)
        except Interrupted as stop:
            raise Interrupted(stop.number, AGAIN) from None

    def build(
        self, config: str, *overrides: str, quick: Sequence[str] = ()
    ) -> tuple[Experiment, Task, Game]:
        """The parts of such a training, for an idea that looks into single steps of it."""
        experiment = self._load(config, list(overrides), quick)
        device = build_device(experiment)
        task = build_task(experiment, device)
        return experiment, task, build_game(experiment, task, device)

    def _load(self, config: str, overrides: list[str], quick: Sequence[str]) -> Experiment:
        path = REPOSITORY / "configs" / config
        if not path.is_file():
            raise UserError(f"{path}: missing; lectures run from a clone of the repository")
        overrides = ["device=cpu", *overrides]  # what is measured here lies there too
        experiment = load_experiment(path, overrides)
        if not self.quick:
            return experiment
        fewer = [
            f"schedule.{number}.repeat={min(stage.repeat, _QUICK_REPEATS)}"
            for number, stage in enumerate(experiment.schedule)
        ]
        return load_experiment(path, [*overrides, *fewer, *_QUICK_EVALUATION, *quick])

    def picture(self, name: str) -> Path:
        """Where to write the picture NAME.png; the first one that is asked for is the idea's."""
        path = self.folder / f"{name}.png"
        if path not in self.pictures:
            self.pictures.append(path)
        return path

    def say(self, line: str) -> None:
        """Tell the student how far the idea is, on stderr."""
        print(line, file=sys.stderr, flush=True)


def measured(run: SavedRun) -> JsonObject:
    """What the run's final evaluation has measured, by names without what stands behind an @."""
    return _metrics(read_run(run.folder).selected_row)


def measured_on_real(run: SavedRun) -> JsonObject:
    """The same of real data in the samples' place."""
    return _metrics(read_run(run.folder).real_row)


def _metrics(row: JsonObject | None) -> JsonObject:
    assert row is not None, "a stage returns evaluated runs"
    return {base(name): value for name, value in row["metrics"].items()}


@dataclass(frozen=True)
class Played:
    """What came of an idea."""

    findings: list[Finding]
    pictures: list[Path]
    seconds: float
    """Of all that it needed, trainings that were done before included: the less of wall-clock and
    processor time, so that other work on the same cores does not count."""


class _Clock:
    def __init__(self) -> None:
        self._wall, self._processor = time.monotonic(), time.process_time()

    def spent(self) -> float:
        """Seconds since it was made."""
        return min(time.monotonic() - self._wall, time.process_time() - self._processor)


def play(idea: Idea, folder: Path, quick: bool = False) -> Played:
    """Play an idea in `folder` and write its result there.

    Raises `UserError` where the folder holds anything but an earlier play of the same idea.
    """
    _earlier(idea, folder, quick)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        earlier = _earlier(idea, folder, quick)  # again: another process may have been faster
        clock, handler = _Clock(), signal.signal(signal.SIGTERM, terminate)
        try:
            return _play(idea, Stage(folder, quick), earlier, clock)
        except BaseException:
            if not earlier.get("finished"):
                spent = earlier.get("seconds", 0.0) + clock.spent()
                _write(folder, idea, quick, {"finished": False, "seconds": round(spent, 1)})
            raise
        finally:
            signal.signal(signal.SIGTERM, handler)


def _play(idea: Idea, stage: Stage, earlier: JsonObject, clock: "_Clock") -> Played:
    if not earlier:
        _write(stage.folder, idea, stage.quick, {"finished": False, "seconds": 0.0})
    seed_everything(0)
    findings = idea.play(stage)
    before, spent = earlier.get("seconds", 0.0), clock.spent()
    seconds = round(max(before, spent) if earlier.get("finished") else before + spent, 1)
    result = {
        "finished": True,
        "seconds": seconds,
        "findings": [asdict(finding) for finding in findings],
        "pictures": [path.name for path in stage.pictures],
    }
    _write(stage.folder, idea, stage.quick, result)
    return Played(findings, stage.pictures, seconds)


def _write(folder: Path, idea: Idea, quick: bool, result: JsonObject) -> None:
    write_json(folder / _RESULT, {"number": idea.number, "quick": quick, **result})


def _earlier(idea: Idea, folder: Path, quick: bool) -> JsonObject:
    """What an earlier play of this idea has left in the folder; empty where there was none."""
    if any(part.is_file() for part in (folder, *folder.parents)):
        raise UserError(f"{folder}: there is a file in its way; choose another with --dir")
    if not folder.exists() or all(path.name == LOCK for path in folder.iterdir()):
        return {}
    remedy = "move it away, or choose another folder with --dir"
    if not (folder / _RESULT).exists():
        raise UserError(f"{folder}: already holds something that is no lecture; {remedy}")
    earlier = read_json_object(folder / _RESULT, remedy)
    if (earlier.get("number"), earlier.get("quick")) != (idea.number, quick):
        form = "the quick form of " if earlier.get("quick") else ""
        raise UserError(f"{folder}: holds {form}lecture {earlier.get('number')}; {remedy}")
    return earlier
