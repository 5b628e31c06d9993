"""From configurations to networks."""

from collections.abc import Callable
from typing import Any

from seqgan.core.types import Critic, Generator, Space
from seqgan.models.config import CriticConfig, GeneratorConfig, RnnGeneratorConfig
from seqgan.models.critics.cnn import CnnCritic
from seqgan.models.critics.mlp import MlpCritic
from seqgan.models.critics.pairwise import PairwiseCritic
from seqgan.models.critics.rnn import RnnCritic
from seqgan.models.critics.transformer import TransformerCritic
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.generators.transformer import TransformerGenerator

_CRITICS: dict[str, Callable[[Space, Any], Critic]] = {
    "mlp": MlpCritic,
    "cnn": CnnCritic,
    "rnn": RnnCritic,
    "transformer": TransformerCritic,
    "pairwise": PairwiseCritic,
}


def build_generator(config: GeneratorConfig, space: Space) -> Generator:
    """The generator that `config` describes, freshly initialised on the CPU."""
    if isinstance(config, RnnGeneratorConfig):
        return RnnGenerator(space, config)
    return TransformerGenerator(space, config)


def build_critic(config: CriticConfig, space: Space) -> Critic:
    """The critic that `config` describes, freshly initialised on the CPU."""
    return _CRITICS[config.name](space, config)
