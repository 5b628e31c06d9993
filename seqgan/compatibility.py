"""Which parts of an experiment go together.

Every part declares what it gives and needs (`seqgan/core/parts.py`); errors name the members of the
unions that would fit. A rule about one part alone is that part's own validator. No torch here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from seqgan.core.annotations import alternatives, tags_of
from seqgan.core.errors import did_you_mean
from seqgan.core.parts import (
    SEQUENCES,
    CriticPart,
    DataPart,
    EstimatorPart,
    GamePart,
    GeneratorPart,
    Need,
    ObjectivePart,
    Part,
    PenaltyPart,
    Words,
)
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.games.config import GameConfig
from seqgan.models.config import AnyCriticConfig, AnyGeneratorConfig
from seqgan.objectives.config import AnyObjectiveConfig
from seqgan.probe.config import ProbeConfig
from seqgan.training.config import StageConfig, TrainConfig

UNIONS: dict[str, object] = {
    "game": GameConfig,
    "generator": AnyGeneratorConfig,
    "critic": AnyCriticConfig,
    "encoder": AnyCriticConfig,
    "objective": AnyObjectiveConfig,
    "estimator": AnyEstimatorConfig,
}
"""The parts that an error can propose instead of one that does not fit."""


@dataclass(frozen=True)
class Parts:
    """The parts of an experiment that depend on each other."""

    data: DataPart
    game: GamePart
    generator: GeneratorPart
    critic: CriticPart | None
    encoder: CriticPart | None
    objective: ObjectivePart | None
    penalties: Sequence[PenaltyPart]
    estimator: EstimatorPart | None
    schedule: Sequence[StageConfig]
    train: TrainConfig

    @property
    def phases(self) -> list[str]:
        """The phases of all stages, in their order."""
        return [phase for stage in self.schedule for phase in stage.phases]


def check_parts(parts: Parts) -> None:
    """Raises `ValueError` with field, value and remedy where two parts do not go together."""
    _check_game(parts)
    _check_schedule(parts)
    _check_networks(parts)
    _check_start(parts)
    _check_likelihood(parts)
    _check_estimator(parts)
    _check_penalties(parts)
    fields = ("game", "data", "generator", "critic", "objective", "estimator")
    named = {field: getattr(parts, field) for field in fields}
    named |= {f"penalties[{i}]": penalty for i, penalty in enumerate(parts.penalties)}
    for field, part in named.items():
        for need in () if part is None else part.needs:
            _check_need(field, part, need, parts)
    _check_sizes(parts)
    parts.game.check_schedule(parts.phases, parts.data, parts.estimator)


def why_not_corrected(parts: Parts) -> str | None:
    """Why the critic's scores are, or become by a factor, no log density ratio of samples, which
    could correct the generator; None where they do."""
    if parts.critic is None or parts.objective is None:
        return "it has no critic"
    if "a search of the critic" in parts.generator.gives:
        return "the generator is a search of that very critic"
    if parts.data.modality in ("text_pair", "picture_pair"):
        return "translations cannot be corrected"
    if parts.game.fills_blanks:
        return "its critic reads sentences with blanks"
    if parts.game.has_two_critics:
        return "it has a critic of codes beside that of samples"
    if parts.critic.compares_samples:
        return "its critic compares the samples of a batch (minibatch_std)"
    if "samples of numbers" in parts.data.gives:
        if "a score to penalise" not in parts.objective.gives:
            return f"objective {parts.objective.name} teaches its critic no score of single samples"
    elif "a logistic critic loss" not in parts.objective.gives:
        return (
            f"the scores of a critic that learned objective {parts.objective.name} are no log "
            "density ratio; those of minimax and non_saturating are"
        )
    return None


def _members(union: object) -> Iterator[Any]:
    """One part for each name in a union, with the defaults of its fields."""
    for kind in alternatives(union):
        yield from (kind.model_construct(name=name) for name in tags_of(kind))


def _choose(field: str, fits: Callable[[Any], bool]) -> str:
    return ", ".join(part.name for part in _members(UNIONS[field]) if fits(part))


def _fits(part: Part, parts: Parts) -> bool:
    """Whether data and game, which errors never propose to change, have a place for the part."""
    modality = parts.data.modality
    if isinstance(part, EstimatorPart):
        return modality in part.accepts and parts.game.family in part.games
    if isinstance(part, CriticPart):
        return modality in part.accepts
    if isinstance(part, GeneratorPart):
        of_game = {need.word for need in part.needs if need.of == "game"}
        return modality in part.makes and of_game <= parts.game.gives
    return not isinstance(part, DataPart | GamePart)


def _check_game(parts: Parts) -> None:
    game, data = parts.game, parts.data
    if data.modality not in game.plays:
        raise ValueError(
            f"game.name={game.name} cannot be played on data.name={data.name}; choose from: "
            f"{_choose('game', lambda other: data.modality in other.plays)}"
        )
    for need in game.needs:
        if need.of == "data":
            _check_need("game", game, need, parts)
    for field in ("critic", "objective", "estimator", "encoder"):
        wanted = field in game.parts_for(parts.phases)
        present = getattr(parts, field) is not None
        if present and not wanted:
            users = [phase for phase in game.phases if field in game.parts_for([phase])]
            visit = "".join(f", or visit phase '{phase}'" for phase in users)
            raise ValueError(f"game.name={game.name} has no use for {field}; remove it{visit}")
        if wanted and not present:
            alone = _choose("game", lambda other: data.modality in other.plays and not other.parts)
            remedy = f"or use game {alone}" if alone else "see configs/ for examples"
            raise ValueError(f"game.name={game.name} needs {field}; add it, {remedy}")


def _check_schedule(parts: Parts) -> None:
    known, given = parts.game.phases, parts.data.gives | parts.game.gives
    for position, stage in enumerate(parts.schedule):
        for phase in stage.phases:
            if phase not in known:
                hint = did_you_mean(phase, known) or ";"
                raise ValueError(
                    f"schedule[{position}].phases has '{phase}', which game.name="
                    f"{parts.game.name} does not know{hint} it has: {', '.join(known)}"
                )
            if phase == "mle" and not {"tokens", "a likelihood of pairs"} & given:
                raise ValueError(
                    f"schedule[{position}].phases has 'mle', but pictures and points have no "
                    "likelihood here; use game autoencode for a generator alone"
                )


def _check_networks(parts: Parts) -> None:
    """Every network can make or read the samples of the data."""
    for field in ("generator", "critic", "encoder"):
        part = getattr(parts, field)
        if part is not None and not _reads_or_makes(part, parts.data):
            raise ValueError(
                f"{field}.name={part.name} does not fit data.name={parts.data.name}; "
                f"choose from: {_choose(field, lambda other: _fits(other, parts))}"
            )


def _reads_or_makes(part: CriticPart | GeneratorPart, data: DataPart) -> bool:
    return data.modality in (part.makes if isinstance(part, GeneratorPart) else part.accepts)


def _check_start(parts: Parts) -> None:
    """A critic that starts from the generator is built like it."""
    critic, generator = parts.critic, parts.generator
    starts = critic.starts_from if critic is not None else {}
    if critic is not None and starts:
        if "copy_critic" not in parts.game.phases or generator.name not in starts:
            games = _choose("game", lambda game: "copy_critic" in game.phases)
            raise ValueError(
                f"critic.from_generator=true: critic {critic.name} can start from generator "
                f"{' or '.join(starts)}, in games {games}; set it to false"
            )
        critic.check_alike(generator)
    if bool(starts) != ("copy_critic" in parts.phases):
        raise ValueError(
            f"critic.from_generator={str(bool(starts)).lower()} and the schedule's phase "
            "'copy_critic', which copies the layers, go together; set both, or neither"
        )


def _check_likelihood(parts: Parts) -> None:
    """A critic that is a language model learns in a phase of its own."""
    critic = parts.critic
    visited = "critic_mle" in parts.phases
    if critic is None:
        return
    is_model = "a likelihood of its own" in critic.gives
    if is_model and "critic_mle" not in parts.game.phases:
        games = _choose("game", lambda game: "critic_mle" in game.phases)
        raise ValueError(
            f"critic.name={critic.name} learns by likelihood, which game.name={parts.game.name} "
            f"has no phase for; use another critic, or game {games}"
        )
    if is_model and (not visited or "critic" in parts.phases):
        raise ValueError(
            f"critic.name={critic.name} learns by likelihood; let the schedule visit 'critic_mle' "
            "in place of 'critic'"
        )
    if visited and not is_model:
        models = _choose("critic", lambda other: "a likelihood of its own" in other.gives)
        raise ValueError(
            f"schedule visits 'critic_mle', which teaches critic {models}; visit 'critic' in its "
            "place, or use that critic"
        )


def _check_estimator(parts: Parts) -> None:
    estimator, game = parts.estimator, parts.game
    if estimator is None or _fits(estimator, parts):
        return
    if parts.data.modality not in estimator.accepts:
        wrong = f"does not fit data.name={parts.data.name}"
    elif "critic" in game.parts:
        wrong = f"is not for game {game.name}"
    else:
        wrong = f"needs a critic, game.name={game.name} has none"
    raise ValueError(
        f"estimator.name={estimator.name} {wrong}; choose from: "
        f"{_choose('estimator', lambda other: _fits(other, parts))}"
    )


def _check_need(field: str, part: Part, need: Need, parts: Parts) -> None:
    if need.word in _given(need, parts):
        return
    giver = getattr(parts, need.of)
    if giver is None:
        lacks, remedies = f"and game.name={parts.game.name} has no {need.of}", []
    else:
        lacks = f"which {need.of}.name={giver.name} does not give"
        remedies = list(_remedies(need, giver, parts))
    remedy = ", or ".join(filter(None, (*remedies, need.otherwise))) or f"use another {field}"
    key = f"{field}.{need.key or f'name={part.name}'}"
    raise ValueError(f"{key} needs {need.word}, {lacks}; {remedy}")


def _remedies(need: Need, giver: Part, parts: Parts) -> Iterator[str]:
    """Another value of the giver's fields, or another giver; best one that needs nothing more."""
    yield from (f"set {need.of}.{change}" for change in _changes(giver, need.word))
    others: dict[str, bool] = {}
    for other in _members(UNIONS.get(need.of, type(giver))):
        if (type(other) is type(giver) and other.name == giver.name) or not _fits(other, parts):
            continue
        content = all(more.word in _given(more, parts) for more in other.needs)
        if need.word in other.gives:
            others[other.name] = content
        else:
            for change in _changes(other, need.word):
                others[f"{other.name} with {change}"] = content
    names = [name for name, content in others.items() if content] or [*others]
    if names:
        yield f"use {need.of} {', '.join(names)}"


