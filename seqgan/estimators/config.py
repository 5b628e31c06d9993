"""Configuration of gradient estimators: the path of the critic's score to the generator."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Repeats, Temperature
from seqgan.core.schedule import TemperatureSchedule, constant


class SequenceCreditConfig(Config):
    """Every token is credited with the value of the whole sequence."""

    name: Literal["sequence"] = "sequence"


class PerStepCreditConfig(Config):
    """Discounted sum of a causal critic's values from this step on."""

    name: Literal["per_step"] = "per_step"
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor by which a value counts less for each step it lies ahead; below 1 is biased."""


class RolloutCreditConfig(Config):
    """Mean value of Monte-Carlo continuations from each prefix (SeqGAN)."""

    name: Literal["rollout"] = "rollout"
    continuations: Repeats = 16
    """Continuations drawn for each prefix."""


class WindowCreditConfig(Config):
    """Sum of the values within a few columns: for tokens that do not depend on each other."""

    name: Literal["window"] = "window"
    reach: Annotated[int, Field(ge=0)] = 2
    """Columns to either side whose values a token is credited with; as far as the critic sees."""


class GaeCreditConfig(Config):
    """Actor-critic: a learned value takes over from the returns, step by step; baseline learned."""

    name: Literal["gae"] = "gae"
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor by which a value counts less for each step it lies ahead; below 1 is biased."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """λ: 1 waits for the whole return, 0 believes the learned value of the next step. Below 1 is
    biased while that value is not right."""


CreditConfig = Annotated[
    SequenceCreditConfig
    | PerStepCreditConfig
    | RolloutCreditConfig
    | WindowCreditConfig
    | GaeCreditConfig,
    ByName(),
]


class NoBaselineConfig(Config):
    """The bare return."""

    name: Literal["none"] = "none"


class MovingAverageConfig(Config):
    """Exponentially weighted mean of past returns, one per step."""

    name: Literal["moving_average"] = "moving_average"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Weight of the old mean when a new batch comes in."""


class LeaveOneOutConfig(Config):
    """Mean return of the other sequences of the batch, one per step."""

    name: Literal["leave_one_out"] = "leave_one_out"


class SelfCriticalConfig(Config):
    """Return of the greedy sequence, where there are conditions for the same one."""

    name: Literal["self_critical"] = "self_critical"


class LearnedBaselineConfig(Config):
    """A recurrent network that predicts the return from the prefix; trained by its own player."""

    name: Literal["learned"] = "learned"
    embed: Annotated[int, Field(gt=0)] = 32
    """Width of the token embedding."""
    hidden: Annotated[int, Field(gt=0)] = 32
    """Width of the recurrent state."""


BaselineConfig = Annotated[
    NoBaselineConfig
    | MovingAverageConfig
    | LeaveOneOutConfig
    | SelfCriticalConfig
    | LearnedBaselineConfig,
    ByName(),
]


class CriticEstimatorConfig(Config):
    """What all estimators share that ask a critic."""

    name: str
    reward: Literal["critic", "constant", "shuffled"] = "critic"
    """critic; or for null arms the constant 1, or the critic's values (where its score is
    back-propagated, their gradients) shuffled between the samples of the batch."""


class PolicyGradientConfig(CriticEstimatorConfig):
    """What the estimators share that multiply advantages with gradients of log-probabilities."""

    samples: Repeats = 1
    """Sequences written for each condition of the batch; above 1 the leave-one-out baseline is
    the mean of the other sequences for the same condition."""
    credit: CreditConfig = SequenceCreditConfig(name="sequence")
    """How the value of a sequence is spread over its tokens."""
    baseline: BaselineConfig = LeaveOneOutConfig(name="leave_one_out")
    """What is subtracted from a return to lower the variance of the gradient."""
    term_baseline: BaselineConfig | None = None
    """The same for each reward of whole sentences beside the critic's; null: as `baseline`."""
    whiten: bool = False
    """Divide advantages by their standard deviation over the batch (biased: couples the batch)."""
    entropy_bonus: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the mean entropy of each step's distribution, in nats."""


class ScoreFunctionConfig(PolicyGradientConfig):
    """REINFORCE and its relatives: reward times the gradient of the log-probability."""

    name: Literal["score_function"] = "score_function"


