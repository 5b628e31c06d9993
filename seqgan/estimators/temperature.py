"""Temperatures of relaxed samples, by generator update."""

from seqgan.estimators.config import ConstantTemperature, TemperatureConfig


def temperature_at(config: TemperatureConfig, updates: int) -> float:
    """τ after so many generator updates."""
    if isinstance(config, ConstantTemperature):
        return config.value
    share = min(1.0, updates / config.steps)
    if config.name == "linear":
        return config.start + share * (config.end - config.start)
    return config.start * (config.end / config.start) ** share
