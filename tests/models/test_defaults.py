"""A part made in Python has the defaults of a part made by its configuration."""

from inspect import Parameter, signature
from typing import Any

import pytest

from seqgan.core.types import ArraySpace, SequenceSpace, SpacePair
from seqgan.models.config import (
    ActionCriticConfig,
    CnnCriticConfig,
    CoOccurrenceCriticConfig,
    DcganGeneratorConfig,
    EncoderDecoderConfig,
    LeakGanGeneratorConfig,
    LexiconConfig,
    LocalCriticConfig,
    MlpCriticConfig,
    MlpGeneratorConfig,
    PairwiseCriticConfig,
    PairwiseGeneratorConfig,
    PointerConfig,
    RelationalGeneratorConfig,
    RelganCriticConfig,
    ResnetGeneratorConfig,
    RnnCriticConfig,
    RnnGeneratorConfig,
    TransformerCriticConfig,
    TransformerGeneratorConfig,
    TranslatorConfig,
)
from seqgan.models.image.config import DcganCriticConfig, PatchCriticConfig, ResnetCriticConfig
from seqgan.objectives.config import (
    DivergenceConfig,
    GradientPenaltyConfig,
    MmdConfig,
    R1Config,
    RankConfig,
    SpectralNormConfig,
    TransportConfig,
    WeightClipConfig,
)

TEXT = SequenceSpace(vocab_size=5, length=20)
PICTURES = ArraySpace((3, 32, 32))
BUILT = [
    *(
        (config, config.build(TEXT))
        for config in (
            ActionCriticConfig(),
            CnnCriticConfig(),
            CoOccurrenceCriticConfig(),
            LocalCriticConfig(),
            MlpCriticConfig(),
            PairwiseCriticConfig(),
            RelganCriticConfig(),
            RnnCriticConfig(),
            TransformerCriticConfig(),
            PairwiseGeneratorConfig(),
            RelationalGeneratorConfig(),
            RnnGeneratorConfig(name="gru"),
            TransformerGeneratorConfig(),
        )
    ),
    (LeakGanGeneratorConfig(), LeakGanGeneratorConfig().build(TEXT, CnnCriticConfig())),
    *(
        (config, config.build(PICTURES))
        for config in (
            DcganGeneratorConfig(),
            MlpGeneratorConfig(),
            ResnetGeneratorConfig(),
            TranslatorConfig(),
        )
    ),
    *(
        (config, config.build_trunk(PICTURES))
        for config in (DcganCriticConfig(), PatchCriticConfig(), ResnetCriticConfig())
    ),
    *(
        (config, config.build_pair(SpacePair(TEXT, TEXT))["a2b"])
        for config in (EncoderDecoderConfig(), LexiconConfig(), PointerConfig())
    ),
    *(
        (config, config.build())
        for config in (
            DivergenceConfig(name="non_saturating"),
            GradientPenaltyConfig(),
            MmdConfig(),
            R1Config(),
            RankConfig(),
            SpectralNormConfig(),
            TransportConfig(),
            WeightClipConfig(),
        )
    ),
]


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("config", "part"), BUILT, ids=lambda each: type(each).__name__)
def test_defaults_are_said_alike(config: Any, part: Any) -> None:
    defaults = {
        name: plain(parameter.default)
        for name, parameter in signature(type(part)).parameters.items()
        if parameter.default is not Parameter.empty
    }
    fields = config.model_dump()
    shared = defaults.keys() & fields.keys()
    assert shared, "the test compares nothing"
    assert {name: defaults[name] for name in shared} == {name: fields[name] for name in shared}
