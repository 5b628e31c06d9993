"""How sequences are decoded for an evaluation: one setting, or a grid of them to choose from."""

from dataclasses import dataclass

from seqgan.evaluation.config import EvaluationConfig


@dataclass(frozen=True, slots=True)
class DecodingSetting:
    """Temperature of samples and densities; with top_p < 1 the density is not defined."""

    temperature: float = 1.0
    top_p: float = 1.0

    @property
    def label(self) -> str:
        nucleus = f", top-p {self.top_p:g}" if self.top_p < 1 else ""
        return f"generator, T = {self.temperature:g}{nucleus}"


def configured(config: EvaluationConfig) -> DecodingSetting:
    """The setting that is reported where nothing is swept."""
    return DecodingSetting(config.temperature)


def grid(config: EvaluationConfig) -> list[DecodingSetting]:
    """The configured setting first, then every other temperature and nucleus once."""
    settings = [configured(config)]
    settings += [DecodingSetting(temperature) for temperature in config.sweep_temperatures]
    settings += [DecodingSetting(config.temperature, top_p) for top_p in config.sweep_top_p]
    return list(dict.fromkeys(settings))
