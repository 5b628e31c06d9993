"""Generators of sequences, pictures and points, and translators."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.models.generators.causal import CausalGenerator as CausalGenerator
    from seqgan.models.generators.hf import HfGenerator as HfGenerator
    from seqgan.models.generators.hf import Lora as Lora
    from seqgan.models.generators.leakgan import LeakGanGenerator as LeakGanGenerator
    from seqgan.models.generators.pairwise import PairwiseGenerator as PairwiseGenerator
    from seqgan.models.generators.relational import RelationalGenerator as RelationalGenerator
    from seqgan.models.generators.rnn import RnnGenerator as RnnGenerator
    from seqgan.models.generators.transformer import TransformerGenerator as TransformerGenerator
    from seqgan.models.image.autoencoder import Autoencoder as Autoencoder
    from seqgan.models.image.dcgan import DcganGenerator as DcganGenerator
    from seqgan.models.image.growing import GrowingGenerator as GrowingGenerator
    from seqgan.models.image.mlp import MlpGenerator as MlpGenerator
    from seqgan.models.image.r3gan import R3ganGenerator as R3ganGenerator
    from seqgan.models.image.resnet import ResnetGenerator as ResnetGenerator
    from seqgan.models.image.translator import Translator as Translator
    from seqgan.models.image.unet import UNet as UNet
    from seqgan.models.infilling import InfillingGenerator as InfillingGenerator
    from seqgan.models.prompted import PromptedGenerator as PromptedGenerator
    from seqgan.models.seq2seq.lexicon import Lexicon as Lexicon
    from seqgan.models.seq2seq.pointer import PointerGenerator as PointerGenerator
    from seqgan.models.seq2seq.transformer import EncoderDecoder as EncoderDecoder

__getattr__, __dir__ = attach(__name__)
