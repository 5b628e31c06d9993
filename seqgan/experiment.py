"""The configuration tree of an experiment, and the checks that need more than one branch.

An experiment is game × players × objective × penalties × estimator × schedule × data × metrics;
each factor is one line of YAML. Nothing here imports torch: `build.py` makes the objects.
"""

from collections.abc import Collection
from math import inf
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from seqgan.core.config import Config, apply_overrides, read_yaml, validate
from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.metric_names import base
from seqgan.data.config import (
    DataConfig,
    HuggingFaceDataConfig,
    OracleDataConfig,
    TextDataConfig,
)
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.text_pair_config import LanguagePairConfig, TextPairConfig
from seqgan.estimators.config import (
    ESTIMATOR_NAMES,
    EstimatorConfig,
    GrpoConfig,
    LearnedBaselineConfig,
    PolicyGradientConfig,
    RebarConfig,
    RelaxConfig,
    UnorderedSetConfig,
    WindowCreditConfig,
)
from seqgan.evaluation.config import (
    CYCLE_METRICS,
    DEFAULT_SWEEP_METRIC,
    ORACLE_METRICS,
    PICTURE_METRICS,
    POINT_METRICS,
    PROMPTED_METRICS,
    TEXT_METRICS,
    TRANSLATION_METRICS,
    EvaluationConfig,
)
from seqgan.evaluation.probe_config import ProbeConfig
from seqgan.games.config import (
    AdversarialGameConfig,
    ConditionalGameConfig,
    CycleGameConfig,
    GameConfig,
    InfillGameConfig,
    PairedGameConfig,
    RewardGameConfig,
    weight_at,
)
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
    CriticConfig,
    GeneratorConfig,
    LocalCriticConfig,
    RelganCriticConfig,
)
from seqgan.objectives.config import (
    DivergenceConfig,
    ObjectiveConfig,
    PenaltyConfig,
    RankConfig,
)
from seqgan.training.config import PlayersConfig, StageConfig, TrainConfig


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
    data: Annotated[DataConfig | TextPairConfig | PromptedTextConfig, Field(discriminator="name")]
    """What the generator learns from."""
    game: GameConfig
    """Who plays, and for what besides the objective."""
    generator: GeneratorConfig
    """The network that writes sequences, or makes pictures or points."""
    critic: CriticConfig | None = None
    """The network that scores samples; null in games without a critic."""
    encoder: CriticConfig | None = None
    """The network whose features become codes, in game autoencode; null elsewhere."""
    objective: ObjectiveConfig | None = None
    """What the two players play for; null in games without a critic."""
    penalties: list[PenaltyConfig] = []
    """What keeps the critic smooth, each kind at most once."""
    estimator: EstimatorConfig | None = None
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
        _check_game(self)
        _check_networks(self)
        _check_start(self)
        _check_estimator(self)
        _check_features(self)
        _check_mutations(self)
        _check_demonstrations(self)
        _check_leak(self)
        _check_cycle(self)
        _check_penalties(self)
        _check_lengths(self)
        _check_prompts(self)
        _check_selection(self)
        _check_probe(self)
        return self

    @property
    def mle_weight(self) -> float:
        """Weight of the likelihood in the generator's loss, for games that have one."""
        game = self.game
        if isinstance(game, AdversarialGameConfig | ConditionalGameConfig | InfillGameConfig):
            return game.mle_weight
        return 0.0


UNPAIRED_TEXT = ("cipher", "events", "language_pair", "unpaired_text")
"""Data with two kinds of text."""

PROMPTED = ("conditional_oracle", "prompted_text")
"""Data whose sequences come with prompts."""

PHASES = {
    "mle": ("mle",),
    "adversarial": ("mle", "copy_critic", "critic", "generator", "evolve"),
    "conditional": ("mle", "copy_critic", "critic", "generator", "evolve"),
    "infill": ("mle", "critic", "generator"),
    "reward": ("mle", "generator"),
    "jsdgan": ("mle", "generator"),
    "dgsan": ("mle", "generator", "snapshot"),
    "autoencode": ("reconstruct",),
    "cycle": ("critic", "generator", "denoise", "reconstruct", "language_model"),
    "paired": ("mle",),
}
"""The phases that each game knows."""

