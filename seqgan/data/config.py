"""The data that an experiment can name: a new kind of data adds one line here. No torch here."""

from typing import Annotated

from seqgan.core.extensions import ByName
from seqgan.data.corpus_config import HuggingFaceDataConfig, TextDataConfig
from seqgan.data.oracle_config import ConditionalOracleConfig, OracleDataConfig
from seqgan.data.paired_pictures_config import PairedPicturesConfig
from seqgan.data.picture_config import PictureDataConfig, UnpairedPicturesConfig
from seqgan.data.points_config import PointsDataConfig
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.events.config import EventsDataConfig
from seqgan.tasks.language_pair.config import LanguagePairConfig

DataConfig = Annotated[
    OracleDataConfig
    | ConditionalOracleConfig
    | TextDataConfig
    | HuggingFaceDataConfig
    | PointsDataConfig
    | PictureDataConfig
    | UnpairedPicturesConfig
    | PairedPicturesConfig
    | CipherDataConfig
    | EventsDataConfig
    | UnpairedTextConfig
    | LanguagePairConfig
    | PromptedTextConfig,
    ByName(),
]
