"""Estimators get rewards that they can carry, from critics that give them."""

from typing import TYPE_CHECKING

from seqgan.checks.kinds import (
    CYCLE_ESTIMATORS,
    DIRECT_DATA,
    FIXED_REWARD_ESTIMATORS,
    INFILL_ESTIMATORS,
    PROMPTED,
)
from seqgan.data.config import OracleDataConfig
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.estimators.baselines_config import LearnedBaselineConfig
from seqgan.estimators.config import ESTIMATOR_NAMES, UnorderedSetConfig
from seqgan.estimators.credits_config import WindowCreditConfig
from seqgan.estimators.policy_gradient_config import GrpoConfig, PolicyGradientConfig
from seqgan.games.config import RewardGameConfig
from seqgan.models.config import CriticConfig, LocalCriticConfig
from seqgan.objectives.config import DivergenceConfig

if TYPE_CHECKING:
    from seqgan.experiment import Experiment


def check_estimator(experiment: "Experiment") -> None:
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
                "gives one score per sequence; use critic rnn, or credit sequence or rollout"
            )
        _check_group(experiment, estimator)


def _check_group(experiment: "Experiment", estimator: PolicyGradientConfig) -> None:
    """Other sequences, where one is compared with them."""
    baselines = (estimator.baseline, estimator.term_baseline)
    leave_one_out = any(part and part.name == "leave_one_out" for part in baselines)
    alone = estimator.samples == 1
    if alone and (leave_one_out or estimator.whiten) and experiment.train.batch_size < 2:
        raise ValueError(
            "train.batch_size=1 leaves no other sequence for the leave-one-out baseline or "
            "whitening; use at least 2"
        )


def _check_fixed_reward(experiment: "Experiment", estimator: EstimatorConfig) -> None:
    """Game reward: one number per sentence, and no critic to look inside of."""
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
        _check_group(experiment, estimator)
        if estimator.credit.name not in ("sequence", "rollout", "gae"):
            raise ValueError(
                f"estimator.credit.name={estimator.credit.name} needs a reward for each token, "
                "game.name=reward has one for each sentence; use sequence, rollout or gae"
            )
    if isinstance(game, RewardGameConfig) and game.scorer == "oracle":
        everywhere = ("random_lstm", "random_gru", "seqgan_paper")
        if not isinstance(data, OracleDataConfig) or data.oracle.name not in everywhere:
            raise ValueError(
                "game.scorer=oracle needs a density that is positive everywhere: data oracle with "
                f"one of {', '.join(everywhere)}; use scorer bleu"
            )


def _check_samples(experiment: "Experiment", estimator: EstimatorConfig) -> None:
    """Several samples a condition need conditions; a group needs other samples."""
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


def _check_sets(experiment: "Experiment", estimator: EstimatorConfig) -> None:
    """A batch without prompts is cut into sets; with prompts each has a set of its own."""
    if not isinstance(estimator, UnorderedSetConfig) or experiment.data.name in PROMPTED:
        return
    batch = experiment.train.batch_size
    if batch % estimator.k:
        raise ValueError(
            f"estimator.k={estimator.k} does not divide train.batch_size={batch} into whole sets; "
            "change one of them"
        )


def _check_worth(
    experiment: "Experiment", estimator: EstimatorConfig, critic: CriticConfig
) -> None:
    """What the estimator takes the critic's score for."""
    objective = experiment.objective
    if estimator.name == "all_action" and critic.name != "action":
        raise ValueError(
            "estimator.name=all_action needs a critic that scores every next token, "
            f"critic.name={critic.name} does not; use critic action"
        )
    another = isinstance(objective, DivergenceConfig) and objective.reward != "logit"
    if estimator.name == "maligan" and another:
        raise ValueError(
            "estimator.name=maligan weights samples by exp of the critic's logit; set "
            "objective.reward to logit"
        )
    mediates = getattr(critic, "reads", None) == "log_likelihood"
    if objective is not None and objective.name == "cooperative" and not mediates:
        raise ValueError(
            "objective.name=cooperative trains a language model as the critic; use critic "
            "{name: action, reads: log_likelihood}"
        )


def _check_reach(estimator: PolicyGradientConfig, critic: CriticConfig) -> None:
    """A token is credited with every score that sees it: what is left out would be a bias."""
    credit = estimator.credit
    if not (isinstance(credit, WindowCreditConfig) and isinstance(critic, LocalCriticConfig)):
        return
    if credit.reach < critic.reach:
        raise ValueError(
            f"estimator.credit.reach={credit.reach} leaves out scores of a critic that sees "
            f"{critic.reach} columns to either side; raise it to {critic.reach}"
        )


def _check_baselines(experiment: "Experiment", estimator: PolicyGradientConfig) -> None:
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