SENTENCE_GAMES = ("mle", "adversarial", "infill", "reward", "jsdgan", "dgsan")
"""Games on sequences of one kind without conditions."""

GAMES = {
    **dict.fromkeys(("oracle", "text", "huggingface"), SENTENCE_GAMES),
    "points": ("adversarial", "autoencode"),
    "pictures": ("adversarial", "conditional", "autoencode"),
    "unpaired": ("cycle",),
    **dict.fromkeys(UNPAIRED_TEXT, ("cycle", "paired")),
    **dict.fromkeys(PROMPTED, ("mle", "conditional")),
}
"""The games that can be played on each kind of data."""

CYCLE_ESTIMATORS = (
    "pathwise",
    "score_function",
    "softmax",
    "soft_gumbel",
    "straight_through_gumbel",
    "straight_through",
    "gumbel_rao",
    "gapped",
    "reinmax",
    "zero_temperature",
    "detached",
)
"""Estimators that can carry rewards through the middle of a cycle."""

FIXED_REWARD_ESTIMATORS = (
    "score_function",
    "ppo",
    "grpo",
    "relax",
    "rao_blackwell",
    "unordered_set",
)
"""Estimators that ask a reward for the worth of hard sentences, and for nothing else."""

INFILL_ESTIMATORS = ("score_function", "ppo", "grpo")
"""Estimators whose critic reads symbols, not soft rows, which have no blank."""

DIRECT_DATA = ("points", "pictures", "unpaired")
"""Data whose samples are made in one pass, with a gradient all the way."""


def _check_game(experiment: Experiment) -> None:
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


def _check_parts(experiment: Experiment) -> None:
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


def _check_networks(experiment: Experiment) -> None:
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


def _check_start(experiment: Experiment) -> None:
    """A critic that starts from the generator is built like it."""
    critic, generator = experiment.critic, experiment.generator
    starts = critic is not None and getattr(critic, "from_generator", False)
    copied = any("copy_critic" in stage.phases for stage in experiment.schedule)
    if starts != copied:
        raise ValueError(
            f"critic.from_generator={str(starts).lower()} and the schedule's phase 'copy_critic', "
            "which copies the layers, go together; set both, or neither"
        )
    if critic is None or not starts:
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


def _check_finite_data(experiment: Experiment) -> None:
    """JSDGAN counts how often each sentence stands in the training set."""
    data = experiment.data
    if experiment.game.name == "jsdgan" and isinstance(data, OracleDataConfig) and data.fresh:
        raise ValueError(
            "data.fresh=true: game jsdgan needs a finite training set; set it to false"
        )


def _check_estimator(experiment: Experiment) -> None:
    estimator, critic = experiment.estimator, experiment.critic
    if estimator is not None and critic is None:
        _check_fixed_reward(experiment, estimator)
    if estimator is None or critic is None:
        return
    if (estimator.name == "pathwise") != (experiment.data.name in DIRECT_DATA):
        others = ", ".join(name for name in ESTIMATOR_NAMES if name != "pathwise")
        fitting = "pathwise" if experiment.data.name in DIRECT_DATA else others
        raise ValueError(
            f"estimator.name={estimator.name} does not fit data.name={experiment.data.name}; "
            f"choose from: {fitting}"
        )
    if estimator.name == "detached" and experiment.game.name != "cycle":
        raise ValueError(
            "estimator.name=detached teaches a generator nothing; it is for game cycle only"
        )
    if experiment.game.name == "cycle" and estimator.name not in CYCLE_ESTIMATORS:
        raise ValueError(
            f"estimator.name={estimator.name} is not for game cycle; "
            f"choose from: {', '.join(CYCLE_ESTIMATORS)}"
        )
    if experiment.game.name == "infill" and estimator.name not in INFILL_ESTIMATORS:
        raise ValueError(
            f"estimator.name={estimator.name} is not for game infill; "
            f"choose from: {', '.join(INFILL_ESTIMATORS)}"
        )
    _check_samples(experiment, estimator)
    _check_sets(experiment, estimator)
    _check_worth(experiment, estimator, critic)
    if isinstance(estimator, PolicyGradientConfig):
        causal = critic.name in ("rnn", "action") or getattr(critic, "causal", False)
        _check_baselines(experiment, estimator)
        if estimator.credit.name == "window" and critic.name != "local":
            raise ValueError(
                f"estimator.credit.name=window needs a critic of windows, critic.name={critic.name}"
                " is none; use critic local, or another credit"
            )
        _check_reach(estimator, critic)
        if estimator.credit.name == "per_step" and not causal:
            raise ValueError(
                f"estimator.credit.name=per_step needs a causal critic, critic.name={critic.name} "
                "gives one score a sequence; use critic rnn, or credit sequence or rollout"
            )
        _check_company(experiment, estimator)


