"""Configuration of the networks for pictures and points."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Layers
from seqgan.core.parts import PICTURES, Modalities, Need, Needs, Words
from seqgan.models import critics, generators
from seqgan.models.base_config import CriticConfig, GeneratorConfig, Positive, arguments_of

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import ArraySpace, Critic, DirectGenerator, Space, SpacePair
    from seqgan.models.layers import Trunk


class ArrayGeneratorConfig(GeneratorConfig):
    """Base of generators of pictures and points."""

    def build(self, space: "Space", critic: "CriticConfig | None" = None) -> "DirectGenerator":
        from seqgan.core.types import ArraySpace

        assert isinstance(space, ArraySpace), f"{self.name} makes pictures or points"
        return self.build_network(space)

    @abstractmethod
    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        """The network, without the check of the space."""


class _FromNoiseConfig(ArrayGeneratorConfig):
    """Fields of generators that start from noise."""

    latent: Positive = 64
    """Numbers in the noise vector z."""
    noise: Literal["normal", "uniform"] = "normal"
    """Distribution of z; both have mean 0 and variance 1."""


class MlpGeneratorConfig(_FromNoiseConfig):
    """A perceptron: for points, and for small pictures."""

    makes: ClassVar[Modalities] = frozenset({"points", "pictures"})

    name: Literal["mlp"] = "mlp"
    hidden: Positive = 128
    """Units of each hidden layer."""
    layers: Layers = 3
    """Hidden layers, each followed by a ReLU."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.MlpGenerator(space, **arguments_of(self))


class DcganGeneratorConfig(_FromNoiseConfig):
    """Convolutions that double the picture from 4×4 or 7×7 pixels on."""

    makes: ClassVar[Modalities] = frozenset({"pictures"})

    name: Literal["dcgan"] = "dcgan"
    width: Positive = 32
    """Feature maps in front of the output; twice as many at each smaller size."""
    upsample: Literal["resize", "transposed"] = "resize"
    """resize: nearest neighbours, then a 3×3 convolution. transposed: 4×4, as published."""
    norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation of each hidden layer: over the batch as published, or sample by sample."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.DcganGenerator(space, **arguments_of(self))


class ResnetGeneratorConfig(_FromNoiseConfig):
    """Residual blocks that double the picture from 4×4 or 7×7 pixels on."""

    makes: ClassVar[Modalities] = frozenset({"pictures"})

    name: Literal["resnet"] = "resnet"
    width: Positive = 32
    """Feature maps at every size."""
    norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation in front of each ReLU: over the batch as published, or sample by sample."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.ResnetGenerator(space, **arguments_of(self))


WholeGroups = Annotated[int, Field(gt=0, multiple_of=8)]


class R3ganGeneratorConfig(_FromNoiseConfig):
    """Residual blocks without normalisation that double the picture from 4×4 or 7×7 pixels on; for
    objective rsgan with `paired` and the penalties r1 and r2 (R3GAN)."""

    makes: ClassVar[Modalities] = frozenset({"pictures"})

    name: Literal["r3gan"] = "r3gan"
    width: WholeGroups = 16
    """Feature maps at full size, a multiple of 8; twice as many at each smaller size."""
    blocks: Layers = 1
    """Residual blocks at each size."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.R3ganGenerator(space, **arguments_of(self))


class GrowingGeneratorConfig(_FromNoiseConfig):
    """Convolutions that get further layers for larger pictures in the phase `grow`."""

    makes: ClassVar[Modalities] = frozenset({"pictures"})
    gives: ClassVar[Words] = frozenset({"stages"})
    needs: ClassVar[Needs] = (Need("game", "growth", otherwise="use game growing"),)

    name: Literal["growing"] = "growing"
    width: Positive = 16
    """Feature maps at full size; twice as many at each smaller size."""
    start: Positive = 8
    """Height and width in pixels of the first pictures; each growth doubles them."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.GrowingGenerator(space, **arguments_of(self))


class _TranslatorConfig(ArrayGeneratorConfig):
    """Base of those that make a picture of a picture of the same shape."""

    makes: ClassVar[Modalities] = frozenset({"picture_pair"})

    def build_pair(self, pair: "SpacePair") -> "nn.ModuleDict":
        from torch import nn

        return nn.ModuleDict({"a2b": self.build(pair.b), "b2a": self.build(pair.a)})


