"""Text measured on features of a network, `@` its name (`text_extractor.py`), at the end of a run.

    fed                      Fréchet distance of the features to those of held-out sentences
                             (de Masson d'Autume et al. 2019)
    precision, recall, density, coverage   the same features' nearest neighbours
    mauve, mauve_spread      mean over five k-means seeds, and largest minus smallest value
    two_sample_accuracy      of a fresh classifier, with its 95 % interval, `_low` and `_high`
    duplicates, nearest_ratio, copy_p_value   nearest *training* sentences (metrics/memorisation.py)
    lm_score                 nats per token of the samples under the language model

    lm_score@trigram          nats per token of the samples under an interpolated trigram model of
                              the held-out sentences: fluency
    reverse_lm_score@trigram  nats per token of the held-out sentences under one of the samples:
                              diversity too

The held-out sentences are the references of BLEU; `<unk>` has no part in the scores. The real-data
row has training sentences in the samples' place: what lies beyond it is no fault of a generator. A
low `lm_score` is no virtue in itself: `lm_score_of_references`, in the notes, is that of real text.
Below `LEAST` sentences of either kind nothing is measured.

Deviations. LM and reverse-LM scores (Zhao et al. 2018; Semeniuta et al. 2018) are by recurrent
networks there; a trigram model has no seed, takes no minutes for each row, and is the same in both
directions. The language model is trained on the training text, for want of text that no player is
trained on, so features of training sentences, as in the real-data row, differ a little from those
of unseen ones.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from seqgan.core.batches import spread, take
from seqgan.core.rng import isolated
from seqgan.core.types import Batch
from seqgan.evaluation.base import Metrics
from seqgan.evaluation.text_extractor import TextExtractor
from seqgan.metrics.coverage import prdc
from seqgan.metrics.frechet import frechet_distance
from seqgan.metrics.mauve import mauve
from seqgan.metrics.memorisation import compare_distances, nearest_distances
from seqgan.metrics.ngram_lm import NgramModel
from seqgan.metrics.two_sample import two_sample_test

LEAST = 20
"""Sentences, of samples and references."""
ORDER = 3
CONTROLS_SEED = 0


class TextFeatures:
    """Measures sentences beside `references`, all on the CPU. `build` gives the network."""

    def __init__(
        self,
        build: Callable[[], TextExtractor],
        train: Batch,
        references: Batch,
        vocab_size: int,
        unk_id: int,
    ) -> None:
        self._build = build
        self._train = train
        self._references = references
        self._vocab_size = vocab_size
        self._unk_id = unk_id

    def measure(self, sentences: Batch, copies: bool) -> Metrics:
        """`copies`: also of the nearest training sentences."""
        if min(len(sentences.x), len(self._references.x)) < LEAST:
            return {}
        with torch.autocast("cpu", enabled=False):  # a network is named by what it does in float32
            return self._measure(sentences, copies)

    def _measure(self, sentences: Batch, copies: bool) -> Metrics:
        fake_NF, real_NF = self._extractor.features(sentences), self._reference_features
        metrics: Metrics = {
            "fed": frechet_distance(real_NF, fake_NF),
            **prdc(real_NF, fake_NF),
            **mauve(real_NF, fake_NF),
            **two_sample_test(real_NF, fake_NF),
        }
        if copies:
            distance_N = nearest_distances(fake_NF, self._train_features)
            metrics |= compare_distances(distance_N, self._reference_distances)
        logp_NT = self._extractor.log_probs(sentences)
        if logp_NT is not None:
            metrics["lm_score"] = self._per_known_token(-logp_NT.numpy(), sentences)
        return {
            **{f"{name}@{self._extractor.name}": value for name, value in metrics.items()},
            "lm_score@trigram": self._score(self._reference_trigrams, sentences),
            "reverse_lm_score@trigram": self._score(self._trigrams(sentences), self._references),
        }

    def controls(self, samples: int) -> dict[str, Batch]:
        """Sets of sentences that every metric should find fault with, by what they are."""
        rows = min(samples, len(self._train.x))
        with isolated(CONTROLS_SEED):
            again = torch.randint(len(self._train.x), (rows,))
            place_NT = torch.rand(rows, self._train.x.shape[1])
        some = take(self._train, spread(len(self._train.x), rows))
        return {
            "training sentences, drawn again": take(self._train, again),
            "shuffled words": _permuted(some, place_NT),
            "one sentence": take(self._train, torch.zeros(rows, dtype=torch.long)),
        }

    @property
    def notes(self) -> dict[str, object]:
        """What the numbers were measured with, once something was measured."""
        return self._notes if "_extractor" in vars(self) else {}

    @cached_property
    def _notes(self) -> dict[str, object]:
        found: dict[str, object] = {"text_extractor": self._extractor.name}
        logp_NT = self._extractor.log_probs(self._references)
        if logp_NT is not None:
            score = self._per_known_token(-logp_NT.numpy(), self._references)
            found["lm_score_of_references"] = score
        return found

    @cached_property
    def _extractor(self) -> TextExtractor:
        return self._build()

    @cached_property
    def _reference_features(self) -> Tensor:
        return self._extractor.features(self._references)

    @cached_property
    def _train_features(self) -> Tensor:
        return self._extractor.features(self._train)

    @cached_property
    def _reference_distances(self) -> Tensor:
        """Of the references to their nearest training sentences."""
        return nearest_distances(self._reference_features, self._train_features)

    @cached_property
    def _reference_trigrams(self) -> NgramModel:
        return self._trigrams(self._references)

    def _trigrams(self, sentences: Batch) -> NgramModel:
        assert sentences.mask is not None, "sentences have masks"
        model = NgramModel(ORDER, self._vocab_size)
        return model.fit(sentences.x.numpy(), sentences.mask.numpy())

    def _score(self, model: NgramModel, sentences: Batch) -> float | None:
        assert sentences.mask is not None, "sentences have masks"
        nll_NT = model.nll_NT(sentences.x.numpy(), sentences.mask.numpy())
        return self._per_known_token(nll_NT, sentences)

    def _per_known_token(self, nll_NT: np.ndarray, sentences: Batch) -> float | None:
        assert sentences.mask is not None, "sentences have masks"
        known_NT = (sentences.mask & (sentences.x != self._unk_id)).numpy()
        return float(nll_NT[known_NT].mean(dtype=np.float64)) if known_NT.any() else None


def _permuted(sentences: Batch, place_NT: Tensor) -> Batch:
    """The words of each sentence in the order of their places; its last token stays the last."""
    assert sentences.mask is not None, "sentences have masks"
    columns_T = torch.arange(sentences.x.shape[1])
    inner_NT = columns_T < sentences.mask.sum(1, keepdim=True) - 1
    order_NT = torch.where(inner_NT, place_NT, 1 + columns_T).argsort(1)
    return Batch(sentences.x.gather(1, order_NT), sentences.mask)
