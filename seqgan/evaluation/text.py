"""Evaluation on real text: likelihood, overlap with references, and diversity.

    nll_SPLIT        nats per token on held-out sentences; end tokens count, padding does not
    nll_known_SPLIT  the same over the tokens that are not `<unk>`
    entropy          nats per token of the generator's own samples
    bleu_n           mean sentence-BLEU of the samples against held-out references
    self_bleu_n      each sample against all others; low is diverse
    distinct_n       different n-grams / n-grams
    unique           share of distinct samples
    in_train         share of samples that stand verbatim in the training data
    length           mean words per sample
    unknown          share of the samples' tokens that are `<unk>`

All metrics count `<unk>` as one word, in samples, references and real data alike; `unk_rate` of
every split is in `notes`.

BLEU and Self-BLEU depend on how many sentences are compared: both counts are in `notes`. The
real-data row has as many training sentences as there are samples, hence at most
`most_sentences` of either.
"""

import torch
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Generator, Rollout
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.counts import unk_rates
from seqgan.decoding import Ancestral, held_out_log_probs, sample
from seqgan.evaluation.base import (
    DecodingSetting,
    Evaluator,
    Metrics,
    ShownLines,
    temperatures_and_nuclei,
)
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.metrics import diversity, exact_bleu
from seqgan.metrics.corpus import Corpus as Words


class TextEvaluator(Evaluator[Generator]):
    """Measures generators, and training sentences for the real-data row."""

    def __init__(self, corpus: Corpus, device: torch.device, seed: int, references: int) -> None:
        self.space = corpus.space
        self._corpus = corpus
        self._device = device
        self._seed = seed
        self._references = references
        self._unk_id = corpus.tokenizer.unk_id
        self._splits: dict[str, EncodedSplit] = {"valid": corpus.valid, "test": corpus.test}
        self._train = self._words(corpus.train.ids_NT, corpus.train.mask_NT)
        # BLEU and its like depend on the number of sentences: both rows have to have as many.
        self._most = len(corpus.train.ids_NT)
        self.notes: dict[str, object] = {
            "bleu_references": {
                name: min(references, len(split.ids_NT)) for name, split in self._splits.items()
            },
            "most_sentences": self._most,
            "unk_rate": unk_rates(corpus.report),
        }

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        rollout = self._sample(generator, min(samples, self._most), setting)
        metrics: Metrics = {}
        if setting.top_p == 1:
            real = self._splits[split]
            logp_NT = self._log_probs(generator, real.ids_NT, real.mask_NT, setting.temperature)
            metrics |= held_out_nll(split, logp_NT, real.ids_NT, real.mask_NT, self._unk_id)
            ids_BT, mask_BT = rollout.ids_BT, rollout.mask_BT
            logp_BT = self._log_probs(generator, ids_BT, mask_BT, setting.temperature)
            metrics["entropy"] = nats_per_token(logp_BT, mask_BT.cpu())
        return metrics | self._overlap(rollout.ids_BT, rollout.mask_BT, split)

    def _sample(self, generator: Generator, rows: int, setting: DecodingSetting) -> Rollout:
        draw = Ancestral(setting.temperature, top_p=setting.top_p)
        with isolated(self._seed):
            return sample(generator, self.space, rows, draw)

    def _log_probs(
        self, generator: Generator, ids_NT: Tensor, mask_NT: Tensor, temperature: float
    ) -> Tensor:
        ids_NT, mask_NT = ids_NT.to(self._device), mask_NT.to(self._device)
        return held_out_log_probs(generator, ids_NT, mask_NT, temperature).cpu()

    def real(self, split: str, samples: int) -> Metrics:
        """Training sentences against the same references; they have no likelihood."""
        train = self._corpus.train
        metrics = self._overlap(train.ids_NT[:samples], train.mask_NT[:samples], split)
        return metrics | {"in_train": None}  # 1 by construction

    def _overlap(self, ids_NT: Tensor, mask_NT: Tensor, split: str) -> Metrics:
        sentences = self._words(ids_NT, mask_NT)
        real = self._splits[split]
        references = self._words(real.ids_NT[: self._references], real.mask_NT[: self._references])
        by_order = {
            "bleu": exact_bleu.bleu(sentences, references),
            "self_bleu": exact_bleu.self_bleu(sentences),
            "distinct": diversity.distinct(sentences, 3),
        }
        return {
            **{f"{name}_{n}": values[n] for name, values in by_order.items() for n in values},
            "unique": diversity.unique_share(sentences),
            "in_train": diversity.share_in_train(sentences, self._train),
            "length": diversity.mean_length(sentences),
            "unknown": unknown_share(ids_NT, mask_NT, self.space.end_id, self._unk_id),
        }

    def _words(self, ids_NT: Tensor, mask_NT: Tensor) -> Words:
        return Words.from_masked(ids_NT.cpu().numpy(), mask_NT.cpu().numpy(), self.space.end_id)

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """Sentences as text."""
        rows = self._sample(generator, SHOWN, setting).ids_BT.tolist()
        return ShownLines([self._corpus.tokenizer.decode(row) for row in rows])
