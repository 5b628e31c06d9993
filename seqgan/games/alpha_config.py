"""Configuration of the game of an autoencoder against two critics."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.games.base_config import AnyGameConfig, Weight, build_autoencoder
from seqgan.models.base_config import CriticConfig, GeneratorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import Space
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game


CODE_HIDDEN = 64
"""Units of each hidden layer of the critic of codes."""


class AlphaGameConfig(AnyGameConfig):
    """An autoencoder against a critic of its pictures and one of its codes (α-GAN)."""

    plays: ClassVar[Modalities] = frozenset({"pictures"})
    phases: ClassVar[tuple[str, ...]] = ("critic", "generator")
    parts: ClassVar[Words] = frozenset({"critic", "objective", "encoder"})
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    has_two_critics: ClassVar[bool] = True
    gives: ClassVar[Words] = frozenset({"generated samples", "no mismatched pairs"})
    needs: ClassVar[Needs] = (Need("objective", "rewards with exact gradients"),)

    name: Literal["alpha"] = "alpha"
    reconstruction_weight: Weight = 10.0
    """Weight of the mean absolute difference between a picture and its reconstruction."""

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.Module":
        return build_autoencoder(space, generator, encoder)

    def build_critic(
        self, space: Any, critic: CriticConfig, generator: GeneratorConfig
    ) -> "nn.ModuleDict":
        return self._critics(space, critic, cast(Any, generator).latent)

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.core.types import ArraySpace
        from seqgan.games.alpha import AlphaGame

        assert parts.critic is not None, "a part of this game"
        latent = parts.generator.module.latent
        critics = self._critics(parts.space, parts.critic, latent).to(parts.device)
        return AlphaGame(
            parts.generator,
            parts.build_critic_player(critics),
            parts.build_criterion(parts.space),
            parts.build_criterion(ArraySpace((latent,))),
            parts.stream,
            self.reconstruction_weight,
        )

    def _critics(self, space: "Space", critic: CriticConfig, latent: int) -> "nn.ModuleDict":
        """Of pictures, and of codes of so many numbers."""
        from torch import nn

        from seqgan.core.types import ArraySpace
        from seqgan.models.critics import MlpCritic

        code = MlpCritic(ArraySpace((latent,)), hidden=CODE_HIDDEN)
        return nn.ModuleDict({"picture": critic.build(space), "code": code})
