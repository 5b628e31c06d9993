"""Sequences from a generator: samplers, the one sampling loop, and log-probabilities."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.decoding.correction import CorrectedGenerator as CorrectedGenerator
    from seqgan.decoding.correction import CorrectedSamples as CorrectedSamples
    from seqgan.decoding.correction import Correction as Correction
    from seqgan.decoding.correction import Exact as Exact
    from seqgan.decoding.correction import OneOf as OneOf
    from seqgan.decoding.correction import critic_logits as critic_logits
    from seqgan.decoding.correction import generate_corrected as generate_corrected
    from seqgan.decoding.correction import sample_corrected as sample_corrected
    from seqgan.decoding.log_probs import chosen_log_probs as chosen_log_probs
    from seqgan.decoding.log_probs import held_out_log_probs as held_out_log_probs
    from seqgan.decoding.log_probs import sequence_log_probs as sequence_log_probs
    from seqgan.decoding.log_probs import token_log_probs as token_log_probs
    from seqgan.decoding.loop import Column as Column
    from seqgan.decoding.loop import PrefixBatch as PrefixBatch
    from seqgan.decoding.loop import continuations as continuations
    from seqgan.decoding.loop import decode as decode
    from seqgan.decoding.loop import generate as generate
    from seqgan.decoding.loop import prefix_states as prefix_states
    from seqgan.decoding.loop import sample as sample
    from seqgan.decoding.loop import sample_scored as sample_scored
    from seqgan.decoding.samplers import Ancestral as Ancestral
    from seqgan.decoding.samplers import Greedy as Greedy
    from seqgan.decoding.samplers import GumbelSoftmax as GumbelSoftmax
    from seqgan.decoding.samplers import Sampled as Sampled
    from seqgan.decoding.samplers import Sampler as Sampler
    from seqgan.decoding.samplers import Softmax as Softmax
    from seqgan.decoding.samplers import StraightThrough as StraightThrough
    from seqgan.decoding.samplers import at_temperature as at_temperature
    from seqgan.decoding.samplers import gumbel_noise as gumbel_noise
    from seqgan.decoding.samplers import keep_top_k as keep_top_k
    from seqgan.decoding.samplers import keep_top_p as keep_top_p
    from seqgan.decoding.samplers import sample_categorical as sample_categorical
    from seqgan.decoding.samplers import straight_through as straight_through

__getattr__, __dir__ = attach(__name__)
