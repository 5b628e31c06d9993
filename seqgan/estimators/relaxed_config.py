"""Configuration of the estimators that back-propagate through relaxed or straight-through samples.

o are a step's logits, g is Gumbel noise, τ the temperature.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.numbers import Repeats, Temperature
from seqgan.core.parts import Words
from seqgan.core.schedule import Schedule, TemperatureSchedule, constant
from seqgan.estimators.base_config import CriticEstimatorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import SequenceSpace
    from seqgan.decoding import Sampler
    from seqgan.estimators.base import Estimator


class RelaxedConfig(CriticEstimatorConfig):
    """Base of the estimators whose sampler has a temperature."""

    games: ClassVar[Words] = frozenset({"adversarial", "cycle", "paired"})

    temperature: TemperatureSchedule = constant(0.7)
    """Temperature τ of the softmax that is differentiated, by generator update."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.relaxed import Relaxed

        return Relaxed(space, self.build_sampler(), self.temperature)

    @abstractmethod
    def build_sampler(self) -> "Callable[[float], Sampler]":
        """From a temperature to the draw of the next tokens."""


class SoftmaxConfig(RelaxedConfig):
    """The critic and the next step read softmax(o/τ), without noise."""

    name: Literal["softmax"] = "softmax"

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.decoding import Softmax

        return Softmax


class SoftGumbelConfig(RelaxedConfig):
    """The critic and the next step read softmax((o + g)/τ)."""

    name: Literal["soft_gumbel"] = "soft_gumbel"

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.decoding import GumbelSoftmax

        return lambda tau: GumbelSoftmax(tau, hard=False)


class DecoupledConfig(RelaxedConfig):
    """Base of the estimators with a temperature for each direction."""

    forward_temperature: Temperature = 1.0
    """Temperature τ_f of the tokens that critic and next step read; 1: the generator's own."""


class StraightThroughGumbelConfig(DecoupledConfig):
    """They read the hard argmax of o + τ_f g; the gradient is that of softmax((o + τ_f g)/τ)."""

    name: Literal["straight_through_gumbel"] = "straight_through_gumbel"

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.decoding import GumbelSoftmax

        return lambda tau: GumbelSoftmax(tau, True, self.forward_temperature)


class StraightThroughConfig(DecoupledConfig):
    """A hard sample of softmax(o/τ_f); the gradient is that of softmax(o/τ), with τ = 1 usual."""

    name: Literal["straight_through"] = "straight_through"

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.decoding import StraightThrough

        return lambda tau: StraightThrough(tau, self.forward_temperature)


class GumbelRaoConfig(RelaxedConfig):
    """straight_through_gumbel with its noise averaged out, given the sample (Gumbel-Rao)."""

    name: Literal["gumbel_rao"] = "gumbel_rao"
    samples: Repeats = 10
    """Draws K of the noise that are averaged; memory grows with it."""

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.estimators.straight_through import GumbelRao

        return lambda tau: GumbelRao(tau, self.samples)


class GappedConfig(RelaxedConfig):
    """A hard sample; the gradient is that of a softmax in which it leads by a gap. No noise."""

    name: Literal["gapped"] = "gapped"
    gap: Annotated[float, Field(gt=0)] = 1.0
    """Least difference of the sampled token's logit from every other."""

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.estimators.straight_through import Gapped

        return lambda tau: Gapped(tau, self.gap)


class ReinMaxConfig(RelaxedConfig):
    """A hard sample whose gradient is right to second order (ReinMax)."""

    name: Literal["reinmax"] = "reinmax"
    temperature: TemperatureSchedule = constant(1.0)
    """Temperature τ, at least 1, by generator update; 1: second order, more: less variance."""
    control_variate: bool = False
    """Whether a row's slope is compared with the other rows' mean: less variance, the same mean."""

    @model_validator(mode="after")
    def _not_cold(self) -> Self:
        lowest = self.temperature.lowest
        if lowest < 1:
            raise ValueError(
                f"temperature={lowest}: reinmax has no second order below 1; use 1 or more"
            )
        return self

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.estimators.straight_through import ReinMax

        return lambda tau: ReinMax(tau, self.control_variate)


class ReinMaxRaoConfig(RelaxedConfig):
    """reinmax with part of its Jacobian averaged over Gumbel noise; not the mean of reinmax."""

    name: Literal["reinmax_rao"] = "reinmax_rao"
    samples: Repeats = 10
    """Draws K of the noise that are averaged; memory grows with it."""

    def build_sampler(self) -> "Callable[[float], Sampler]":
        from seqgan.estimators.straight_through import ReinMaxRao

        return lambda tau: ReinMaxRao(tau, self.samples)


class ZeroTemperatureConfig(CriticEstimatorConfig):
    """The limit of gumbel_rao at temperature 0, in closed form: equals reinmax at temperature 1."""

    games: ClassVar[Words] = frozenset({"adversarial", "cycle", "paired"})

    name: Literal["zero_temperature"] = "zero_temperature"

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.relaxed import Relaxed
        from seqgan.estimators.straight_through import ZeroTemperature

        return Relaxed(space, lambda _: ZeroTemperature(), 0.0)


class RedgeConfig(CriticEstimatorConfig):
    """A row denoised from Gaussian noise in closed form; one step is straight_through (ReDGE)."""

    games: ClassVar[Words] = frozenset({"adversarial", "cycle", "paired"})

    name: Literal["redge"] = "redge"
    steps: Repeats = 4
    """Denoising steps, from pure noise down to `noise`."""
    noise: Schedule[Annotated[float, Field(ge=1e-3, le=1)]] = constant(0.5)
    """Level at which denoising ends, by generator update; lower: rows nearer to one-hot."""
    hard: bool = True
    """Whether a token is drawn from the row for critic and next step, or they read the row."""

    def build_estimator(self, space: "SequenceSpace", network: "nn.Module | None") -> "Estimator":
        from seqgan.estimators.redge import Redge
        from seqgan.estimators.relaxed import Relaxed

        return Relaxed(space, lambda noise: Redge(noise, self.steps, self.hard), self.noise)
