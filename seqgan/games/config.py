"""The union of all configurations of games."""

from typing import Annotated

from seqgan.core.extensions import ByName
from seqgan.games.adversarial_config import (
    AdversarialGameConfig,
    ConditionalGameConfig,
    GrowingGameConfig,
    InfillGameConfig,
)
from seqgan.games.alpha_config import AlphaGameConfig
from seqgan.games.critic_alone_config import CriticAloneGameConfig
from seqgan.games.critic_free_config import (
    AutoencodeGameConfig,
    DdoGameConfig,
    JsdganGameConfig,
    MleGameConfig,
    RegressionGameConfig,
    RewardGameConfig,
)
from seqgan.games.cycle_config import CycleGameConfig
from seqgan.games.ebft_config import EbftGameConfig
from seqgan.games.info_config import InfoGameConfig
from seqgan.games.paired_config import PairedGameConfig
from seqgan.games.residual_config import ResidualGameConfig

GameConfig = Annotated[
    MleGameConfig
    | RewardGameConfig
    | EbftGameConfig
    | JsdganGameConfig
    | DdoGameConfig
    | ResidualGameConfig
    | AdversarialGameConfig
    | InfillGameConfig
    | ConditionalGameConfig
    | CriticAloneGameConfig
    | GrowingGameConfig
    | AutoencodeGameConfig
    | RegressionGameConfig
    | CycleGameConfig
    | PairedGameConfig
    | InfoGameConfig
    | AlphaGameConfig,
    ByName(),
]
