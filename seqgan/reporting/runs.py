"""Run folders as data: one `Run` a folder, one `Arm` for runs that differ in their seed only.

The files and their fields are described in docs/run-folder.md. A run that was killed is still
read: its last log line may be cut off, and its final evaluation is missing.
"""

import json
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException

from seqgan.core.config import read_yaml, reason, resolved
from seqgan.core.config_diff import config_diff, flatten, value_as_text
from seqgan.core.errors import UserError, warn
from seqgan.core.plain import JsonObject
from seqgan.core.renamed import new_metric, upgrade_budget, upgrade_config, upgrade_report
from seqgan.core.reported import PhaseEffect, ReportedCheckpoint
from seqgan.core.run_lines import read_run_lines
from seqgan.core.saved_files import read_json_object
from seqgan.core.yaml_text import read_scalar
from seqgan.reporting.statistics import Value

REAL_DATA = "real data"
SPENT = ("tokens", "critic_calls", "seconds")
"""The axes of equal budgets: tokens written, samples scored, seconds of training."""
REPORTED, TOTAL = "_reported", "_total"
SPENT_REPORTED = tuple(axis + REPORTED for axis in SPENT)
"""Up to the checkpoint that is reported."""
SPENT_TOTAL = tuple(axis + TOTAL for axis in SPENT)
"""In the whole run, which may have gone on behind the reported checkpoint."""
TRAINING_ONLY = ("fresh", "train")
"""Keys of `data` that say how an oracle's training data are drawn, which changes no measure."""
KEYS_IN_A_LABEL = 3


@dataclass(frozen=True)
class Pictures:
    """Where a run's pictures are, each kind optional; a report reads those that it embeds."""

    steps: dict[int, Path] = field(default_factory=dict)
    """Step → sheet of samples from noise that never changes, in step order."""
    animation: Path | None = None
    """The sheets of all steps, one after the other."""
    sheets: dict[str, Path] = field(default_factory=dict)
    """Name (`samples`, `interpolation`, …) → sheet made at the end."""

    def __bool__(self) -> bool:
        return bool(self.steps or self.animation or self.sheets)


@dataclass(frozen=True)
class Run:
    """What one run folder says."""

    path: Path
    config: JsonObject
    info: JsonObject
    """run.json: versions, revision, hardware."""
    train: list[JsonObject]
    evals: list[JsonObject]
    final: JsonObject | None
    """evaluation.json; None where the run is not finished."""
    samples: list[str] = field(default_factory=list)
    """Of the final evaluation, else the last ones drawn during training."""
    pictures: Pictures = field(default_factory=Pictures)
    data: JsonObject = field(default_factory=dict)
    """data.json: counts and hashes by split; empty where the run has none."""
    space: JsonObject = field(default_factory=dict)
    """space.json: vocabulary size, length and so on; empty where the run has none."""
    checkpoint: ReportedCheckpoint | None = None
    """What `final` was measured on; None where an earlier version evaluated the run."""
    effect: PhaseEffect | None = None
    """What the adversarial phase did to the selection metric, where there are both."""
    alarms: list[str] = field(default_factory=list)
    """What seemed to have stopped while it was trained."""

    @property
    def seed(self) -> int:
        return int(self.config.get("seed", 0))

    @property
    def finished(self) -> bool:
        return self.final is not None

    @cached_property
    def last_line(self) -> JsonObject:
        """Step, update counts and what was SPENT in the whole run; empty for a run without any.

        `final` has the same of the reported checkpoint, behind which a run may have gone on. Of
        lines of one step `final` counts: its clock was read last, at the checkpoint.
        """
        lines = self.train[-1:] + self.evals[-1:]
        if self.final is not None:
            lines = [self.final, *lines]  # `max` keeps the first of equals
        return max(lines, key=lambda line: line.get("step", 0), default={})

    @cached_property
    def selected_row(self) -> JsonObject | None:
        """The row of the final evaluation that the selection rule picked."""
        rows = self.decoding_rows
        return next((row for row in rows if row.get("selected")), rows[0] if rows else None)

    @cached_property
    def real_row(self) -> JsonObject | None:
        """The real data measured like a generator, where the final evaluation has it."""
        return next((row for row in self._rows if row.get("label") == REAL_DATA), None)

    @property
    def decoding_rows(self) -> list[JsonObject]:
        """The generator's rows: several where decoding was swept."""
        return [row for row in self._rows if row.get("label") != REAL_DATA]

    def by_row(self, label: str) -> "Run":
        """The same run with another row, and its samples, in the place of the selected one, and
        without what is about the generator alone: learning curves and sentences."""
        bare = replace(self, evals=[], samples=[], pictures=Pictures(), effect=None)
        if self.final is None:
            return bare
        samples = ((self.final.get("correction") or {}).get("samples") or {}).get(label, [])
        rows = [
            {**row, "selected": row["label"] == label}
            for row in self._rows
            if row["label"] in (label, REAL_DATA)
        ]
        final = {key: value for key, value in self.final.items() if key != "correction"}
        return replace(bare, final={**final, "rows": rows, "warnings": []}, samples=samples)

    @cached_property
    def measured_on(self) -> str:
        """A key of the test data and the vocabulary: numbers of equal keys can be compared.

        Hashes in data.json are taken over ids, so another vocabulary has another hash. Where
        there are none (oracles, points) the configuration of the data stands for them.
        """
        data = _hashes(self.data, "test") or _hashes(self.data, "valid")
        if not data:
            configured = self.config.get("data") or {}
            data = {key: value for key, value in configured.items() if key not in TRAINING_ONLY}
        return json.dumps([data, _sizes(self.space)], sort_keys=True)

    @cached_property
    def trained_on(self) -> str:
        """A key of the training data; the same for all runs whose data.json has no hash."""
        return json.dumps(_hashes(self.data, "train"), sort_keys=True)

    @property
    def _rows(self) -> list[JsonObject]:
        return self.final["rows"] if self.final is not None else []