def _check_company(experiment: Experiment, estimator: PolicyGradientConfig) -> None:
    """Other sequences, where one is compared with them."""
    baselines = (estimator.baseline, estimator.term_baseline)
    leave_one_out = any(part and part.name == "leave_one_out" for part in baselines)
    alone = estimator.samples == 1
    if alone and (leave_one_out or estimator.whiten) and experiment.train.batch_size < 2:
        raise ValueError(
            "train.batch_size=1 leaves no other sequence for the leave-one-out baseline or "
            "whitening; use at least 2"
        )


def _check_fixed_reward(experiment: Experiment, estimator: EstimatorConfig) -> None:
    """Game reward: one number a sentence, and no critic to look inside of."""
    game, data = experiment.game, experiment.data
    if estimator.name not in FIXED_REWARD_ESTIMATORS:
        raise ValueError(
            f"estimator.name={estimator.name} needs a critic, game.name=reward has none; choose "
            f"from: {', '.join(FIXED_REWARD_ESTIMATORS)}"
        )
    _check_samples(experiment, estimator)
    _check_sets(experiment, estimator)
    if isinstance(estimator, PolicyGradientConfig):
        _check_baselines(experiment, estimator)
        _check_company(experiment, estimator)
        if estimator.credit.name not in ("sequence", "rollout", "gae"):
            raise ValueError(
                f"estimator.credit.name={estimator.credit.name} needs a reward for each symbol, "
                "game.name=reward has one for each sentence; use sequence, rollout or gae"
            )
    if isinstance(game, RewardGameConfig) and game.scorer == "oracle":
        everywhere = ("random_lstm", "random_gru", "seqgan_paper")
        if not isinstance(data, OracleDataConfig) or data.oracle.name not in everywhere:
            raise ValueError(
                "game.scorer=oracle needs a density that is positive everywhere: data oracle with "
                f"one of {', '.join(everywhere)}; use scorer bleu"
            )


def _check_mutations(experiment: Experiment) -> None:
    """Evolution and its phase go together, and it starts each child from the same state."""
    phases = {phase for stage in experiment.schedule for phase in stage.phases}
    evolution = getattr(experiment.game, "evolution", None)
    if (evolution is not None) != ("evolve" in phases):
        raise ValueError(
            "game.evolution and the schedule's phase 'evolve' go together; set both, or neither"
        )
    learned = isinstance(getattr(experiment.estimator, "baseline", None), LearnedBaselineConfig)
    if evolution is not None and learned:
        raise ValueError(
            "estimator.baseline.name=learned: a baseline cannot learn the rewards of several "
            "mutations; use leave_one_out"
        )
    estimator = experiment.estimator
    varies = isinstance(estimator, RelaxConfig) or getattr(estimator, "learn", False)
    if evolution is not None and estimator is not None and varies:
        raise ValueError(
            f"estimator.name={estimator.name}: a control variate cannot learn the rewards of "
            "several mutations; use rebar with learn=false, or another estimator"
        )


