"""Bases of the configurations of generators and critics: what a new network's author fills in."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.errors import UserError
from seqgan.core.numbers import Layers
from seqgan.core.parts import (
    SEQUENCES,
    CriticPart,
    GeneratorPart,
    Modalities,
    Need,
    Needs,
    Part,
)

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import (
        ArraySpace,
        Critic,
        DirectGenerator,
        Generator,
        SequenceSpace,
        Space,
        SpacePair,
    )
    from seqgan.models.layers import Trunk


Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


MINIBATCH_NEEDS: Needs = (
    # Sequences are rewarded in copies and continuations, which are no batch to compare with.
    Need("data", "samples of numbers", "minibatch_std=true", "set it to false"),
)


def arguments_of(config: Part, *but: str) -> dict[str, Any]:
    """The fields as keyword arguments: a network's constructor has the same names and defaults."""
    fields = type(config).model_fields
    return {name: getattr(config, name) for name in fields if name not in ("name", *but)}


class GeneratorConfig(GeneratorPart):
    """Base of every generator's and every translator's configuration.

    A generator has `build`, a translator `build_pair`. Parameters are freshly initialised, on the
    CPU; a network that does not fit the data raises `UserError`.
    """

    @property
    def priors(self) -> tuple[float, float]:
        """Weights of the frequency prior and of the co-occurrence prior (`data/lexicons.py`) on
        the logits that it starts from."""
        return 0.0, 0.0

    def build(
        self, space: "Space", critic: "CriticConfig | None" = None
    ) -> "Generator | DirectGenerator":
        """The generator. `critic` is for generators that read the critic's features."""
        raise NotImplementedError(f"{self.name} is made in pairs")

    def build_pair(self, pair: "SpacePair") -> "nn.ModuleDict":
        """Translators `a2b` and `b2a`."""
        raise NotImplementedError(f"{self.name} does not translate")


class SequenceGeneratorConfig(GeneratorConfig):
    """Base of autoregressive generators: they make a network, which `build` fits to prompts."""

    makes: ClassVar[Modalities] = frozenset({"sentences", "prompted"})

    def build(self, space: "Space", critic: "CriticConfig | None" = None) -> "Generator":
        """The network; one that reads the prompt first where the space has prompts."""
        from seqgan.core.types import SequenceSpace
        from seqgan.models.prompted import PromptedGenerator, with_room

        assert isinstance(space, SequenceSpace), f"{self.name} writes sequences"
        network = self.build_network(with_room(space))
        return PromptedGenerator(network, space) if space.conditional else network

    @abstractmethod
    def build_network(self, space: "SequenceSpace") -> "Generator":
        """The network of sequences without prompts."""


class CriticConfig(CriticPart):
    """Base of every critic's configuration; networks are made as by `GeneratorConfig`."""

    @abstractmethod
    def build(self, space: "Space") -> "Critic":
        """The critic of samples in this space."""

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        """The part of a critic of pictures that finds features: what an encoder is made of."""
        raise NotImplementedError(f"{self.name} has no trunk")


class SequenceCriticConfig(CriticConfig):
    """Base of critics of sequences: they make a network, which `build` fits to prompts."""

    accepts: ClassVar[Modalities] = SEQUENCES

    def build(self, space: "Space") -> "Critic":
        """The network; one that reads the prompt first where the space has prompts."""
        from seqgan.core.types import SequenceSpace
        from seqgan.models.prompted import PromptedCritic, with_room

        assert isinstance(space, SequenceSpace), f"{self.name} reads sequences"
        try:
            self.check_columns(space.length)
        except ValueError as error:
            raise UserError(str(error)) from None
        network = self.build_network(with_room(space))
        return PromptedCritic(network, space) if space.conditional else network

    @abstractmethod
    def build_network(self, space: "SequenceSpace") -> "Critic":
        """The network of sequences without prompts."""


class TransformerFields(Config):
    """Fields of transformers."""

    width: Positive = 64
    """Width of the token embedding and of every layer's output."""
    layers: Layers = 2
    """Transformer blocks; of an encoder and a decoder so many each."""
    heads: Positive = 4
    """Attention heads of a layer; must divide `width`."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of what each part of a layer adds."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}")
        return self


class HfFields(Config):
    """Fields of networks of the `transformers` library."""

    path: str
    """Hub id such as `distilgpt2`, or a local folder. Resuming and sampling read it again."""
    random_init: bool = False
    """Take the configuration only, and draw new parameters."""
