"""Configuration of the game of latent codes (InfoGAN)."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.games.base_config import CRITIC_PARTS, AnyGameConfig
from seqgan.models.base_config import CriticConfig, GeneratorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import ArraySpace, DirectGenerator
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game


class InfoGameConfig(AnyGameConfig):
    """A generator against a critic, and codes that the generator has to show so that the critic can
    read them: it finds kinds of pictures by itself (InfoGAN)."""

    plays: ClassVar[Modalities] = frozenset({"pictures"})
    phases: ClassVar[tuple[str, ...]] = ("critic", "generator")
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "adversarial"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    gives: ClassVar[Words] = frozenset({"generated samples", "no mismatched pairs"})
    needs: ClassVar[Needs] = (Need("objective", "a loss of drawn codes"),)

    name: Literal["info"] = "info"
    codes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] = [10]
    """Values of each code; they are drawn uniformly."""

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.Module":
        from seqgan.models.coded import CodedGenerator

        inner = cast("DirectGenerator", generator.build(self._coded(space)))
        return CodedGenerator(inner, tuple(self.codes))

    def build_critic(
        self, space: Any, critic: CriticConfig, generator: GeneratorConfig
    ) -> "nn.Module":
        return critic.build(self._coded(space))

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.info import CodedStream

        space = self._coded(cast("ArraySpace", parts.space))
        return parts.build_adversarial(space, CodedStream(parts.stream, tuple(self.codes)), 0, 0)

    def _coded(self, space: "ArraySpace") -> "ArraySpace":
        return replace(space, label_sizes=tuple(self.codes))
