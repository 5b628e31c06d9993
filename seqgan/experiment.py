"""The configuration tree of an experiment.

An experiment is game × players × objective × penalties × estimator × schedule × data × metrics.
What the parts need of each other is compared in `compatibility.py`. No torch here.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from omegaconf import OmegaConf
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from seqgan.compatibility import Parts, check_parts, check_probe, why_not_corrected
from seqgan.core.config import Config, FolderName, Tree, apply_overrides, read_yaml, validate
from seqgan.core.config_diff import config_diff, flatten
from seqgan.core.errors import UserError, as_path, refuse_string
from seqgan.core.metric_names import CRITIC_METRICS
from seqgan.core.plain import JsonObject
from seqgan.core.renamed import upgrade_config
from seqgan.core.reported import CORRECTED_EXACTLY, OTHER_WRITERS, corrected_by_choice
from seqgan.core.saved_files import read_json_object
from seqgan.data.config import DataConfig
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.evaluation.config import EvaluationConfig
from seqgan.games.config import GameConfig
from seqgan.models.config import AnyCriticConfig, AnyGeneratorConfig
from seqgan.objectives.config import AnyObjectiveConfig, AnyPenaltyConfig
from seqgan.probe.config import ProbeConfig
from seqgan.training.config import PlayersConfig, StageConfig, TrainConfig


class RunConfig(Config):
    """Where results go."""

    dir: str | None = None
    """Run folder; null: runs/<configuration name>-<time>."""


def _check_device(device: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device, re.ASCII) is None:
        raise PydanticCustomError(
            "device", "is no device; choose from: auto, cpu, mps, cuda, or one by number, as cuda:1"
        )
    return device


class Experiment(Config):
    """Everything that decides a run."""

    name: FolderName
    """A short name for folders and reports."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of initial parameters, batches and samples."""
    device: Annotated[str, AfterValidator(_check_device)] = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    data: DataConfig
    """What the generator learns from."""
    game: GameConfig
    """Who plays, and for what besides the objective."""
    generator: AnyGeneratorConfig
    """The network that writes sequences, or makes pictures or points."""
    critic: AnyCriticConfig | None = None
    """The network that scores samples; null in games without a critic."""
    encoder: AnyCriticConfig | None = None
    """The network whose features become codes, in game autoencode; null elsewhere."""
    objective: AnyObjectiveConfig | None = None
    """What the two players play for; null in games without a critic."""
    penalties: list[AnyPenaltyConfig] = []
    """What keeps the critic smooth, each kind at most once."""
    estimator: AnyEstimatorConfig | None = None
    """How the critic's score becomes a gradient of the generator; null without a critic."""
    players: PlayersConfig = PlayersConfig()
    """How each network is updated."""
    schedule: Annotated[list[StageConfig], Field(min_length=1)]
    """Stages of training, one after the other."""
    train: TrainConfig = TrainConfig()
    """Batch size, intervals and limits of the training loop."""
    probe: ProbeConfig | None = None
    """Gradient estimators to be measured at the same parameters; null: none. See `seqgan probe`."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How much is sampled, and which rule picks what is reported."""
    run: RunConfig = RunConfig()
    """Where results go."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "Experiment":
        parts = self._parts
        check_parts(parts)
        further = CRITIC_METRICS if self.why_not_corrected is None else ()
        self.evaluation.check_data(self.data, self.game.played_directions, further)
        check_probe(parts, self.probe)
        return self

    @property
    def _parts(self) -> Parts:
        return Parts(**{field.name: getattr(self, field.name) for field in fields(Parts)})

    @property
    def why_not_corrected(self) -> str | None:
        """Why the critic cannot correct the generator, in words; None where it can."""
        return why_not_corrected(self._parts)

    @property
    def has_corrected_rows(self) -> bool:
        """Whether corrected generators have rows in the table."""
        asked = self.evaluation.corrected_rows
        return self.game.correction.has_rows if asked is None else asked

    @property
    def rows_beside_the_generator(self) -> list[str]:
        """Labels of what else evaluation may measure: other writers, and the correction."""
        corrected = [CORRECTED_EXACTLY, corrected_by_choice(self.game.correction.resample)]
        return [*OTHER_WRITERS.values(), *corrected]

    @property
    def is_control(self) -> bool:
        """Whether the generator's rewards are replaced by some without information."""
        return getattr(self.estimator, "reward", "critic") != "critic"

    @property
    def trained_directions(self) -> list[str]:
        """The translators that the schedule teaches; empty in games without translators."""
        phases = {phase for stage in self.schedule for phase in stage.phases}
        return self.game.trained_directions(phases)


