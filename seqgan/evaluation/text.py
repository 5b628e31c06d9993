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

With `features`, test data are measured by those of `text_features.py` too, which has control rows.

All metrics count `<unk>` as one word, in samples, references and real data alike; `unk_rate` of
every split is in `notes`.

BLEU and Self-BLEU depend on how many sentences are compared: both counts are in `notes`. The
real-data row has as many training sentences as there are samples, hence at most
`most_sentences` of either.
"""

import torch
from torch import Tensor

from seqgan.core.batches import spread
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Rollout
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.counts import unk_rates
from seqgan.evaluation.base import DecodingSetting, Metrics, ShownLines, drawing_seed
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.evaluation.text_features import TextFeatures
from seqgan.evaluation.writer import Draws, Writer, WriterEvaluator
from seqgan.metrics import diversity, exact_bleu
from seqgan.metrics.corpus import Corpus as Words

CONTROL_SETTINGS = [DecodingSetting(0.5), DecodingSetting(1.5)]
"""Too sure of itself, and too random."""


class TextEvaluator(WriterEvaluator):
    """Measures generators, and training sentences for the real-data row."""

    def __init__(
        self,
        corpus: Corpus,
        device: torch.device,
        seed: int,
        references: int,
        features: TextFeatures | None = None,
    ) -> None:
        self.space = corpus.space
        self._corpus = corpus
        self._device = device
        self._seed = seed
        self._references = references
        self._features = features
        self.unk_id = self._unk_id = corpus.tokenizer.unk_id
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

    def draw(self, writer: Writer, split: str, samples: int) -> Draws:
        """At most as many samples as there are training sentences."""
        held_out = self._splits[split]
        real = Batch(held_out.ids_NT.to(self._device), held_out.mask_NT.to(self._device))
        rows = min(samples, self._most)
        return Draws.beside(real, writer, self._sample(writer, rows, split) if rows else None)

    def measure(self, draws: Draws, split: str) -> Metrics:
        real, fake = self._splits[split], draws.fake
        metrics: Metrics = {}
        if draws.logp_real_NT is not None:
            logp_NT = draws.logp_real_NT
            metrics |= held_out_nll(split, logp_NT, real.ids_NT, real.mask_NT, self._unk_id)
        if fake is None or fake.mask is None:
            return metrics
        if draws.logp_fake_NT is not None:
            metrics["entropy"] = nats_per_token(draws.logp_fake_NT, fake.mask.cpu())
        return metrics | self._overlap(fake.x, fake.mask, split)

    def _sample(self, writer: Writer, rows: int, split: str) -> Rollout:
        with isolated(drawing_seed(self._seed, split)):
            return writer.sample(rows)

    def real(self, split: str, samples: int) -> Metrics:
        """Training sentences against the same references; they have no likelihood."""
        train = self._corpus.train
        some_R = spread(len(train.lines), samples)
        metrics = self._overlap(train.ids_NT[some_R], train.mask_NT[some_R], split, copies=False)
        return metrics | {"in_train": None}  # 1 by construction

    def control_settings(self) -> list[DecodingSetting]:
        return [] if self._features is None else CONTROL_SETTINGS

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        if self._features is None:
            return {}
        rows: dict[str, Metrics] = {}
        for name, sentences in self._features.controls(samples).items():
            assert sentences.mask is not None, "sentences have masks"
            rows[name] = self._overlap(sentences.x, sentences.mask, split)
        return rows

    def _overlap(self, ids_NT: Tensor, mask_NT: Tensor, split: str, copies: bool = True) -> Metrics:
        """`copies`: whether nearness to the training sentences is measured."""
        sentences = self._words(ids_NT, mask_NT)
        real = self._splits[split]
        some_R = spread(len(real.lines), self._references)
        references = self._words(real.ids_NT[some_R], real.mask_NT[some_R])
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
            **self._on_features(ids_NT, mask_NT, split, copies),
        }

    def _on_features(self, ids_NT: Tensor, mask_NT: Tensor, split: str, copies: bool) -> Metrics:
        if self._features is None or split != "test":
            return {}
        found = self._features.measure(Batch(ids_NT.cpu(), mask_NT.cpu()), copies)
        self.notes |= self._features.notes
        return found

    def _words(self, ids_NT: Tensor, mask_NT: Tensor) -> Words:
        return Words.from_masked(ids_NT.cpu().numpy(), mask_NT.cpu().numpy(), self.space.end_id)

    def written(self, writer: Writer, rows: int) -> ShownLines:
        """Sentences as text."""
        ids = self._sample(writer, rows, "valid").ids_BT.tolist()
        return ShownLines([self._corpus.tokenizer.decode(row) for row in ids])