@dataclass(frozen=True)
class Arm:
    """Runs of one configuration with several seeds."""

    name: str
    """Unique in a study."""
    label: str
    null: bool
    """A null arm learns from a reward without information: what it reaches is chance."""
    runs: list[Run]
    group: str = ""
    """What the arm is a setting of, in a study that compares settings; empty: nothing."""

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.finished]

    def values_by_seed(self, metric: str) -> dict[int, Value]:
        """The selected row's value of a metric for each finished run, or what was SPENT: as
        `seconds_reported` up to the reported checkpoint, as `seconds_total` in the whole run."""
        if metric in SPENT_REPORTED:
            axis = metric.removesuffix(REPORTED)
            return {run.seed: (run.final or {}).get(axis) for run in self.finished}
        if metric in SPENT_TOTAL:
            axis = metric.removesuffix(TOTAL)
            return {run.seed: run.last_line.get(axis) for run in self.finished}
        rows = {run.seed: run.selected_row for run in self.finished}
        return {seed: row["metrics"].get(metric) if row else None for seed, row in rows.items()}


def read_run(path: Path) -> Run:
    """Read a run folder. Raises `UserError` for a folder that is none or has a damaged file."""
    config = _read_config(path)
    info = read_json_object(path / "run.json", "restore it from a copy of the run, or run it again")
    lines = path / "metrics.jsonl"
    log = read_run_lines(lines)
    if log.damaged:  # a killed process leaves one half-written
        warn(f"{lines}: {log.damaged} damaged line{'s' * (log.damaged > 1)} left out")
    _rename(config, log.evals)
    evaluation = path / "evaluation.json"
    final = None
    if evaluation.exists():
        final = upgrade_budget(read_json_object(evaluation, "run 'seqgan evaluate' again"))
    if final is not None:
        _check_final(final, evaluation)
        _rename(config, final["rows"])
    if final is not None and not final.get("finished", True):
        final = None  # evaluated during training: not a result yet
    samples = final.get("samples", []) if final is not None else _last_samples(path / "samples")
    pictures = _find_pictures(path)
    data, space = (_read_optional(path / name) for name in ("data.json", "space.json"))
    data = upgrade_report(data)
    outcome = _read_outcome(final or {}, evaluation)
    alarms = [line["sentence"] for line in log.alarms]
    return Run(
        *(path, config, info, log.train, log.evals, final, samples, pictures, data, space),
        *outcome,
        alarms=alarms,
    )


def _read_outcome(
    final: JsonObject, path: Path
) -> tuple[ReportedCheckpoint | None, PhaseEffect | None]:
    try:
        return (
            ReportedCheckpoint.read(final.get("checkpoint")),
            PhaseEffect.read(final.get("adversarial")),
        )
    except (TypeError, ValueError, LookupError):
        raise UserError(
            f"{path}: damaged ('checkpoint' or 'adversarial'); run 'seqgan evaluate' again"
        ) from None


def _read_config(path: Path) -> JsonObject:
    remedy = "give a folder that 'seqgan train' wrote"
    if not path.is_dir():
        raise UserError(f"{path}: no such run folder; {remedy}")
    if (path / "study.yaml").is_file():
        raise UserError(f"{path}: a study, not a run; give its run folders, {path}/*/seed-*")
    if not (path / "config.yaml").is_file():
        raise UserError(f"{path}: not a run folder (no config.yaml); {remedy}")
    tree = read_yaml(path / "config.yaml", read_scalar)
    try:
        config = upgrade_config(resolved(tree))
    except OmegaConfBaseException as error:
        raise UserError(f"{path / 'config.yaml'}: {reason(error)}; {remedy}") from error
    whole = isinstance(config.get("data"), dict) and isinstance(config.get("seed", 0), int)
    if not whole or not isinstance(config.get("estimator"), dict | None):
        raise UserError(f"{path / 'config.yaml'}: describes no experiment; {remedy}")
    return config