def _check_demonstrations(experiment: Experiment) -> None:
    """Real sentences can stand among hard samples that are compared with each other only."""
    estimator = experiment.estimator
    if getattr(experiment.game, "demonstrations", None) is None:
        return
    if not isinstance(estimator, PolicyGradientConfig) or estimator.samples > 1:
        raise ValueError(
            "game.demonstrations needs estimator score_function or ppo with samples=1; use one of "
            "them, or leave demonstrations out"
        )
    if estimator.baseline.name == "self_critical":
        raise ValueError(
            "estimator.baseline.name=self_critical: greedy sentences are no demonstrations; use "
            "leave_one_out, or leave game.demonstrations out"
        )


def _check_leak(experiment: Experiment) -> None:
    """LeakGAN's parts come together: one generator, one way to teach it, one kind of critic."""
    parts = {"generator": "leakgan", "estimator": "leakgan", "critic": "cnn"}
    names = {field: getattr(getattr(experiment, field), "name", None) for field in parts}
    if "leakgan" not in names.values():
        return
    for field, needed in parts.items():
        if names[field] != needed:
            raise ValueError(
                f"{field}.name={names[field]} does not fit generator or estimator leakgan, which "
                f"needs {field} {needed} (and game adversarial); change one of them"
            )
    if experiment.data.name in PROMPTED:
        raise ValueError(
            f"generator.name=leakgan sets goals for whole sequences, data.name="
            f"{experiment.data.name} has prompts; use another generator and estimator"
        )


def _check_samples(experiment: Experiment, estimator: EstimatorConfig) -> None:
    """Several samples a condition need conditions; a group needs company."""
    samples = 1
    if isinstance(estimator, PolicyGradientConfig | GrpoConfig):
        samples = estimator.samples
    if samples > 1 and experiment.data.name not in PROMPTED:
        raise ValueError(
            f"estimator.samples={samples} asks for several samples of each prompt, but "
            f"data.name={experiment.data.name} has none; set it to 1"
        )
    compares = estimator.name in ("grpo", "maligan", "all_action", "leakgan")
    if compares and samples == 1 and experiment.train.batch_size < 2:
        raise ValueError(
            "train.batch_size=1 leaves no other sample to compare with for "
            f"estimator.name={estimator.name}; use at least 2"
        )


def _check_sets(experiment: Experiment, estimator: EstimatorConfig) -> None:
    """A batch without prompts is cut into sets; with prompts each has a set of its own."""
    if not isinstance(estimator, UnorderedSetConfig) or experiment.data.name in PROMPTED:
        return
    batch = experiment.train.batch_size
    if batch % estimator.k:
        raise ValueError(
            f"estimator.k={estimator.k} does not divide train.batch_size={batch} into whole sets; "
            "change one of them"
        )


def _check_worth(experiment: Experiment, estimator: EstimatorConfig, critic: CriticConfig) -> None:
    """What the estimator takes the critic's score for."""
    objective = experiment.objective
    if estimator.name == "all_action" and critic.name != "action":
        raise ValueError(
            "estimator.name=all_action needs a critic that scores every next symbol, "
            f"critic.name={critic.name} does not; use critic action"
        )
    if estimator.name == "maligan" and isinstance(objective, DivergenceConfig):
        if objective.value != "logit":
            raise ValueError(
                f"objective.value={objective.value}: estimator maligan weights samples by exp of "
                "the critic's logit; set it to logit"
            )
    mediates = getattr(critic, "reads", None) == "log_likelihood"
    if objective is not None and objective.name == "cooperative" and not mediates:
        raise ValueError(
            "objective.name=cooperative trains a language model as the critic; use critic "
            "{name: action, reads: log_likelihood}"
        )