class TranslatorConfig(_TranslatorConfig):
    """A picture to a picture: strided convolutions, residual blocks, as many upsamplings."""

    name: Literal["translator"] = "translator"
    width: Positive = 16
    """Feature maps at full size; twice as many at each smaller size."""
    blocks: Layers = 3
    """Residual blocks at the smallest size."""
    halvings: Annotated[int, Field(ge=0, le=2)] = 2
    """Times that height and width are halved on the way in, and doubled on the way out. With 0
    every pixel depends on its neighbourhood only (and on the statistics of `norm` instance), so
    that shapes stay what they are."""
    norm: Literal["instance", "none"] = "instance"
    """Normalisation of each hidden layer over the pixels of one feature map."""
    residual: bool = False
    """Make the change of the picture instead of a new picture: for kinds of one shape."""
    coordinates: bool = False
    """Give the first convolution the place of every pixel, where things have to move or grow."""
    warp: bool = False
    """Learn one affine map of the picture's plane in front: for kinds that differ in size."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.Translator(space, **arguments_of(self))


class UNetConfig(_TranslatorConfig):
    """A picture to a picture: what is fine passes by the small middle (pix2pix)."""

    name: Literal["unet"] = "unet"
    width: Positive = 16
    """Feature maps at full size; twice as many at each smaller size, at most 8 times."""
    halvings: Annotated[int, Field(ge=1, le=6)] = 3
    """Times that height and width are halved on the way in, and doubled on the way out."""
    norm: Literal["instance", "none"] = "instance"
    """Normalisation of each hidden layer over the pixels of one feature map."""

    def build_network(self, space: "ArraySpace") -> "DirectGenerator":
        return generators.UNet(space, **arguments_of(self))


class PictureCriticConfig(CriticConfig):
    """Base of critics of pictures, made of a trunk, which also serves as an encoder."""

    accepts: ClassVar[Modalities] = PICTURES
    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers"})

    def build(self, space: "Space") -> "Critic":
        """The trunk with a linear read-out and a projection of the labels."""
        from seqgan.core.types import ArraySpace

        assert isinstance(space, ArraySpace), f"{self.name} reads pictures"
        return critics.PictureCritic(self.build_trunk(space.stacked), space)

    @abstractmethod
    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        """The part that finds features."""


class DcganCriticConfig(PictureCriticConfig):
    """Strided convolutions that halve the picture down to 4×4 or 7×7 pixels."""

    name: Literal["dcgan"] = "dcgan"
    width: Positive = 32
    """Feature maps of the first layer; twice as many at each smaller size."""
    norm: Literal["none", "layer"] = "none"
    """Normalisation of each layer but the first, sample by sample."""
    minibatch_std: bool = False
    """Give the last layer how much the batch varies, against collapse."""

    @property
    def compares_samples(self) -> bool:
        return self.minibatch_std

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        return critics.DcganTrunk(space, **arguments_of(self))


class ResnetCriticConfig(PictureCriticConfig):
    """Residual blocks that halve the picture down to 4×4 or 7×7 pixels."""

    name: Literal["resnet"] = "resnet"
    width: Positive = 32
    """Feature maps at every size."""

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        return critics.ResnetTrunk(space, self.width)


class R3ganCriticConfig(PictureCriticConfig):
    """Residual blocks without normalisation that halve the picture down to 4×4 or 7×7 pixels."""

    name: Literal["r3gan"] = "r3gan"
    width: WholeGroups = 16
    """Feature maps at full size, a multiple of 8; twice as many at each smaller size."""
    blocks: Layers = 1
    """Residual blocks at each size."""

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        return critics.R3ganTrunk(space, self.width, self.blocks)


class GrowingCriticConfig(PictureCriticConfig):
    """Convolutions that get further layers for larger pictures in the phase `grow`."""

    gives: ClassVar[Words] = frozenset({"features", "stages"})
    needs: ClassVar[Needs] = (Need("game", "growth", otherwise="use game growing"),)

    name: Literal["growing"] = "growing"
    width: Positive = 16
    """Feature maps at full size; twice as many at each smaller size."""
    start: Positive = 8
    """Height and width in pixels of the first pictures, as in the generator."""

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        return critics.GrowingTrunk(space, self.width, self.start)


class PatchCriticConfig(PictureCriticConfig):
    """Scores overlapping patches; the score of a picture is their mean."""

    name: Literal["patch"] = "patch"
    width: Positive = 32
    """Feature maps of the first layer; twice as many in each further one, at most 8 times."""
    layers: Layers = 2
    """Strided convolutions; patches are 18 pixels wide with 2, and 38 with 3."""

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        return critics.PatchTrunk(space, self.width, self.layers)


_AnyTrunkConfig = Annotated[DcganCriticConfig | ResnetCriticConfig | PatchCriticConfig, ByName()]


class AuxiliaryCriticConfig(CriticConfig):
    """A critic that does not read labels but says which ones a picture has (AC-GAN)."""

    accepts: ClassVar[Modalities] = frozenset({"pictures"})
    gives: ClassVar[Words] = frozenset(
        {"features", "new weights in plain layers", "labels read off samples"}
    )

    name: Literal["auxiliary"] = "auxiliary"
    trunk: _AnyTrunkConfig
    """The critic whose features are read."""

    @property
    def compares_samples(self) -> bool:
        return self.trunk.compares_samples

    def build(self, space: "Space") -> "Critic":
        from seqgan.core.types import ArraySpace

        assert isinstance(space, ArraySpace), f"{self.name} reads pictures"
        return critics.AuxiliaryCritic(self.trunk.build_trunk(space), space)


class AutoencoderCriticConfig(CriticConfig):
    """An autoencoder, whose error is the energy of a picture: its score is minus that (EBGAN)."""

    accepts: ClassVar[Modalities] = frozenset({"pictures"})
    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers", "energies"})

    name: Literal["autoencoder"] = "autoencoder"
    width: Positive = 16
    """Feature maps at full size, of a dcgan critic as encoder and a dcgan generator as decoder."""
    code: Positive = 32
    """Numbers in the code."""

    def build(self, space: "Space") -> "Critic":
        from dataclasses import replace

        from seqgan.core.types import ArraySpace

        assert isinstance(space, ArraySpace), f"{self.name} reads pictures"
        alone = replace(space, label_sizes=(), caption=())
        trunk = critics.DcganTrunk(alone, self.width, "none")
        decoder = generators.DcganGenerator(alone, latent=self.code, width=self.width, norm="layer")
        return critics.AutoencoderCritic(trunk, decoder)
