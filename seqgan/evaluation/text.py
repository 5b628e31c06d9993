"""Evaluation on real text: likelihood, overlap with references, and diversity.

    nll_SPLIT      nats a symbol on held-out sentences; end symbols count, padding does not
    entropy        nats a symbol of the generator's own samples
    bleu_n         mean sentence-BLEU of the samples against held-out references
    self_bleu_n    each sample against all others; low is diverse
    distinct_n     different n-grams / n-grams
    unique         share of distinct samples
    in_train       share of samples that stand verbatim in the training data
    length         mean words a sample

BLEU and Self-BLEU depend on how many sentences are compared: both counts are in `notes`. The
real-data row puts as many training sentences in the samples' place, so there are never more
samples than training sentences (`most_sentences`).
"""

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Generator, Rollout
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.decoding import Ancestral, sample, sequence_log_probs
from seqgan.evaluation.base import Metrics, ShownLines
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.decoding_grid import DecodingSetting, temperatures_and_nuclei
from seqgan.metrics import bleu, diversity


class TextEvaluator:
    """Measures generators, and training sentences for the real-data row."""

    def __init__(self, corpus: Corpus, device: torch.device, seed: int, references: int) -> None:
        self.space = corpus.space
        self._corpus = corpus
        self._device = device
        self._seed = seed
        self._references = references
        self._splits: dict[str, EncodedSplit] = {"valid": corpus.valid, "test": corpus.test}
        self._train = self._words(corpus.train.ids_NT, corpus.train.mask_NT)
        # BLEU and its like depend on the number of sentences: both rows have to have as many.
        self._most = len(corpus.train.ids_NT)
        self.notes: dict[str, object] = {
            "bleu_references": {
                name: min(references, len(split.ids_NT)) for name, split in self._splits.items()
            },
            "most_sentences": self._most,
        }

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of a generator."""
        rollout = self._sample(generator, min(samples, self._most), setting)
        metrics: Metrics = {}
        if setting.top_p == 1:
            real = self._splits[split]
            metrics[f"nll_{split}"] = self._nll(
                generator, real.ids_NT, real.mask_NT, setting.temperature
            )
            metrics["entropy"] = self._nll(
                generator, rollout.ids_BT, rollout.mask_BT, setting.temperature
            )
        metrics |= self._overlap(self._words(rollout.ids_BT, rollout.mask_BT), split)
        return metrics

    def _sample(self, generator: Generator, rows: int, setting: DecodingSetting) -> Rollout:
        draw = Ancestral(setting.temperature, top_p=setting.top_p)
        with isolated(self._seed):
            return sample(generator, self.space, rows, draw)

    def _nll(
        self, generator: Generator, ids_NT: Tensor, mask_NT: Tensor, temperature: float
    ) -> float:
        ids_NT, mask_NT = ids_NT.to(self._device), mask_NT.to(self._device)
        logp_N = sequence_log_probs(generator, ids_NT, mask_NT, temperature)
        return -float(logp_N.cpu().double().sum() / mask_NT.sum().cpu())

    def real(self, split: str, samples: int) -> Metrics:
        """Training sentences against the same references; of likelihoods there are none."""
        train = self._corpus.train
        metrics = self._overlap(self._words(train.ids_NT[:samples], train.mask_NT[:samples]), split)
        return metrics | {"in_train": None}  # 1 by construction

    def _overlap(self, sentences: bleu.Corpus, split: str) -> Metrics:
        real = self._splits[split]
        references = self._words(real.ids_NT[: self._references], real.mask_NT[: self._references])
        metrics: Metrics = {}
        for order, value in bleu.bleu(sentences, references).items():
            metrics[f"bleu_{order}"] = value
        for order, value in bleu.self_bleu(sentences).items():
            metrics[f"self_bleu_{order}"] = value
        for order, value in diversity.distinct(sentences, 3).items():
            metrics[f"distinct_{order}"] = value
        metrics["unique"] = diversity.unique_share(sentences)
        metrics["in_train"] = diversity.share_in_train(sentences, self._train)
        metrics["length"] = diversity.mean_length(sentences)
        return metrics

    def _words(self, ids_NT: Tensor, mask_NT: Tensor) -> bleu.Corpus:
        return bleu.Corpus.from_masked(
            ids_NT.cpu().numpy(), mask_NT.cpu().numpy(), self.space.end_id
        )

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        return {}

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """Sentences as text."""
        rows = self._sample(generator, SHOWN, setting).ids_BT.tolist()
        return ShownLines([self._corpus.tokenizer.decode(row) for row in rows])

    def sheets(self, generator: Generator) -> dict[str, Image]:
        return {}