def _given(need: Need, parts: Parts) -> Words:
    """What the needed part gives; in place of one that is absent the game, as a fixed reward, and
    beside the data the game, which may make prompts of them."""
    part: Part = getattr(parts, need.of) or parts.game
    return part.gives | parts.game.gives if need.of == "data" else part.gives


def _changes(part: Part, word: str) -> Iterator[str]:
    """Values of a switch or a choice with which a part would give `word`."""
    for field, info in type(part).model_fields.items():
        values: tuple[object, ...] = (False, True) if info.annotation is bool else ()
        if get_origin(info.annotation) is Literal and field != "name":
            values = get_args(info.annotation)
        for value in values:
            if word in part.model_copy(update={field: value}).gives:
                shown = str(value).lower() if isinstance(value, bool) else value
                yield f"{field}={shown}"
                break


def _check_sizes(parts: Parts) -> None:
    """Batches are large enough, sequences long enough and windows wide enough."""
    critic, estimator, objective = parts.critic, parts.estimator, parts.objective
    batch, columns = parts.train.batch_size, parts.data.columns
    if estimator is not None:
        estimator.check_batch(batch, "prompts" in parts.data.gives)
    if objective is not None and batch < objective.least_batch:
        raise ValueError(
            f"train.batch_size={batch} leaves objective {objective.name} nothing to compare "
            f"with; use at least {objective.least_batch}"
        )
    if critic is None:
        return
    window = None if estimator is None else estimator.window
    if window is not None and window < critic.reach:
        raise ValueError(
            f"estimator.credit.reach={window} leaves out scores of a critic that sees "
            f"{critic.reach} columns to either side; raise it to {critic.reach}"
        )
    if columns is not None:
        critic.check_columns(columns)


def _check_penalties(parts: Parts) -> None:
    names = [penalty.name for penalty in parts.penalties]
    if names and parts.critic is None:
        raise ValueError(f"penalties has '{names[0]}', but there is no critic; remove it")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"penalties has '{doubles[0]}' twice; keep one")


def check_probe(parts: Parts, probe: ProbeConfig | None) -> None:
    """Raises `ValueError` where a probed estimator could not be the experiment's own."""
    if probe is None:
        return
    if parts.game.family != "adversarial" or parts.data.modality not in SEQUENCES:
        raise ValueError(
            f"probe: game.name={parts.game.name} on data.name={parts.data.name} has no "
            "estimators of discrete tokens to compare; remove it"
        )
    for row in probe.estimators:
        probed = replace(parts, estimator=row.estimator)
        try:
            _check_estimator(probed)
            for need in row.estimator.needs:
                _check_need("estimator", row.estimator, need, probed)
            _check_sizes(probed)
        except ValueError as error:
            raise ValueError(f"probe.estimators, '{row.label}': {error}") from error
