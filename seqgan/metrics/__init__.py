"""Metrics: numbers of samples, of samples beside real data, and of densities."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.metrics.corpus import Corpus as Corpus
    from seqgan.metrics.coverage import prdc as prdc
    from seqgan.metrics.divergence import exact_divergences as exact_divergences
    from seqgan.metrics.divergence import sampled_divergences as sampled_divergences
    from seqgan.metrics.diversity import distinct as distinct
    from seqgan.metrics.diversity import distinct_n as distinct_n
    from seqgan.metrics.diversity import mean_length as mean_length
    from seqgan.metrics.diversity import share_in_train as share_in_train
    from seqgan.metrics.diversity import unique_share as unique_share
    from seqgan.metrics.earth_mover import earth_movers_distance as earth_movers_distance
    from seqgan.metrics.exact_bleu import bleu as bleu
    from seqgan.metrics.exact_bleu import self_bleu as self_bleu
    from seqgan.metrics.exact_bleu import sentence_bleu as sentence_bleu
    from seqgan.metrics.exact_bleu import sentence_self_bleu as sentence_self_bleu
    from seqgan.metrics.frechet import frechet_distance as frechet_distance
    from seqgan.metrics.inception import inception_score as inception_score
    from seqgan.metrics.kernel import kernel_distance as kernel_distance
    from seqgan.metrics.linear import linear_probe as linear_probe
    from seqgan.metrics.linear import principal_components as principal_components
    from seqgan.metrics.mauve import mauve as mauve
    from seqgan.metrics.modes import mode_coverage as mode_coverage
    from seqgan.metrics.ngram_lm import NgramModel as NgramModel
    from seqgan.metrics.ngram_lm import unigram_kl as unigram_kl
    from seqgan.metrics.sharpness import laplacian_variance as laplacian_variance
    from seqgan.metrics.translation import chrf as chrf
    from seqgan.metrics.translation import copied_share as copied_share
    from seqgan.metrics.translation import corpus_bleu as corpus_bleu
    from seqgan.metrics.translation import rouge as rouge
    from seqgan.metrics.two_sample import two_sample_test as two_sample_test

__getattr__, __dir__ = attach(__name__)
