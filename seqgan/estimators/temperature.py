"""Temperatures of relaxed samples, by generator update. No torch: this is configuration."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from seqgan.core.config import Config
from seqgan.core.numbers import Temperature


class ConstantTemperature(Config):
    """The same temperature at every update."""

    name: Literal["constant"]
    """How the temperature changes during training. `temperature: 0.7` is short for this one."""
    value: Temperature = 0.7
    """Temperature τ of the softmax; lower is closer to one-hot rows."""


class AnnealedTemperature(Config):
    """From `start` to `end` in `steps` generator updates, then constant."""

    name: Literal["linear", "exponential"]
    """Whether each update adds the same amount or multiplies by the same factor."""
    start: Temperature
    """Temperature τ of the first generator update."""
    end: Temperature
    """Temperature τ after `steps` generator updates."""
    steps: Annotated[int, Field(gt=0)]
    """Generator updates on the way from `start` to `end`."""


def _constant(value: Any) -> Any:
    """A plain number is a constant temperature."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"name": "constant", "value": value}
    return value


TemperatureConfig = Annotated[
    Annotated[ConstantTemperature | AnnealedTemperature, Field(discriminator="name")],
    BeforeValidator(_constant),
]


def temperature_at(config: TemperatureConfig, updates: int) -> float:
    """τ after so many generator updates."""
    if isinstance(config, ConstantTemperature):
        return config.value
    share = min(1.0, updates / config.steps)
    if config.name == "linear":
        return config.start + share * (config.end - config.start)
    return config.start * (config.end / config.start) ** share
