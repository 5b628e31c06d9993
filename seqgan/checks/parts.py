"""Every game has its parts, and networks fit data and each other."""

from typing import TYPE_CHECKING

from seqgan.checks.kinds import DIRECT_DATA, GAMES, PHASES, UNPAIRED_TEXT
from seqgan.data.config import HuggingFaceDataConfig, OracleDataConfig, TextDataConfig
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.models.config import (
    PICTURE_CRITICS,
    PICTURE_GENERATORS,
    POINT_CRITICS,
    POINT_GENERATORS,
    SEQUENCE_CRITICS,
    SEQUENCE_GENERATORS,
    SEQUENCE_TRANSLATORS,
    TRANSLATORS,
    CnnCriticConfig,
    RelganCriticConfig,
)

if TYPE_CHECKING:
    from seqgan.experiment import Experiment


def check_game(experiment: "Experiment") -> None:
    game, data = experiment.game.name, experiment.data.name
    if game not in GAMES[data]:
        raise ValueError(
            f"game.name={game} cannot be played on data.name={data}; "
            f"choose from: {', '.join(GAMES[data])}"
        )
    if game == "paired" and not getattr(experiment.data, "aligned", False):
        raise ValueError(
            "game.name=paired: the training rows of this data are no pairs; set data.aligned=true"
        )
    _check_parts(experiment)
    _check_finite_data(experiment)
    for position, stage in enumerate(experiment.schedule):
        for phase in stage.phases:
            if phase not in PHASES[game]:
                raise ValueError(
                    f"schedule[{position}].phases has '{phase}', which game.name={game} does not "
                    f"know; it has: {', '.join(PHASES[game])}"
                )
            if phase == "mle" and data in DIRECT_DATA:
                raise ValueError(
                    f"schedule[{position}].phases has 'mle', but pictures and points have no "
                    "likelihood here; use game autoencode for a generator alone"
                )


def _check_parts(experiment: "Experiment") -> None:
    """Each game has the parts that it plays with, and no other."""
    game = experiment.game.name
    with_critic = game in ("adversarial", "conditional", "infill", "cycle")
    needed = {
        "critic": with_critic,
        "objective": with_critic,
        "estimator": with_critic or game == "reward",
        "encoder": game == "autoencode",
    }
    for name, wanted in needed.items():
        present = getattr(experiment, name) is not None
        if wanted and not present:
            other = " or use game mle" if game == "adversarial" else " see configs/ for examples"
            raise ValueError(f"game.name={game} needs {name}; add it,{other}")
        if present and not wanted:
            raise ValueError(f"game.name={game} has no use for {name}; remove it")
    if experiment.mle_weight and experiment.data.name in DIRECT_DATA:
        raise ValueError(
            "game.mle_weight: pictures and points have no likelihood here; set it to 0"
        )


FITTING_NETWORKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "points": (POINT_GENERATORS, POINT_CRITICS),
    "pictures": (PICTURE_GENERATORS, PICTURE_CRITICS),
    "unpaired": (TRANSLATORS, PICTURE_CRITICS),
    **dict.fromkeys(UNPAIRED_TEXT, (SEQUENCE_TRANSLATORS, SEQUENCE_CRITICS)),
}
"""Generators and critics by kind of data; what is not here is text of one kind."""


def check_networks(experiment: "Experiment") -> None:
    """Every network can make or read the samples of the data."""
    data = experiment.data.name
    generators, critics = FITTING_NETWORKS.get(data, (SEQUENCE_GENERATORS, SEQUENCE_CRITICS))
    fitting = {"generator": generators, "critic": critics, "encoder": critics}
    for field, names in fitting.items():
        part = getattr(experiment, field)
        if part is not None and part.name not in names:
            raise ValueError(
                f"{field}.name={part.name} does not fit data.name={data}; "
                f"choose from: {', '.join(names)}"
            )


STARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rnn": (("lstm", "gru"), ("embed", "hidden", "layers")),
    "transformer": (("transformer",), ("width", "layers", "heads")),
    "hf": (("hf",), ("path",)),
}
"""By kind of critic: generators it can start from, and the fields that have to agree."""


