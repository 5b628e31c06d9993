"""Configuration of the searches that stand in a generator's place. No torch here."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.parts import Modalities, Need, Needs, Words
from seqgan.models import searches
from seqgan.models.base_config import CriticConfig, GeneratorConfig, Positive, arguments_of

if TYPE_CHECKING:
    from seqgan.core.types import (
        ArraySpace,
        Critic,
        DirectGenerator,
        Generator,
        SequenceSpace,
        Space,
    )

Buffer = Annotated[int, Field(gt=0, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0)]


class SearchConfig(GeneratorConfig):
    """Base of the searches: their only weights are the critic's, so none is trained alone."""

    gives: ClassVar[Words] = frozenset({"a search of the critic"})
    needs: ClassVar[Needs] = (
        Need("game", "a critic that is searched", otherwise="use game critic_alone"),
    )

    def build(
        self, space: "Space", critic: "CriticConfig | None" = None
    ) -> "Generator | DirectGenerator":
        assert critic is not None, "a search needs a critic"
        return self.build_search(space, critic.build(space))

    @abstractmethod
    def build_search(self, space: "Space", critic: "Critic") -> "Generator | DirectGenerator":
        """The search of this critic, which becomes part of it."""


class ArraySearchConfig(SearchConfig):
    """Base of searches for points and pictures."""

    bound: Annotated[float, Field(gt=0)] = 2.0
    """Points lie between −bound and bound; pictures between −1 and 1."""

    def build_search(self, space: "Space", critic: "Critic") -> "DirectGenerator":
        from seqgan.core.types import ArraySpace

        assert isinstance(space, ArraySpace), f"{self.name} searches pictures or points"
        return self.build_array_search(space, critic)

    @abstractmethod
    def build_array_search(self, space: "ArraySpace", critic: "Critic") -> "DirectGenerator":
        """The search, without the check of the space."""


class SentenceSearchConfig(SearchConfig):
    """Base of searches for sentences."""

    makes: ClassVar[Modalities] = frozenset({"sentences"})

    def build_search(self, space: "Space", critic: "Critic") -> "Generator":
        from seqgan.core.types import SequenceSpace

        assert isinstance(space, SequenceSpace), f"{self.name} searches sentences"
        return self.build_sentence_search(space, critic)

    @abstractmethod
    def build_sentence_search(self, space: "SequenceSpace", critic: "Critic") -> "Generator":
        """The search, without the check of the space."""


class GridSearchConfig(ArraySearchConfig):
    """All cells of a grid, exactly: arg max D, or e^(D/T)."""

    makes: ClassVar[Modalities] = frozenset({"points"})

    name: Literal["grid_search"] = "grid_search"
    side: Annotated[int, Field(gt=1, le=256)] = 64
    """Cells along each side of the grid."""
    temperature: Temperature = 1.0
    """T: cells are drawn in proportion to e^(score / T); 0: always the best one."""

    def build_array_search(self, space: "ArraySpace", critic: "Critic") -> "DirectGenerator":
        return searches.GridSearch(space, critic, **arguments_of(self))


class LangevinSearchConfig(ArraySearchConfig):
    """Gradient ascent on the critic's score, with noise, from a replay buffer."""

    makes: ClassVar[Modalities] = frozenset({"points", "pictures"})

    name: Literal["langevin"] = "langevin"
    steps: Positive = 20
    """Steps of a search."""
    step_size: Annotated[float, Field(gt=0)] = 0.1
    """Factor on the gradient of the score in each step."""
    noise: Annotated[float, Field(ge=0)] = 0.01
    """Standard deviation of the noise in each step, in units of the data; 0: gradient ascent."""
    buffer: Buffer = 10_000
    """Samples of earlier searches, which the next go on from."""
    fresh: Share = 0.05
    """Share of a search that begins from uniform noise instead."""

    def build_array_search(self, space: "ArraySpace", critic: "Critic") -> "DirectGenerator":
        return searches.LangevinSearch(space, critic, **arguments_of(self))


class ExhaustiveSearchConfig(SentenceSearchConfig):
    """All sentences, exactly, where they can be listed: arg max D, or e^(D/T)."""

    name: Literal["exhaustive"] = "exhaustive"
    temperature: Temperature = 1.0
    """T: sentences are drawn in proportion to e^(score / T); 0: always the best one."""

    def build_sentence_search(self, space: "SequenceSpace", critic: "Critic") -> "Generator":
        return searches.ExhaustiveSearch(space, critic, **arguments_of(self))


class GibbsSearchConfig(SentenceSearchConfig):
    """Markov chains over sentences, one token at a time, from a replay buffer."""

    name: Literal["gibbs"] = "gibbs"
    steps: Positive = 20
    """Tokens that a search draws again."""
    candidates: Annotated[int, Field(gt=1)] | None = None
    """Tokens among which one is drawn, the present one among them; each costs a call of the critic.
    Null: the whole vocabulary (Gibbs sampling)."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """T: tokens are drawn in proportion to e^(score / T)."""
    buffer: Buffer = 10_000
    """Sentences of earlier searches, which the next go on from."""
    fresh: Share = 0.05
    """Share of a search that begins from random tokens instead."""

    def build_sentence_search(self, space: "SequenceSpace", critic: "Critic") -> "Generator":
        return searches.GibbsSearch(space, critic, **arguments_of(self))
