"""What the configurations of all games have in common."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import Field

from seqgan.core.parts import GamePart, Words
from seqgan.data.noise_config import NoiseConfig
from seqgan.models.base_config import CriticConfig, GeneratorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import DirectGenerator
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game

Weight = Annotated[float, Field(ge=0)]


CRITIC_PARTS: Words = frozenset({"critic", "objective", "estimator"})
"""The parts of a game with a critic."""


def build_autoencoder(
    space: Any, generator: GeneratorConfig, encoder: CriticConfig | None
) -> "nn.Module":
    """A generator as decoder, and an encoder with the features of a critic."""
    from seqgan.models.image.autoencoder import Autoencoder

    assert encoder is not None, "an autoencoder needs an encoder"
    decoder = cast("DirectGenerator", generator.build(space))
    return Autoencoder(decoder, encoder.build_trunk(space), space)


class AnyGameConfig(GamePart):
    """A game's configuration; `core.parts` has the facts that it declares."""

    pairs_rows: ClassVar[bool] = False
    """Whether row i of one kind of data is learned from together with row i of the other."""

    @property
    def sentence_noise(self) -> NoiseConfig | None:
        """The noise on sentences that a translator learns to restore."""
        return None

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.Module":
        """What the player `generator` trains, freshly initialised on the CPU.

        `space` is that of the data, a pair of them in games of two domains. `critic` is for
        generators that read a critic's features, `encoder` for autoencoders.
        """
        return generator.build(space, critic)

    def build_critic(
        self, space: Any, critic: CriticConfig, generator: GeneratorConfig
    ) -> "nn.Module":
        """What the player `critic` trains against such a generator, freshly initialised on the
        CPU."""
        return critic.build(space)

    def build(self, parts: "GameParts") -> "Game":
        """The game of these parts."""
        raise NotImplementedError