def check_start(experiment: "Experiment") -> None:
    """A critic that starts from the generator is built like it."""
    critic, generator = experiment.critic, experiment.generator
    starts = critic is not None and getattr(critic, "from_generator", False)
    if critic is None or not starts:
        _check_copying(experiment, starts)
        return
    generators, fields = STARTS[critic.name]
    if experiment.game.name == "cycle" or generator.name not in generators:
        raise ValueError(
            f"critic.from_generator=true: critic {critic.name} can start from generator "
            f"{' or '.join(generators)} in games with one generator; set it to false"
        )
    cell = getattr(critic, "cell", generator.name)
    if cell != generator.name:
        raise ValueError(
            f"critic.from_generator=true, but critic.cell={cell} and generator.name="
            f"{generator.name}; make them equal"
        )
    for field in fields:
        ours, theirs = getattr(critic, field), getattr(generator, field)
        if ours != theirs:
            raise ValueError(
                f"critic.from_generator=true, but critic.{field}={ours} and generator.{field}="
                f"{theirs}; make them equal"
            )
    if getattr(generator, "lora", None) is not None:
        raise ValueError(
            "critic.from_generator=true copies whole layers, and generator.lora has them in two "
            "parts; set one of them to false or null"
        )
    if any(penalty.name == "spectral_norm" for penalty in experiment.penalties):
        raise ValueError(
            "critic.from_generator=true: spectral_norm would divide the copied weights by their "
            "norms; use gradient_penalty or r1"
        )
    _check_copying(experiment, starts)


def _check_copying(experiment: "Experiment", starts: bool) -> None:
    copied = any("copy_critic" in stage.phases for stage in experiment.schedule)
    if starts != copied:
        raise ValueError(
            f"critic.from_generator={str(starts).lower()} and the schedule's phase 'copy_critic', "
            "which copies the layers, go together; set both, or neither"
        )


def _check_finite_data(experiment: "Experiment") -> None:
    """JSDGAN counts how often each sentence stands in the training set."""
    data = experiment.data
    if experiment.game.name == "jsdgan" and isinstance(data, OracleDataConfig) and data.fresh:
        raise ValueError(
            "data.fresh=true: game jsdgan needs a finite training set; set it to false"
        )


def check_penalties(experiment: "Experiment") -> None:
    names = [penalty.name for penalty in experiment.penalties]
    critic = None if experiment.critic is None else experiment.critic.name
    if names and critic is None:
        raise ValueError(f"penalties has '{names[0]}', but there is no critic; remove it")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"penalties has '{doubles[0]}' twice; keep one")
    if "spectral_norm" in names and critic in ("rnn", "action", "pairwise", "hf"):
        raise ValueError(
            f"penalties has 'spectral_norm', which critic.name={critic} does not "
            "support (not all of its weights are plain layers); use gradient_penalty or r1, or "
            "another critic"
        )


def check_prompts(experiment: "Experiment") -> None:
    """Prompts without responses have a use, and nobody asks for their true responses."""
    data = experiment.data
    if not isinstance(data, PromptedTextConfig) or data.prompts is None:
        return
    if experiment.game.name == "mle":
        raise ValueError("data.prompts: game mle has no use for prompts without responses")
    if getattr(experiment.objective, "paired", False):
        raise ValueError(
            "objective.paired=true compares with the true response, but data.prompts have none; "
            "set paired to false, or leave data.prompts out"
        )


def check_lengths(experiment: "Experiment") -> None:
    critic, data = experiment.critic, experiment.data
    if not isinstance(data, OracleDataConfig | TextDataConfig | HuggingFaceDataConfig):
        return  # no sequences, or two kinds, whose lengths are known when the text is read
    length = data.oracle.length if data.name == "oracle" else data.length
    if isinstance(critic, CnnCriticConfig | RelganCriticConfig) and max(critic.widths) > length:
        raise ValueError(
            f"critic.widths has {max(critic.widths)}, longer than the sequences ({length} "
            "tokens); drop the wider windows and their filters"
        )