def holds_run_of(folder: Path, experiment: Experiment) -> bool:
    """Whether the run folder was made of this configuration. Raises `UserError` for a damaged
    one."""
    config = folder / "config.yaml"
    return validate(Experiment, read_run_config(config), str(config)) == experiment


def is_evaluated(folder: Path) -> bool:
    """Whether the run reached the end of its schedule and was evaluated there. A damaged result is
    none: the run is resumed, which evaluates it again."""
    path = folder / "evaluation.json"
    try:
        return path.exists() and bool(read_json_object(path, "")["finished"])
    except (UserError, KeyError):
        return False


RESUMABLE = ("schedule", "train", "device", "evaluation", "run")
"""Branches of the configuration that may change when a run is resumed."""

NETWORKS = ("generator", "critic", "encoder")
"""Branches that weights are useless without, whatever is done with them."""

_STARTED = "config"
"""Where run.json has the branches that may not change."""


def as_started(experiment: Experiment) -> JsonObject:
    """What run.json keeps of a configuration: config.yaml can be edited, the weights stay."""
    return {_STARTED: experiment.model_dump(exclude=set(RESUMABLE))}


def read_run_config(path: Path) -> Tree:
    """A run folder's config.yaml, under today's names."""
    tree = read_yaml(path)
    if isinstance(tree, dict):
        return upgrade_config(tree)
    plain: Any = OmegaConf.to_container(tree)
    return OmegaConf.create(upgrade_config(plain))


def load_run(folder: Path, overrides: list[str] | None = None) -> Experiment:
    """The configuration of a run folder. Raises `UserError` where the folder is none, or where the
    networks are no longer those that were trained."""
    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(f"{folder}: no run folder (config.yaml is missing); train one first")
    tree = apply_overrides(read_run_config(path), overrides or [])
    experiment = validate(Experiment, tree, str(path))
    started = _started(folder, experiment)
    _check_same(started, experiment, NETWORKS)
    return experiment


def load_resumed(folder: Path, overrides: list[str]) -> Experiment:
    """A run's configuration with changes that leave its past valid."""
    moved = [override for override in overrides if says_where_data_are(override, folder)]
    saved, wanted = load_run(folder, moved), load_run(folder, overrides)
    fixed = [field for field in Experiment.model_fields if field not in RESUMABLE]
    _check_same(saved, wanted, fixed)
    if (folder / "data.json").exists():  # its hashes tell: files may have moved
        fixed.remove("data")
    _check_same(_started(folder, wanted), wanted, fixed)
    return wanted


DECIDED_IN_TRAINING = ("select", "samples_during_training")
"""Fields of `evaluation` that have had their effect when training is over."""


