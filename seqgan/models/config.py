"""The generators, translators and critics that a configuration can name."""

from typing import Annotated

from seqgan.core.extensions import ByName
from seqgan.models.critics_config import (
    ActionCriticConfig,
    ClassesCriticConfig,
    CnnCriticConfig,
    CoOccurrenceCriticConfig,
    HfCriticConfig,
    LanguageModelCriticConfig,
    LocalCriticConfig,
    MlpCriticConfig,
    PairwiseCriticConfig,
    RelganCriticConfig,
    RnnCriticConfig,
    TransformerCriticConfig,
)
from seqgan.models.generators_config import (
    HfGeneratorConfig,
    LeakGanGeneratorConfig,
    PairwiseGeneratorConfig,
    RelationalGeneratorConfig,
    RnnGeneratorConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.image.config import (
    AutoencoderCriticConfig,
    AuxiliaryCriticConfig,
    DcganCriticConfig,
    DcganGeneratorConfig,
    GrowingCriticConfig,
    GrowingGeneratorConfig,
    MlpGeneratorConfig,
    PatchCriticConfig,
    R3ganCriticConfig,
    R3ganGeneratorConfig,
    ResnetCriticConfig,
    ResnetGeneratorConfig,
    TranslatorConfig,
    UNetConfig,
)
from seqgan.models.searches.config import (
    ExhaustiveSearchConfig,
    GibbsSearchConfig,
    GridSearchConfig,
    LangevinSearchConfig,
)
from seqgan.models.seq2seq.config import EncoderDecoderConfig, LexiconConfig, PointerConfig

AnyGeneratorConfig = Annotated[
    RnnGeneratorConfig
    | PairwiseGeneratorConfig
    | TransformerGeneratorConfig
    | RelationalGeneratorConfig
    | LeakGanGeneratorConfig
    | HfGeneratorConfig
    | MlpGeneratorConfig
    | DcganGeneratorConfig
    | ResnetGeneratorConfig
    | R3ganGeneratorConfig
    | GrowingGeneratorConfig
    | TranslatorConfig
    | UNetConfig
    | LexiconConfig
    | PointerConfig
    | EncoderDecoderConfig
    | GridSearchConfig
    | LangevinSearchConfig
    | ExhaustiveSearchConfig
    | GibbsSearchConfig,
    ByName(),
]

AnyCriticConfig = Annotated[
    MlpCriticConfig
    | CnnCriticConfig
    | RelganCriticConfig
    | RnnCriticConfig
    | ActionCriticConfig
    | TransformerCriticConfig
    | PairwiseCriticConfig
    | LocalCriticConfig
    | CoOccurrenceCriticConfig
    | LanguageModelCriticConfig
    | ClassesCriticConfig
    | HfCriticConfig
    | DcganCriticConfig
    | ResnetCriticConfig
    | R3ganCriticConfig
    | GrowingCriticConfig
    | PatchCriticConfig
    | AuxiliaryCriticConfig
    | AutoencoderCriticConfig,
    ByName(),
]
