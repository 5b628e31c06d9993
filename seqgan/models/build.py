"""From configurations to networks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, overload

from torch import nn

from seqgan.core.errors import UserError
from seqgan.core.types import (
    ArraySpace,
    Critic,
    DirectGenerator,
    Generator,
    SequenceSpace,
    Space,
    SpacePair,
)
from seqgan.models.config import (
    ClassesCriticConfig,
    CnnCriticConfig,
    CriticConfig,
    EncoderDecoderConfig,
    GeneratorConfig,
    LeakGanGeneratorConfig,
    LexiconConfig,
    PointerConfig,
)
from seqgan.models.critics.action import ActionCritic
from seqgan.models.critics.classes import ClassesCritic
from seqgan.models.critics.cnn import CnnCritic
from seqgan.models.critics.co_occurrence import CoOccurrenceCritic
from seqgan.models.critics.hf import HfCritic
from seqgan.models.critics.local import LocalCritic
from seqgan.models.critics.mlp import MlpCritic, MlpTrunk
from seqgan.models.critics.pairwise import PairwiseCritic
from seqgan.models.critics.relgan import RelganCritic
from seqgan.models.critics.rnn import RnnCritic
from seqgan.models.critics.transformer import TransformerCritic
from seqgan.models.generators.hf import HfGenerator
from seqgan.models.generators.leakgan import LeakGanGenerator
from seqgan.models.generators.pairwise import PairwiseGenerator
from seqgan.models.generators.relational import RelationalGenerator
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.generators.transformer import TransformerGenerator
from seqgan.models.image.autoencoder import Autoencoder
from seqgan.models.image.critic import PictureCritic
from seqgan.models.image.dcgan import DcganGenerator, DcganTrunk
from seqgan.models.image.mlp import MlpGenerator
from seqgan.models.image.resnet import ResnetGenerator, ResnetTrunk
from seqgan.models.image.translator import PatchTrunk, Translator
from seqgan.models.layers import Trunk
from seqgan.models.prompted import PromptedCritic, PromptedGenerator, with_room
from seqgan.models.seq2seq.build import build_pair
from seqgan.models.seq2seq.lexicon import Lexicon

_GENERATORS: dict[str, Callable[[SequenceSpace, Any], Generator]] = {
    "lstm": RnnGenerator,
    "gru": RnnGenerator,
    "pairwise": PairwiseGenerator,
    "transformer": TransformerGenerator,
    "relational": RelationalGenerator,
    "hf": HfGenerator,
}
_DIRECT_GENERATORS: dict[str, Callable[[ArraySpace, Any], DirectGenerator]] = {
    "mlp": MlpGenerator,
    "dcgan": DcganGenerator,
    "resnet": ResnetGenerator,
    "translator": Translator,
}
_CRITICS: dict[str, Callable[[SequenceSpace, Any], Critic]] = {
    "mlp": MlpCritic,
    "cnn": CnnCritic,
    "relgan": RelganCritic,
    "rnn": RnnCritic,
    "action": ActionCritic,
    "transformer": TransformerCritic,
    "pairwise": PairwiseCritic,
    "local": LocalCritic,
    "co_occurrence": CoOccurrenceCritic,
    "hf": HfCritic,
}
_TRUNKS: dict[str, Callable[[ArraySpace, Any], Trunk]] = {
    "mlp": MlpTrunk,
    "dcgan": DcganTrunk,
    "resnet": ResnetTrunk,
    "patch": PatchTrunk,
}


@overload
def build_generator(config: GeneratorConfig, space: SequenceSpace) -> Generator: ...
@overload
def build_generator(config: GeneratorConfig, space: ArraySpace) -> DirectGenerator: ...


def build_generator(config: GeneratorConfig, space: Space) -> Generator | DirectGenerator:
    """The generator that `config` describes, freshly initialised on the CPU.

    `config` has to fit `space` (see the lists of names in models/config.py).
    """
    if isinstance(space, SequenceSpace):
        inner = _GENERATORS[config.name](with_room(space), config)
        return PromptedGenerator(inner, space) if space.conditional else inner
    return _DIRECT_GENERATORS[config.name](space, config)


def build_leakgan(
    config: LeakGanGeneratorConfig, critic: CnnCriticConfig, space: SequenceSpace
) -> LeakGanGenerator:
    """A generator that can listen to a critic of this kind, freshly initialised on the CPU."""
    return LeakGanGenerator(space, config, build_critic(critic, space), sum(critic.filters))


def build_translators(config: GeneratorConfig, space: SpacePair) -> nn.ModuleDict:
    """Generators `a2b` and `b2a`, freshly initialised on the CPU.

    Raises `UserError` where the spaces do not allow that.
    """
    a, b = space.a, space.b
    if isinstance(a, ArraySpace):
        return nn.ModuleDict({way: build_generator(config, a) for way in ("a2b", "b2a")})
    assert isinstance(b, SequenceSpace)
    if isinstance(config, LexiconConfig):
        if a.length != b.length:
            raise UserError(
                "generator.name=lexicon: writes as many tokens as it reads, but the two kinds "
                f"have {a.length} and {b.length} columns; make their lengths equal, or use pointer"
            )
        return nn.ModuleDict({"a2b": Lexicon(a, b, config), "b2a": Lexicon(b, a, config)})
    assert isinstance(config, PointerConfig | EncoderDecoderConfig), "checked by Experiment"
    return build_pair(config, a, b)


def build_critic(config: CriticConfig, space: Space) -> Critic:
    """The critic that `config` describes, freshly initialised on the CPU; it has to fit `space`.

    Raises `UserError` for windows that are wider than the sequences.
    """
    if isinstance(config, ClassesCriticConfig):
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        return ClassesCritic(build_critic(config.trunk, replace(space, prompt=0)), space)
    if isinstance(space, SequenceSpace):
        widest = max(getattr(config, "widths", [0]))
        if widest > space.length:
            raise UserError(
                f"critic.widths has {widest}, longer than the sequences ({space.length} tokens); "
                "drop the wider windows and their filters"
            )
        critic = _CRITICS[config.name](with_room(space), config)
        return PromptedCritic(critic, space) if space.conditional else critic
    if config.name == "mlp":
        return MlpCritic(space, config)
    return PictureCritic(_TRUNKS[config.name](space, config), space)


def build_autoencoder(
    generator: GeneratorConfig, encoder: CriticConfig, space: ArraySpace
) -> Autoencoder:
    """A generator with an encoder made of a critic's trunk, freshly initialised on the CPU.

    Raises `UserError` for uniform noise: codes are normal.
    """
    decoder = build_generator(generator, space)
    if decoder.noise != "normal":
        raise UserError(f"generator.noise={decoder.noise}: codes are normal here; set it to normal")
    return Autoencoder(decoder, _TRUNKS[encoder.name](space, encoder), space)
