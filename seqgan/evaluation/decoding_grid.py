"""How samples are drawn for an evaluation: one setting, or a grid of them to choose from."""

from dataclasses import dataclass

from seqgan.evaluation.config import EvaluationConfig


@dataclass(frozen=True, slots=True)
class DecodingSetting:
    """Temperature of samples and densities; with top_p < 1 the density is not defined.

    For a direct generator the temperature is the standard deviation of its noise.
    """

    temperature: float = 1.0
    top_p: float = 1.0

    @property
    def label(self) -> str:
        nucleus = f", top-p {self.top_p:g}" if self.top_p < 1 else ""
        return f"generator, T = {self.temperature:g}{nucleus}"


def configured(config: EvaluationConfig) -> DecodingSetting:
    """The setting that is reported where nothing is swept."""
    return DecodingSetting(config.temperature)


def temperatures(config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
    """The configured setting first, then with `sweep` every other temperature once."""
    swept = config.sweep_temperatures if sweep else []
    settings = [configured(config), *(DecodingSetting(temperature) for temperature in swept)]
    return list(dict.fromkeys(settings))


def temperatures_and_nuclei(config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
    """The same, then every top-p at the configured temperature."""
    swept = config.sweep_top_p if sweep else []
    nuclei = [DecodingSetting(config.temperature, top_p) for top_p in swept]
    return list(dict.fromkeys(temperatures(config, sweep) + nuclei))
