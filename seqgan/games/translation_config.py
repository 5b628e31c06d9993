"""What the configurations of the games of two domains, cycle and paired, have in common."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from seqgan.games.base_config import AnyGameConfig
from seqgan.models.base_config import CriticConfig, GeneratorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import Space, SpacePair

DirectionName = Literal["a2b", "b2a"]


class TranslationGameConfig(AnyGameConfig):
    """Two translators are the player `generator`, a critic for each side the player `critic`."""

    directions: Annotated[list[DirectionName], Field(min_length=1)] = ["a2b", "b2a"]
    """Directions that are trained."""

    @property
    def played_directions(self) -> list[str]:
        return [*self.directions]

    def critic_spaces(self, pair: "SpacePair") -> "dict[str, Space]":
        """By side, what its critic reads."""
        return {"a": pair.a, "b": pair.b}

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.ModuleDict":
        return generator.build_pair(space)

    def build_critic(
        self, space: Any, critic: CriticConfig, generator: GeneratorConfig
    ) -> "nn.ModuleDict":
        from torch import nn

        spaces = self.critic_spaces(space)
        return nn.ModuleDict({side: critic.build(space) for side, space in spaces.items()})
