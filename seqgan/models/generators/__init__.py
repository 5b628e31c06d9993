"""Autoregressive generators of sequences."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.models.generators.causal import CausalGenerator as CausalGenerator
    from seqgan.models.generators.hf import HfGenerator as HfGenerator
    from seqgan.models.generators.leakgan import LeakGanGenerator as LeakGanGenerator
    from seqgan.models.generators.pairwise import PairwiseGenerator as PairwiseGenerator
    from seqgan.models.generators.relational import RelationalGenerator as RelationalGenerator
    from seqgan.models.generators.rnn import RnnGenerator as RnnGenerator
    from seqgan.models.generators.transformer import TransformerGenerator as TransformerGenerator

__getattr__, __dir__ = attach(__name__)