def _hashes(report: JsonObject, split: str) -> JsonObject:
    """The split's hash in data.json; one per side where there are two kinds of data."""
    parts = {"": report, "a": report.get("a"), "b": report.get("b")}
    found = {side: part.get(split) for side, part in parts.items() if isinstance(part, dict)}
    return {
        side: counts["sha256"]
        for side, counts in found.items()
        if isinstance(counts, dict) and "sha256" in counts
    }


def _sizes(space: JsonObject) -> list[JsonObject]:
    """The vocabulary, or the shape of a picture, of each kind of data. Conditions and length
    (labels, prompts) change no measure."""
    parts = [space[side] for side in "ab"] if "a" in space else [space]
    return [{key: part[key] for key in ("vocab_size", "shape") if key in part} for part in parts]


def _read_optional(path: Path) -> JsonObject:
    return read_json_object(path, "restore it from a copy of the run") if path.exists() else {}


def _rename(config: JsonObject, rows: list[JsonObject]) -> None:
    """Metrics of earlier versions get their present names."""
    data = str((config.get("data") or {}).get("name"))
    for row in rows:
        old = row.get("metrics", {})
        row["metrics"] = {new_metric(name, data): value for name, value in old.items()}


def _check_final(final: JsonObject, path: Path) -> None:
    rows, samples, notes = final.get("rows"), final.get("samples", []), final.get("notes") or {}
    complete = isinstance(rows, list) and all(
        isinstance(row, dict) and isinstance(row.get("metrics"), dict) for row in rows
    )
    if not complete:
        raise UserError(f"{path}: 'rows' needs a list of metrics; run 'seqgan evaluate' again")
    if not isinstance(samples, list) or not isinstance(notes, dict):
        raise UserError(f"{path}: damaged ('samples' or 'notes'); run 'seqgan evaluate' again")


def _last_samples(folder: Path) -> list[str]:
    files = sorted(folder.glob("updates-*.txt"))
    return files[-1].read_text(encoding="utf-8", errors="replace").splitlines() if files else []


def _find_pictures(path: Path) -> Pictures:
    files = path.glob("samples/updates-*.png")
    numbered = ((re.fullmatch(r"updates-(\d+)", file.stem), file) for file in files)
    steps = {int(match[1]): sheet for match, sheet in numbered if match}
    animation = path / "samples" / "progress.gif"
    return Pictures(
        dict(sorted(steps.items())),
        animation if animation.is_file() else None,
        {sheet.stem: sheet for sheet in path.glob("pictures/*.png")},
    )


def arm_config(run: Run) -> JsonObject:
    """The flat configuration without what differs between runs of one arm: seed and folder."""
    flat = flatten(run.config)
    return {key: value for key, value in flat.items() if key not in ("seed", "run.dir")}


def group_runs(runs: list[Run]) -> list[Arm]:
    """Runs that differ in seed and folder only become one arm, labelled by what sets it apart.

    Files may change behind the same path: equal configurations with other data are other arms.
    """
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        config = json.dumps(arm_config(run), sort_keys=True)
        groups.setdefault((config, run.measured_on, run.trained_on), []).append(run)
    members = [sorted(group, key=lambda run: run.seed) for group in groups.values()]
    for group in members:
        _check_seeds(group)
    labels = _labels([arm_config(group[0]) for group in members])
    labelled = zip(labels, members, strict=True)
    return [Arm(label, label, is_null(group[0]), group) for label, group in labelled]


def is_null(run: Run) -> bool:
    """Whether the configuration replaces the reward by one without information."""
    estimator = run.config.get("estimator") or {}
    return estimator.get("reward", "critic") != "critic"


def _check_seeds(group: list[Run]) -> None:
    for first, second in pairwise(group):
        if first.seed == second.seed:
            raise UserError(
                f"{second.path}: seed={second.seed} of the same configuration as {first.path}; "
                "give only one of them"
            )


def _labels(configs: list[JsonObject]) -> list[str]:
    """The configuration's name; where several share it, the keys that tell them apart too."""
    names = [str(config.get("name", "run")) for config in configs]
    labels = []
    for name, config in zip(names, configs, strict=True):
        namesakes = [c for n, c in zip(names, configs, strict=True) if n == name]
        # A component's name says more than its numbers, so those keys come first.
        keys = sorted(config_diff(namesakes), key=lambda key: not key.endswith("name"))
        parts = [f"{key}={value_as_text(config, key)}" for key in keys if key in config]
        labels.append(f"{name} ({', '.join(parts[:KEYS_IN_A_LABEL])})" if parts else name)
    return [_numbered(labels, position) for position in range(len(labels))]


def _numbered(labels: list[str], position: int) -> str:
    """The label, with a number where shortening has made it equal to an earlier one."""
    earlier = labels[:position].count(labels[position])
    return f"{labels[position]} #{earlier + 1}" if earlier else labels[position]