ClipRange = Annotated[float, Field(gt=0, lt=1)]


class PpoConfig(PolicyGradientConfig):
    """The same advantages used for several updates, with clipped likelihood ratios."""

    name: Literal["ppo"] = "ppo"
    clip: ClipRange = 0.2
    """How far a token's likelihood ratio may leave 1 before it stops to count."""
    epochs: Repeats = 2
    """Generator updates from one batch of samples."""


class GrpoConfig(CriticEstimatorConfig):
    """Rewards compared within the group of samples for one condition, clipped ratios."""

    name: Literal["grpo"] = "grpo"
    samples: Repeats = 1
    """Sequences written for each condition, a group; 1: the batch is one group."""
    normalised: bool = True
    """Divide by the group's standard deviation, and by each sentence's length (GRPO); false: by
    neither (Dr. GRPO)."""
    clip: ClipRange = 0.2
    """How far a token's likelihood ratio may leave 1 before it stops to count."""
    epochs: Repeats = 1
    """Generator updates from one batch of samples."""


class MaliganConfig(CriticEstimatorConfig):
    """Likelihood of own samples, weighted by the critic's density ratio over the batch."""

    name: Literal["maligan"] = "maligan"
    baseline: Annotated[float, Field(ge=0)] = 1.0
    """What is subtracted from B times a sample's normalised weight; 1 makes the sum zero."""


class AllActionConfig(CriticEstimatorConfig):
    """The critic's opinion of every token at every step, averaged exactly; for critic action."""

    name: Literal["all_action"] = "all_action"
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Factor by which a later step's value counts less for each step it lies ahead; those values
    are sampled. 0: only the step's own value counts (cooperative training, biased)."""
    entropy: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the entropy, in nats; with a critic of log-likelihoods, 1 makes it the KL
    divergence to the critic's model."""


class RelaxedConfig(CriticEstimatorConfig):
    """Back-propagate through a relaxed sample.

    softmax: the critic and the next step read softmax(o/τ), without noise.
    soft_gumbel: the critic and the next step read softmax((o + g)/τ).
    straight_through_gumbel: they read the hard argmax; the gradient is that of the soft row.
    straight_through: a hard sample; the gradient is that of softmax(o/τ), with τ = 1 usual.
    """

    name: Literal["softmax", "soft_gumbel", "straight_through_gumbel", "straight_through"]
    """Soft rows (softmax, soft_gumbel), or hard tokens whose gradient is that of soft rows."""
    temperature: TemperatureSchedule = constant(0.7)
    """Temperature τ of the softmax, by generator update."""


class GumbelRaoConfig(CriticEstimatorConfig):
    """straight_through_gumbel with its noise averaged out, given the sample (Gumbel-Rao)."""

    name: Literal["gumbel_rao"] = "gumbel_rao"
    temperature: TemperatureSchedule = constant(0.7)
    """Temperature τ of the softmax in the gradient, by generator update."""
    samples: Repeats = 10
    """Draws K of the noise that are averaged; memory grows with it."""


class GappedConfig(CriticEstimatorConfig):
    """A hard sample; the gradient is that of a softmax in which it leads by a gap. No noise."""

    name: Literal["gapped"] = "gapped"
    temperature: TemperatureSchedule = constant(0.7)
    """Temperature τ of the softmax in the gradient, by generator update."""
    gap: Annotated[float, Field(gt=0)] = 1.0
    """Least difference of the sampled token's logit from every other."""


class ReinMaxConfig(CriticEstimatorConfig):
    """A hard sample whose gradient is right to second order (ReinMax)."""

    name: Literal["reinmax"] = "reinmax"
    temperature: TemperatureSchedule = constant(1.0)
    """Temperature τ, at least 1, by generator update; 1: second order, more: less variance."""

    @model_validator(mode="after")
    def _not_cold(self) -> Self:
        lowest = self.temperature.lowest
        if lowest < 1:
            raise ValueError(
                f"temperature={lowest}: reinmax has no second order below 1; use 1 or more"
            )
        return self


class ZeroTemperatureConfig(CriticEstimatorConfig):
    """The limit of gumbel_rao at temperature 0, in closed form: equals reinmax at temperature 1."""

    name: Literal["zero_temperature"] = "zero_temperature"


