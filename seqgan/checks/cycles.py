"""What only some translators can do."""

from collections.abc import Collection
from math import inf
from typing import TYPE_CHECKING

from seqgan.checks.kinds import UNPAIRED_TEXT
from seqgan.data.noise_config import WordNoiseConfig
from seqgan.games.config import CycleGameConfig
from seqgan.tasks.language_pair.config import LanguagePairConfig

if TYPE_CHECKING:
    from seqgan.experiment import Experiment


def check_cycle(experiment: "Experiment") -> None:
    """What only some translators can do."""
    game = experiment.game
    if not isinstance(game, CycleGameConfig):
        return
    text = experiment.data.name in UNPAIRED_TEXT
    if game.noise is not None and not text:
        raise ValueError("game.noise is for text; remove it")
    if game.bijection_weight and experiment.generator.name != "lexicon":
        raise ValueError(
            f"game.bijection_weight={game.bijection_weight} needs generator lexicon, "
            f"generator.name={experiment.generator.name} has no table; set it to 0"
        )
    co_occurrence = getattr(experiment.generator, "co_occurrence_prior", 0)
    if co_occurrence and experiment.data.name != "language_pair":
        raise ValueError(
            f"generator.co_occurrence_prior={co_occurrence} counts words of data language_pair, "
            f"data.name={experiment.data.name} is other text; set it to 0"
        )
    if _glosses(game) and experiment.data.name != "unpaired_text":
        raise ValueError(
            f"game.noise.gloss=true counts words of data unpaired_text, data.name="
            f"{experiment.data.name} is other text; set it to false"
        )
    if experiment.generator.name == "lexicon" and game.noise is not None:
        raise ValueError("game.noise: a lexicon cannot repair noise; remove it")
    if game.coverage_weight and experiment.generator.name != "pointer":
        raise ValueError(
            f"game.coverage_weight={game.coverage_weight} needs the attention of generator "
            f"pointer, generator.name={experiment.generator.name} is another; set it to 0"
        )
    if game.fluency_weight and not text:
        raise ValueError("game.fluency_weight: pictures have no language model; set it to 0")
    if len(set(game.directions)) < len(game.directions):
        raise ValueError(f"game.directions={game.directions}: name each way once")
    phases = {phase for stage in experiment.schedule for phase in stage.phases}
    if bool(game.fluency_weight) != ("language_model" in phases):
        raise ValueError(
            f"game.fluency_weight={game.fluency_weight} and the schedule's phase 'language_model' "
            "go together; set both, or neither"
        )
    order = [phase for stage in experiment.schedule for phase in stage.phases]
    if "language_model" in order and "generator" in order[: order.index("language_model")]:
        raise ValueError(
            "schedule has 'generator' before 'language_model', whose model would have learned "
            "nothing; put language_model first"
        )
    if "generator" in phases and not _teaches(experiment, game):
        raise ValueError(
            "schedule has 'generator', but no weight of game teaches the generators anything, at "
            "the start or when ramps have ended; raise game.adversarial_weight, cycle_weight or "
            "identity_weight above 0"
        )
    _check_writing_again(experiment, game, phases)
    if "denoise" in phases and text and game.noise is None:
        raise ValueError(
            "schedule has 'denoise', but game.noise is null: copying would be all there is to "
            "learn; set game.noise.name to words or mix"
        )


def _check_writing_again(
    experiment: "Experiment", game: CycleGameConfig, phases: Collection[str]
) -> None:
    """The generator into a kind reads sentences of that kind: both need one vocabulary. A gloss of
    them is in the other one's already."""
    data = experiment.data
    if _glosses(game):
        return
    joint = not isinstance(data, LanguagePairConfig) and getattr(data, "joint", True)
    if joint or not (game.identity_weight.highest or "denoise" in phases):
        return
    remedy = "" if isinstance(data, LanguagePairConfig) else " or data.joint to true"
    raise ValueError(
        f"game.identity_weight={game.identity_weight}, or the phase 'denoise': generators that "
        f"read one vocabulary cannot write sentences of another again; set it to 0{remedy}"
    )


def _glosses(game: CycleGameConfig) -> bool:
    return isinstance(game.noise, WordNoiseConfig) and game.noise.gloss


def _teaches(experiment: "Experiment", game: CycleGameConfig) -> bool:
    """Whether every update of phase `generator` has a loss: ramps are 0 at their ends at most."""
    listens = experiment.estimator is not None and experiment.estimator.name != "detached"
    steady = game.bijection_weight or game.coverage_weight
    if listens:
        steady = steady or game.fluency_weight or game.adversarial_weight
    changing = (game.cycle_weight, game.identity_weight)
    return bool(steady) or all(any(w.at(update) for w in changing) for update in (0, inf))