def _check_features(experiment: Experiment) -> None:
    """Objectives that compare features need a critic that has some, and samples to compare."""
    objective, critic, estimator = experiment.objective, experiment.critic, experiment.estimator
    if objective is None or critic is None or isinstance(objective, DivergenceConfig):
        return
    if critic.name in ("rnn", "action", "local") or getattr(critic, "causal", False):
        causal = " with causal=true" if critic.name == "transformer" else ""
        raise ValueError(
            f"objective.name={objective.name} compares features of whole samples, "
            f"critic.name={critic.name}{causal} scores steps and has none; use critic cnn, relgan, "
            "pairwise, mlp, or transformer with causal=false"
        )
    if estimator is not None and estimator.name == "maligan":
        raise ValueError(
            f"objective.name={objective.name}: estimator maligan weights samples by exp of a "
            "critic's logit; use objective non_saturating with value logit"
        )
    if objective.name == "transport" and isinstance(estimator, RebarConfig):
        raise ValueError(
            "objective.name=transport: a sample's value is a potential with the slope of a cost, "
            "so that estimator rebar would be biased; use relax"
        )
    alone = getattr(estimator, "baseline", None), getattr(estimator, "term_baseline", None)
    if objective.name != "rank" and "self_critical" in [getattr(b, "name", None) for b in alone]:
        raise ValueError(
            f"objective.name={objective.name} compares the samples of a batch, and the greedy "
            "sentence of baseline self_critical is alone; use leave_one_out"
        )
    least = objective.references + 1 if isinstance(objective, RankConfig) else 2
    if experiment.train.batch_size < least:
        raise ValueError(
            f"train.batch_size={experiment.train.batch_size} leaves objective {objective.name} "
            f"nothing to compare with; use at least {least}"
        )
    scored = [p.name for p in experiment.penalties if p.name in ("gradient_penalty", "r1")]
    if objective.name != "mmd" and scored:
        raise ValueError(
            f"penalties has '{scored[0]}' on the critic's score, which objective.name="
            f"{objective.name} does not train; use spectral_norm or weight_clip"
        )


def _check_reach(estimator: PolicyGradientConfig, critic: CriticConfig) -> None:
    """A symbol is credited with every score that sees it: what is left out would be a bias."""
    credit = estimator.credit
    if not (isinstance(credit, WindowCreditConfig) and isinstance(critic, LocalCriticConfig)):
        return
    if credit.reach < critic.reach:
        raise ValueError(
            f"estimator.credit.reach={credit.reach} leaves out scores of a critic that sees "
            f"{critic.reach} columns to either side; raise it to {critic.reach}"
        )


def _check_baselines(experiment: Experiment, estimator: PolicyGradientConfig) -> None:
    if estimator.credit.name == "gae" and estimator.baseline.name != "learned":
        raise ValueError(
            "estimator.credit.name=gae needs a learned value; set estimator.baseline.name=learned"
        )
    cycle = experiment.game.name == "cycle"
    asked = {"baseline": estimator.baseline, "term_baseline": estimator.term_baseline}
    for field, baseline in asked.items():
        if baseline is None:
            continue
        if isinstance(baseline, LearnedBaselineConfig) and (cycle or field == "term_baseline"):
            raise ValueError(
                f"estimator.{field}.name=learned is for the critic's reward of games adversarial "
                "and conditional; use leave_one_out or self_critical"
            )


def _check_cycle(experiment: Experiment) -> None:
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
    experiment: Experiment, game: CycleGameConfig, phases: Collection[str]
) -> None:
    """The generator into a kind reads sentences of that kind: both need one vocabulary."""
    data = experiment.data
    joint = not isinstance(data, LanguagePairConfig) and getattr(data, "joint", True)
    if joint or not (game.identity_weight or "denoise" in phases):
        return
    remedy = "" if isinstance(data, LanguagePairConfig) else " or data.joint to true"
    raise ValueError(
        f"game.identity_weight={game.identity_weight}, or the phase 'denoise': generators that "
        f"read one vocabulary cannot write sentences of another again; set it to 0{remedy}"
    )


