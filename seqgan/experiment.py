"""The configuration tree of an experiment, and the checks that need more than one branch.

An experiment is game × players × objective × penalties × estimator × schedule × data × metrics;
each factor is one line of YAML. Nothing here imports torch: `build.py` makes the objects.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from seqgan.core.config import Config, apply_overrides, read_yaml, validate
from seqgan.core.errors import UserError, did_you_mean
from seqgan.data.config import DataConfig
from seqgan.estimators.config import EstimatorConfig, ScoreFunctionConfig
from seqgan.evaluation.config import ORACLE_METRICS, TEXT_METRICS, EvaluationConfig
from seqgan.models.config import CnnCriticConfig, CriticConfig, GeneratorConfig
from seqgan.objectives.config import ObjectiveConfig, PenaltyConfig
from seqgan.training.config import PlayersConfig, StageConfig, TrainConfig


class GameConfig(Config):
    """Who plays. `mle` has a generator only; `adversarial` adds a critic."""

    name: Literal["mle", "adversarial"]
    """Kind of game."""
    mle_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the likelihood loss on real data, added to every adversarial generator update."""


class RunConfig(Config):
    """Where results go."""

    dir: str | None = None
    """Run folder; null: runs/<configuration name>-<time>."""


class Experiment(Config):
    """Everything that decides a run."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    """A short name for folders and reports."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of initial parameters, batches and samples."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    data: DataConfig
    """What the generator learns from."""
    game: GameConfig
    """Who plays, and for what besides the objective."""
    generator: GeneratorConfig
    """The network that writes sequences."""
    critic: CriticConfig | None = None
    """The network that scores sequences; null in game mle."""
    objective: ObjectiveConfig | None = None
    """What the two players play for; null in game mle."""
    penalties: list[PenaltyConfig] = []
    """What keeps the critic smooth, each kind at most once."""
    estimator: EstimatorConfig | None = None
    """How the critic's score becomes a gradient of the generator; null in game mle."""
    players: PlayersConfig = PlayersConfig()
    """How each network is updated."""
    schedule: Annotated[list[StageConfig], Field(min_length=1)]
    """Stages of training, one after the other."""
    train: TrainConfig = TrainConfig()
    """Batch size, intervals and limits of the training loop."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How much is sampled, and which rule picks what is reported."""
    run: RunConfig = RunConfig()
    """Where results go."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "Experiment":
        _check_game(self)
        _check_estimator(self)
        _check_penalties(self)
        _check_lengths(self)
        _check_selection(self)
        return self


def _check_game(experiment: Experiment) -> None:
    parts = {
        "critic": experiment.critic,
        "objective": experiment.objective,
        "estimator": experiment.estimator,
    }
    if experiment.game.name == "adversarial":
        missing = [name for name, part in parts.items() if part is None]
        if missing:
            raise ValueError(f"game.name=adversarial needs {missing[0]}; add it, or use game mle")
    else:
        if experiment.game.mle_weight:
            raise ValueError(
                "game.mle_weight belongs to game.name=adversarial; game mle is likelihood alone"
            )
        present = [name for name, part in parts.items() if part is not None]
        if present:
            raise ValueError(f"game.name=mle has no use for {present[0]}; remove it")
        for position, stage in enumerate(experiment.schedule):
            for phase in stage.phases:
                if phase != "mle":
                    raise ValueError(
                        f"schedule[{position}].phases has '{phase}', which game.name=mle does not "
                        "know; use mle, or game adversarial"
                    )


def _check_estimator(experiment: Experiment) -> None:
    estimator, critic = experiment.estimator, experiment.critic
    if estimator is None or critic is None:
        return
    causal = critic.name == "rnn" or getattr(critic, "causal", False)
    if isinstance(estimator, ScoreFunctionConfig):
        if estimator.credit.name == "per_step" and not causal:
            raise ValueError(
                f"estimator.credit.name=per_step needs a causal critic, critic.name={critic.name} "
                "gives one score a sequence; use critic rnn, or credit sequence or rollout"
            )
        leave_one_out = estimator.baseline.name == "leave_one_out"
        if (leave_one_out or estimator.whiten) and experiment.train.batch_size < 2:
            raise ValueError(
                "train.batch_size=1 leaves no other sequence for the leave-one-out baseline or "
                "whitening; use at least 2"
            )


def _check_penalties(experiment: Experiment) -> None:
    names = [penalty.name for penalty in experiment.penalties]
    critic = None if experiment.critic is None else experiment.critic.name
    if names and critic is None:
        raise ValueError(f"penalties has '{names[0]}', but there is no critic; remove it")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"penalties has '{doubles[0]}' twice; keep one")
    if "spectral_norm" in names and critic in ("rnn", "pairwise"):
        raise ValueError(
            f"penalties has 'spectral_norm', which critic.name={critic} does not "
            "support (recurrent, bilinear weights); use gradient_penalty or r1, or another critic"
        )


def _check_selection(experiment: Experiment) -> None:
    known = ORACLE_METRICS if experiment.data.name == "oracle" else TEXT_METRICS
    for field in ("select", "sweep_select"):
        metric = getattr(experiment.evaluation, field).metric
        if metric is not None and metric not in known:
            hint = did_you_mean(metric, known) or ";"
            raise ValueError(
                f"evaluation.{field}.metric='{metric}': unknown{hint} choose from: "
                f"{', '.join(known)}"
            )


def _check_lengths(experiment: Experiment) -> None:
    critic, data = experiment.critic, experiment.data
    length = data.oracle.length if data.name == "oracle" else data.length
    if isinstance(critic, CnnCriticConfig) and max(critic.widths) > length:
        raise ValueError(
            f"critic.widths has {max(critic.widths)}, longer than the sequences ({length} "
            "symbols); drop the wider windows and their filters"
        )


RESUMABLE = ("schedule", "train", "device", "evaluation", "run")
"""Branches of the configuration that may change when a run is resumed."""


def load_run(folder: Path, overrides: list[str] | None = None) -> Experiment:
    """The configuration of a run folder. Raises `UserError` where the folder is none."""
    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(f"{folder}: no run folder (config.yaml is missing); train one first")
    return validate(Experiment, apply_overrides(read_yaml(path), overrides or []), str(path))


def load_resumed(folder: Path, overrides: list[str]) -> Experiment:
    """A run's configuration with changes that leave its past valid."""
    saved, wanted = load_run(folder), load_run(folder, overrides)
    for field in Experiment.model_fields:
        if field not in RESUMABLE and getattr(saved, field) != getattr(wanted, field):
            raise UserError(
                f"{field}: cannot change when a run is resumed; only "
                f"{', '.join(RESUMABLE)} can. Start a new run instead"
            )
    return wanted


def load_experiment(path: Path, overrides: list[str]) -> Experiment:
    """Read, override and validate an experiment. Raises `UserError` with one clear line."""
    tree = apply_overrides(read_yaml(path), overrides)
    return validate(Experiment, tree, str(path))