AnyRelaxedConfig = (
    RelaxedConfig | GumbelRaoConfig | GappedConfig | ReinMaxConfig | ZeroTemperatureConfig
)
"""Estimators that back-propagate through relaxed or straight-through samples."""


class RebarConfig(CriticEstimatorConfig):
    """The score function, less the critic's opinion of a relaxed token; unbiased."""

    name: Literal["rebar"] = "rebar"
    temperature: Temperature = 0.5
    """Temperature λ of the relaxed token; where it is learned, its start."""
    eta: float = 1.0
    """Weight η of the control variate; where it is learned, its start."""
    learn: bool = True
    """Let the player `baseline` learn λ and η, for the lowest variance."""


class RelaxConfig(CriticEstimatorConfig):
    """The score function, less a learned network's opinion of a relaxed token; unbiased."""

    name: Literal["relax"] = "relax"
    embed: Annotated[int, Field(gt=0)] = 32
    """Width of the network's token embedding."""
    hidden: Annotated[int, Field(gt=0)] = 32
    """Width of its recurrent state and of its hidden layer."""


class RaoBlackwellConfig(CriticEstimatorConfig):
    """At each step the likeliest tokens are summed over and one of the rest is drawn; each of
    them is followed by a fresh continuation (Liu et al. 2019)."""

    name: Literal["rao_blackwell"] = "rao_blackwell"
    k: Annotated[int, Field(gt=0)] = 1
    """How many tokens are summed over; a sentence of T tokens costs (k + 1)·T + 1 scores."""


class UnorderedSetConfig(CriticEstimatorConfig):
    """Sets of distinct sentences, sampled without replacement and weighted so that the gradient
    stays unbiased (Kool et al. 2020)."""

    name: Literal["unordered_set"] = "unordered_set"
    k: Annotated[int, Field(ge=2)] = 4
    """Sentences in a set; divides train.batch_size. With prompts each prompt has a set."""


class LeakGanConfig(CriticEstimatorConfig):
    """The critic's reward teaches the manager where to send the worker, which is rewarded for
    going there (LeakGAN); for generator leakgan."""

    name: Literal["leakgan"] = "leakgan"
    credit: Annotated[SequenceCreditConfig | RolloutCreditConfig, ByName()] = RolloutCreditConfig(
        name="rollout", continuations=4
    )
    """How the value of a sequence is spread over its tokens."""
    baseline: Annotated[NoBaselineConfig | MovingAverageConfig | LeaveOneOutConfig, ByName()] = (
        LeaveOneOutConfig(name="leave_one_out")
    )
    """What is subtracted from the worker's reward to lower the variance of its gradient."""
    delta: Annotated[float, Field(gt=0)] = 12.0
    """How sharply the rescaled reward tells high ranks from low ones."""


class PathwiseConfig(CriticEstimatorConfig):
    """Back-propagate through the sample itself: for pictures and points."""

    name: Literal["pathwise"] = "pathwise"


class DetachedConfig(Config):
    """No path at all: in a cycle game, the way back learns from what the way there writes
    (back-translation), and the way there learns nothing from it."""

    name: Literal["detached"] = "detached"
    decoding: Literal["greedy", "sample"] = "greedy"
    """How the translations are written."""

    @model_validator(mode="before")
    @classmethod
    def _no_reward(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and "reward" in tree:
            raise ValueError(
                f"reward={tree['reward']!r}: detached asks no critic and is a null arm itself; "
                "leave it out, or for a critic that stands still set players.critic.lr to 0"
            )
        return tree


EstimatorConfig = Annotated[
    ScoreFunctionConfig
    | PpoConfig
    | GrpoConfig
    | MaliganConfig
    | LeakGanConfig
    | AllActionConfig
    | RelaxedConfig
    | GumbelRaoConfig
    | GappedConfig
    | ReinMaxConfig
    | ZeroTemperatureConfig
    | RebarConfig
    | RelaxConfig
    | RaoBlackwellConfig
    | UnorderedSetConfig
    | PathwiseConfig
    | DetachedConfig,
    ByName(),
]

ESTIMATOR_NAMES: tuple[str, ...] = tuple(
    name
    for member in get_args(get_args(EstimatorConfig)[0])
    for name in get_args(member.model_fields["name"].annotation)
)
"""Every name of an estimator."""