def _teaches(experiment: Experiment, game: CycleGameConfig) -> bool:
    """Whether every update of phase `generator` has a loss: ramps are 0 at their ends at most."""
    listens = experiment.estimator is not None and experiment.estimator.name != "detached"
    weights = [game.cycle_weight, game.identity_weight, game.bijection_weight]
    weights += [game.coverage_weight] + ([game.fluency_weight] if listens else [])
    weights += [game.adversarial_weight] if listens else []
    return all(any(weight_at(weight, at) for weight in weights) for at in (0, inf))


def _check_penalties(experiment: Experiment) -> None:
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


METRICS = {
    "oracle": ORACLE_METRICS,
    "text": TEXT_METRICS,
    "huggingface": TEXT_METRICS,
    "points": POINT_METRICS,
    "pictures": PICTURE_METRICS,
    "unpaired": CYCLE_METRICS,
    "conditional_oracle": ORACLE_METRICS,
    "prompted_text": PROMPTED_METRICS,
    **dict.fromkeys(UNPAIRED_TEXT, TRANSLATION_METRICS),
}
"""What can be selected by, by kind of data."""


def _check_probe(experiment: Experiment) -> None:
    """Every probed estimator could be the experiment's own."""
    probe = experiment.probe
    if probe is None:
        return
    if experiment.game.name not in ("adversarial", "conditional") or (
        experiment.data.name in DIRECT_DATA
    ):
        raise ValueError(
            f"probe: game.name={experiment.game.name} on data.name={experiment.data.name} has no "
            "estimators of discrete symbols to compare; remove it"
        )
    for row in probe.estimators:
        try:
            _check_estimator(experiment.model_copy(update={"estimator": row.estimator}))
        except ValueError as error:
            raise ValueError(f"probe.estimators, '{row.label}': {error}") from error


def _check_selection(experiment: Experiment) -> None:
    known = _measured(experiment)
    for field in ("select", "sweep_select"):
        rule = getattr(experiment.evaluation, field)
        metric = rule.metric
        if rule.patience is not None and (metric is None or field == "sweep_select"):
            raise ValueError(
                f"evaluation.{field}.patience={rule.patience} waits for no metric of training; set "
                "evaluation.select.metric too, or leave it out"
            )
        unused = field == "sweep_select" and not experiment.evaluation.sweep
        if unused and metric == DEFAULT_SWEEP_METRIC:  # the default, which is for sequences
            continue
        if metric is not None and base(metric) not in known:
            hint = did_you_mean(metric, known) or ";"
            raise ValueError(
                f"evaluation.{field}.metric='{metric}': unknown{hint} choose from: "
                f"{', '.join(known)}"
            )


def _measured(experiment: Experiment) -> tuple[str, ...]:
    """What the validation of this experiment measures: of translations, those that are played."""
    known, game = METRICS[experiment.data.name], experiment.game
    if known is not TRANSLATION_METRICS or not isinstance(game, CycleGameConfig | PairedGameConfig):
        return known
    ends = tuple(f"_{way}" for way in game.directions)
    return tuple(name for name in known if name == "label_free" or name.endswith(ends))


def trained_ways(experiment: Experiment) -> list[str]:
    """The translators of a cycle or paired game that anything teaches: ways that are played, and
    ways back where sources are to be recovered."""
    game = experiment.game
    assert isinstance(game, CycleGameConfig | PairedGameConfig), "has translators"
    phases = {phase for stage in experiment.schedule for phase in stage.phases}
    recovers = isinstance(game, CycleGameConfig) and (
        game.cycle_weight != 0 or "reconstruct" in phases
    )
    return ["a2b", "b2a"] if recovers else sorted(set(game.directions))


def _check_prompts(experiment: Experiment) -> None:
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


def _check_lengths(experiment: Experiment) -> None:
    critic, data = experiment.critic, experiment.data
    if not isinstance(data, OracleDataConfig | TextDataConfig | HuggingFaceDataConfig):
        return  # no sequences, or two kinds, whose lengths are known when the text is read
    length = data.oracle.length if data.name == "oracle" else data.length
    if isinstance(critic, CnnCriticConfig | RelganCriticConfig) and max(critic.widths) > length:
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
