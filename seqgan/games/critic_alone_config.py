"""Configuration of the game of a critic alone. No torch here."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from seqgan.core.errors import UserError
from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.games.base_config import AnyGameConfig

if TYPE_CHECKING:
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game


class CriticAloneGameConfig(AnyGameConfig):
    """A critic alone, against what a search of itself finds; the search is the generator."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "points", "pictures"})
    phases: ClassVar[tuple[str, ...]] = ("mine", "critic", "real")
    parts: ClassVar[Words] = frozenset({"critic", "objective"})
    gives: ClassVar[Words] = frozenset({"a critic that is searched", "a single objective"})
    needs: ClassVar[Needs] = (Need("generator", "a search of the critic"),)

    name: Literal["critic_alone"] = "critic_alone"
    pool: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Negatives of former rounds that are kept; half of those that the critic reads are among
    them. 0: it reads what was found last."""

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.critic_alone import CriticAloneGame

        search: Any = parts.generator
        most = search.module.most_rows
        if most is not None and parts.batch_size > most:
            raise UserError(
                f"generator.buffer={most}: is smaller than a batch; raise it to at least "
                f"train.batch_size={parts.batch_size}"
            )
        critic = parts.build_critic_player(search.module.critic, prepared=True)
        criterion = parts.build_criterion(parts.space)
        return CriticAloneGame(search, critic, criterion, parts.stream, self.pool)