def load_evaluated(folder: Path, overrides: list[str]) -> Experiment:
    """A run's configuration with changes that make sense after training."""
    free = [field for field in EvaluationConfig.model_fields if field not in DECIDED_IN_TRAINING]
    for override in overrides:
        key, equals, _ = override.partition("=")
        branch, _, field = key.partition(".")
        settled = field.split(".")[0] in ("", *DECIDED_IN_TRAINING)
        may_change = key == "device" or says_where_data_are(override, folder)
        if equals and not may_change and (branch != "evaluation" or settled):
            raise UserError(
                f"{key}: cannot change after training; only device, the paths of data, and "
                f"evaluation.{{{', '.join(free)}}} can. Train a new run instead"
            )
    experiment = load_run(folder, overrides)
    started = _started(folder, experiment)
    # Without files the configuration decides the data; files may move, with hashes in data.json.
    if not any(key.endswith("path") for key in flatten(started.data.model_dump())):
        _check_same(started, experiment, ["data"])
    text_features = experiment.evaluation.text_features
    if text_features.measure == "evaluate":
        asked = text_features.model_copy(update={"measure": "always"})
        evaluation = experiment.evaluation.model_copy(update={"text_features": asked})
        experiment = experiment.model_copy(update={"evaluation": evaluation})
    return experiment


def says_where_data_are(override: str, folder: Path) -> bool:
    """Whether it can only move the data of a run: data.json has hashes of what is in the files."""
    key = override.partition("=")[0]
    is_path = key.startswith("data.") and key.endswith("path") and "tokenizer" not in key
    return is_path and (folder / "data.json").exists()


def changes(before: Experiment, after: Experiment) -> dict[str, list[str]]:
    """Dotted keys on which two configurations differ → the two values, as text."""
    return config_diff([flatten(config.model_dump()) for config in (before, after)])


def _started(folder: Path, experiment: Experiment) -> Experiment:
    """The configuration with the branches that the run was started with; as it is where an earlier
    version has not kept them."""
    path = folder / "run.json"
    if not path.exists():
        return experiment
    remedy = "restore it from a copy of the run"
    kept = read_json_object(path, remedy).get(_STARTED, {})
    if not isinstance(kept, dict):
        raise UserError(f"{path}: damaged ({_STARTED} is no object); {remedy}")
    kept = upgrade_config(kept)
    return validate(Experiment, {**experiment.model_dump(), **kept}, str(path))


def _check_same(started: Experiment, wanted: Experiment, fields: Iterable[str]) -> None:
    for field in fields:
        if getattr(started, field) != getattr(wanted, field):
            key, (former, now) = next(
                (key, values)
                for key, values in changes(started, wanted).items()
                if key.split(".")[0] == field
            )
            raise UserError(
                f"{key}={now}: the run was started with {former}, and only {', '.join(RESUMABLE)} "
                "can change; put it back, or start a new run"
            )


def load_experiment(path: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """Read, override (`["seed=1", …]`) and validate an experiment.

    Raises `UserError` with one clear line.
    """
    refuse_string(overrides, "overrides")
    path = as_path(path, "path", "a YAML file, as in seqgan.load_experiment('x.yaml')")
    if (path / "config.yaml").is_file():
        raise UserError(
            f"{path}: is a run folder; name {path}/config.yaml, or go on with the run by "
            f"'seqgan train --resume {path}'"
        )
    tree = read_yaml(path)
    if "arms" in tree:
        raise UserError(f"{path}: is a study, no experiment; use 'seqgan compare {path}'")
    return validate(Experiment, apply_overrides(tree, list(overrides)), str(path))


def check_direction(experiment: Experiment, folder: Path, direction: str | None) -> str | None:
    """The direction to translate in, a2b or b2a: the wanted one, else the first that was trained.

    None for a run that answers prompts. Raises `UserError` where it cannot be had.
    """
    if direction not in (None, "a2b", "b2a"):
        raise UserError(f"direction={direction!r}: choose from: a2b, b2a")
    if experiment.data.modality == "prompted" and experiment.data.is_text:
        if direction is not None:
            raise UserError(f"direction={direction}: this run answers prompts; leave it out")
        return None
    if not experiment.game.played_directions:
        raise UserError(
            f"{folder}: this run translates nothing (game.name={experiment.game.name}); use "
            f"'seqgan sample {folder}', or a run of game cycle or paired, or of data prompted_text"
        )
    trained = experiment.trained_directions
    if direction is not None and direction not in trained:
        raise UserError(
            f"direction={direction}: this run was not trained that way; choose {trained[0]}"
        )
    return direction or trained[0]
