"""Configuration of gradient estimators: how the critic's score reaches the generator."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field, model_validator

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Temperature
from seqgan.core.parts import ARRAYS, Modalities, Need, Needs, Words
from seqgan.estimators.base_config import CriticEstimatorConfig, EstimatorConfig, check_others
from seqgan.estimators.policy_gradient_config import (
    GrpoConfig,
    LeakGanConfig,
    PpoConfig,
    ScoreFunctionConfig,
)
from seqgan.estimators.relaxed_config import (
    GappedConfig,
    GumbelRaoConfig,
    RedgeConfig,
    ReinMaxConfig,
    ReinMaxRaoConfig,
    SoftGumbelConfig,
    SoftmaxConfig,
    StraightThroughConfig,
    StraightThroughGumbelConfig,
    ZeroTemperatureConfig,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from seqgan.core.types import SequenceSpace, Space
    from seqgan.estimators.base import Estimator


class MaliganConfig(CriticEstimatorConfig):
    """Likelihood of own samples, weighted by the critic's density ratio over the batch."""

    needs: ClassVar[Needs] = (Need("objective", "the critic's logit as reward"),)

    name: Literal["maligan"] = "maligan"
    baseline: Annotated[float, Field(ge=0)] = 1.0
    """What is subtracted from B times a sample's normalised weight; 1 makes the sum zero."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.maligan import Maligan

        return Maligan(space, baseline=self.baseline)

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        check_others(self.name, batch_size)


class AllActionConfig(CriticEstimatorConfig):
    """The critic's score of every token at every step, averaged exactly; for critic action."""

    needs: ClassVar[Needs] = (Need("critic", "scores of every next token"),)

    name: Literal["all_action"] = "all_action"
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Factor by which a later step's value counts less for each step it lies ahead; those values
    are sampled. 0: only the step's own value counts (cooperative training, biased)."""
    entropy: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the entropy, in nats; with a critic of log-likelihoods, 1 makes it the KL
    divergence to the critic's model."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.all_action import AllAction

        return AllAction(space, discount=self.discount, entropy=self.entropy)

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        check_others(self.name, batch_size)


class RebarConfig(CriticEstimatorConfig):
    """The score function, less the critic's score of a relaxed token; unbiased."""

    name: Literal["rebar"] = "rebar"
    temperature: Temperature = 0.5
    """Temperature λ of the relaxed token; where it is learned, its start."""
    eta: float = 1.0
    """Weight η of the control variate; where it is learned, its start."""
    learn: bool = True
    """Let the player `baseline` learn λ and η, for the lowest variance."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.rebar import Rebar, RebarScales

        scales = cast(RebarScales | None, network)
        return Rebar(space, eta=self.eta, temperature=self.temperature, scales=scales)

    def build_network(self, space: "Space") -> "nn.Module | None":
        from seqgan.estimators.rebar import RebarScales

        return RebarScales(self.eta, self.temperature) if self.learn else None

    @property
    def needs(self) -> Needs:
        slope = Need("objective", "rewards with exact gradients", otherwise="use relax")
        single = Need("game", "a single objective", otherwise="use rebar with learn=false")
        return (slope, single) if self.learn else (slope,)


class RelaxConfig(CriticEstimatorConfig):
    """The score function, less a learned network's value of a relaxed token; unbiased."""

    games: ClassVar[Words] = frozenset({"adversarial", "reward"})
    needs: ClassVar[Needs] = (
        Need("game", "a single objective", otherwise="use rebar with learn=false"),
    )

    name: Literal["relax"] = "relax"
    embed: Annotated[int, Field(gt=0)] = 32
    """Width of the network's token embedding."""
    hidden: Annotated[int, Field(gt=0)] = 32
    """Width of its recurrent state and of its hidden layer."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.relax import Relax

        if network is None:
            raise ValueError("relax needs the network that its player `baseline` trains")
        return Relax(space, network)

    def build_network(self, space: "Space") -> "nn.Module":
        from seqgan.models.value import RelaxedValue

        return RelaxedValue(cast("SequenceSpace", space), self.embed, self.hidden)


class RaoBlackwellConfig(CriticEstimatorConfig):
    """At each step the likeliest tokens are summed over and one of the rest is drawn; each of
    them is followed by a fresh continuation (Liu et al. 2019)."""

    games: ClassVar[Words] = frozenset({"adversarial", "reward"})

    name: Literal["rao_blackwell"] = "rao_blackwell"
    k: Annotated[int, Field(gt=0)] = 1
    """How many tokens are summed over; a sentence of T tokens costs (k + 1)·T + 1 scores."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.rao_blackwell import RaoBlackwell

        return RaoBlackwell(space, k=self.k)


class UnorderedSetConfig(CriticEstimatorConfig):
    """Sets of distinct sentences, sampled without replacement and weighted so that the gradient
    stays unbiased (Kool et al. 2020)."""

    games: ClassVar[Words] = frozenset({"adversarial", "reward"})

    name: Literal["unordered_set"] = "unordered_set"
    k: Annotated[int, Field(ge=2)] = 4
    """Sentences in a set; divides train.batch_size. With prompts each prompt has a set."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.unordered_set import UnorderedSet

        return UnorderedSet(space, k=self.k)

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        if not prompted and batch_size % self.k:  # else each prompt has a set of its own
            raise ValueError(
                f"estimator.k={self.k} does not divide train.batch_size={batch_size} into whole "
                "sets; change one of them"
            )


class PathwiseConfig(CriticEstimatorConfig):
    """Back-propagate through the sample itself: for pictures and points."""

    accepts: ClassVar[Modalities] = ARRAYS
    games: ClassVar[Words] = frozenset({"adversarial", "cycle", "paired"})

    name: Literal["pathwise"] = "pathwise"

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.pathwise import Pathwise

        return Pathwise()


class DetachedConfig(EstimatorConfig):
    """No gradient through the samples: in a cycle game, the backward direction learns from what
    the forward direction writes (back-translation), and the forward one learns nothing from it."""

    games: ClassVar[Words] = frozenset({"cycle"})
    carries_rewards: ClassVar[bool] = False

    name: Literal["detached"] = "detached"
    decoding: Literal["greedy", "sample"] = "greedy"
    """How the translations are written."""

    @model_validator(mode="before")
    @classmethod
    def _no_reward(cls, tree: object) -> object:
        if isinstance(tree, dict) and "reward" in tree:
            raise ValueError(
                f"reward={tree['reward']!r}: detached asks no critic and is a null arm itself; "
                "leave it out, or for a critic that stands still set players.critic.lr to 0"
            )
        return tree

    def build(
        self, space: "Space", device: "torch.device", network: "nn.Module | None" = None
    ) -> "Estimator":
        from seqgan.decoding import Ancestral, Greedy
        from seqgan.estimators.detached import Detached

        sampler = Greedy() if self.decoding == "greedy" else Ancestral()
        return Detached(cast("SequenceSpace", space), sampler)


AnyEstimatorConfig = Annotated[
    ScoreFunctionConfig
    | PpoConfig
    | GrpoConfig
    | MaliganConfig
    | LeakGanConfig
    | AllActionConfig
    | SoftmaxConfig
    | SoftGumbelConfig
    | StraightThroughGumbelConfig
    | StraightThroughConfig
    | GumbelRaoConfig
    | GappedConfig
    | ReinMaxConfig
    | ReinMaxRaoConfig
    | ZeroTemperatureConfig
    | RedgeConfig
    | RebarConfig
    | RelaxConfig
    | RaoBlackwellConfig
    | UnorderedSetConfig
    | PathwiseConfig
    | DetachedConfig,
    ByName(),
]
