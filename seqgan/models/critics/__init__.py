"""Critics: networks that score sequences, pictures or points."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.models.critics.action import ActionCritic as ActionCritic
    from seqgan.models.critics.autoencoder import AutoencoderCritic as AutoencoderCritic
    from seqgan.models.critics.auxiliary import AuxiliaryCritic as AuxiliaryCritic
    from seqgan.models.critics.classes import ClassesCritic as ClassesCritic
    from seqgan.models.critics.cnn import CnnCritic as CnnCritic
    from seqgan.models.critics.co_occurrence import CoOccurrenceCritic as CoOccurrenceCritic
    from seqgan.models.critics.hf import HfCritic as HfCritic
    from seqgan.models.critics.language_model import LanguageModelCritic as LanguageModelCritic
    from seqgan.models.critics.local import LocalCritic as LocalCritic
    from seqgan.models.critics.mlp import MlpCritic as MlpCritic
    from seqgan.models.critics.pairwise import PairwiseCritic as PairwiseCritic
    from seqgan.models.critics.relgan import RelganCritic as RelganCritic
    from seqgan.models.critics.rnn import RnnCritic as RnnCritic
    from seqgan.models.critics.transformer import TransformerCritic as TransformerCritic
    from seqgan.models.image.dcgan import DcganTrunk as DcganTrunk
    from seqgan.models.image.growing import GrowingTrunk as GrowingTrunk
    from seqgan.models.image.layers import PictureCritic as PictureCritic
    from seqgan.models.image.r3gan import R3ganTrunk as R3ganTrunk
    from seqgan.models.image.resnet import ResnetTrunk as ResnetTrunk
    from seqgan.models.image.translator import PatchTrunk as PatchTrunk
    from seqgan.models.prompted import PromptedCritic as PromptedCritic

__getattr__, __dir__ = attach(__name__)
