"""Evaluation of translators between two kinds of text.

For a direction with F: X → Y and G: Y → X, on held-out text x ∈ X, decoded greedily; each name ends
in the direction, _a2b or _b2a. What needs no truth, and may select checkpoints:

    lm_nll        nats per token of F(x) under an n-gram model of Y's training text: is it fluent?
    unigram_kl    KL(tokens of F(x) ‖ tokens of Y's training text) in nats: are they used as in Y?
                  (A model that repeats one fluent sentence has a low lm_nll.)
    round_trip    nats per token of x under G given F(x): is the source still in there?
    label_free    lm_nll + unigram_kl, plus round_trip where the backward direction is trained
    label_free without a direction is the sum over the directions that are played

and what checks it:

    shuffled      round_trip with the translations of other sentences: equal to round_trip where
                  F(x) says nothing of x, far above it where it does
    copied        share of the translation's words that stand in its source
    distinct      different translations / translations
    length        mean tokens per translation, without the end

Scores against the truth come from the data's own scorer, for reports only: no selection rule can
name them. The real-data row puts the reference in the translation's place; the rows beside it are
what simple rules reach on the same text (`UnpairedText.baselines`).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from seqgan.core.batches import spread
from seqgan.core.errors import UserError
from seqgan.core.masks import mean_per_row
from seqgan.core.types import Generator, Rollout
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.unpaired_text import UnpairedText, encode_lines
from seqgan.decoding import token_log_probs
from seqgan.evaluation.base import DecodingSetting, Evaluator, Metrics, ShownLines
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.written import written_lines
from seqgan.metrics.corpus import Corpus as Words
from seqgan.metrics.ngram_lm import NgramModel, unigram_kl
from seqgan.metrics.translation import copied_share
from seqgan.tasks.language_pair.languages import lexicon_accuracy
from seqgan.translate import translate

Translators = Mapping[str, Generator]
"""By direction; a `ModuleDict` of two."""

AT_ONCE = 250
"""Sentences translated at a time."""

LM_TOKENS = 2_000_000
"""Training tokens that an n-gram model counts at most."""


class TranslationEvaluator(Evaluator[Translators]):
    """Measures pairs of translators (keys a2b and b2a) in the directions that are played."""

    def __init__(
        self,
        text: UnpairedText,
        directions: Sequence[str],
        cycle: bool,
        device: torch.device,
        order: int,
    ) -> None:
        self._text = text
        self._cycle = cycle
        self._device = device
        self._models = {
            direction: _language_model(self._text.sides(direction)[1], order)
            for direction in directions
        }
        self.notes: dict[str, object] = {"ngram_order": order, "paired": text.paired}
        if text.left_out:
            self.notes["training_lines_left_out"] = text.left_out

    def generated(
        self, generators: Translators, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of every direction."""
        metrics: Metrics = {}
        total = 0.0
        for direction in self._models:
            part = _some(self._text.sides(direction)[0], split, samples)
            rollout, lines = self._translate(generators[direction], direction, part)
            found = self._fluency(direction, rollout.ids_BT, rollout.mask_BT)
            score = found["lm_nll"] + found["unigram_kl"]
            if self._cycle:
                backward = generators["b2a" if direction == "a2b" else "a2b"]
                found["round_trip"] = self._nats(backward, rollout.ids_BT, part)
                found["shuffled"] = self._nats(backward, rollout.ids_BT.roll(1, 0), part)
                score += found["round_trip"]
            found["label_free"] = score
            total += score
            found |= self._truth(direction, split, part, lines)
            found |= self._lexicon(direction, generators[direction])
            metrics |= _named(found, direction)
        return metrics | {"label_free": total}

    def real(self, split: str, samples: int) -> Metrics:
        """References in the translations' place."""
        metrics: Metrics = {}
        for direction in self._models:
            source, target = (_some(side, split, samples) for side in self._text.sides(direction))
            found = self._fluency(direction, target.ids_NT, target.mask_NT)
            if self._text.paired:
                found |= self._truth(direction, split, source, target.lines)
            metrics |= _named(found, direction)
        return metrics

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        rows: dict[str, Metrics] = {}
        for direction in self._models:
            source, target = self._text.sides(direction)
            part = _some(source, split, samples)
            outputs = {"copy": part.lines}
            if self._text.baselines is not None:
                outputs |= self._text.baselines(self._text, direction, part.lines)
            for name, lines in outputs.items():
                found = self._fluency(direction, *encode_lines(lines, target))
                found |= self._truth(direction, split, part, lines)
                rows[name] = rows.get(name, {}) | _named(found, direction)
        return rows

    def show(self, generators: Translators, setting: DecodingSetting) -> ShownLines:
        """The same sources at every call, each with its translation."""
        lines: list[str] = []
        for direction in self._models:
            part = _some(self._text.sides(direction)[0], "valid", SHOWN // 2)
            _, made = self._translate(generators[direction], direction, part)
            lines += [f"{x}  →  {y}" for x, y in zip(part.lines, made, strict=True)]
        return ShownLines(lines)

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _translate(
        self, generator: Generator, direction: str, part: EncodedSplit
    ) -> tuple[Rollout, list[str]]:
        """Translations, and their text."""
        source, target = self._text.sides(direction)
        ids, masks = [], []
        lines: list[str] = []
        for cond in part.ids_NT.split(AT_ONCE):
            cond = cond.to(self._device)
            block = translate(generator, target.space, cond)
            asked = part.lines[len(lines) : len(lines) + len(cond)]
            lines += written_lines(
                generator, target.tokenizer, source.tokenizer, asked, cond, block.ids_BT
            )
            ids.append(block.ids_BT)
            masks.append(block.mask_BT)
        ids_BT = torch.cat(ids)
        return Rollout(ids_BT, ids_BT, torch.cat(masks)), lines

    @torch.no_grad()
    def _nats(self, generator: Generator, given_NT: Tensor, part: EncodedSplit) -> float:
        """Mean over sentences of −log p(sentence | given) per token."""
        total = 0.0
        tensors = (given_NT, part.ids_NT, part.mask_NT)
        for blocks in zip(*(tensor.split(AT_ONCE) for tensor in tensors), strict=True):
            given, ids, mask = (block.to(self._device) for block in blocks)
            logp_BT = token_log_probs(generator, ids, mask, cond=given)
            total -= float(mean_per_row(logp_BT, mask).sum())
        return total / len(part.ids_NT)

    def _fluency(self, direction: str, ids_NT: Tensor, mask_NT: Tensor) -> dict[str, float]:
        target = self._text.sides(direction)[1]
        ids, mask = ids_NT.cpu().numpy(), mask_NT.cpu().numpy()
        nll_NT = self._models[direction].nll_NT(ids, mask)
        train = target.train
        real = Words.from_masked(train.ids_NT.numpy(), train.mask_NT.numpy())
        kept = mask if target.space.end_id is None else mask & (ids != target.space.end_id)
        return {
            "lm_nll": float(nll_NT.sum() / mask.sum()),
            "unigram_kl": unigram_kl(Words.from_masked(ids, mask), real, target.space.vocab_size),
            "distinct": len({row.tobytes() for row in ids}) / len(ids),
            "length": float(kept.sum(1).mean()),
        }

    def _truth(
        self, direction: str, split: str, part: EncodedSplit, outputs: list[str]
    ) -> dict[str, float]:
        pairs = ([self._text.canonical(line) for line in lines] for lines in (part.lines, outputs))
        found = {"copied": copied_share(*pairs)}
        if self._text.paired and self._text.scorer is not None:
            references = _some(self._text.sides(direction)[1], split, len(outputs)).lines
            found |= self._text.scorer(direction, part.lines, outputs, references)
        return found

    def _lexicon(self, direction: str, generator: Generator) -> dict[str, float]:
        """Share of words translated as the true lexicon has them, where there is one."""
        lexicon = self._text.lexicons.get(direction)
        if lexicon is None:
            return {}
        source, _ = self._text.sides(direction)

        def translated(lines: list[str]) -> list[str]:
            part = EncodedSplit(*encode_lines(lines, source), lines)
            return self._translate(generator, direction, part)[1]

        return {"lexicon": lexicon_accuracy(translated, lexicon, source.train.lines)}


def _named(found: Mapping[str, float], direction: str) -> Metrics:
    return {f"{name}_{direction}": value for name, value in found.items()}


def _some(side: Corpus, split: str, count: int) -> EncodedSplit:
    part = side.valid if split == "valid" else side.test
    rows_R = spread(len(part.lines), count)
    lines = [part.lines[row] for row in rows_R.tolist()]
    return EncodedSplit(part.ids_NT[rows_R], part.mask_NT[rows_R], lines)


def _language_model(side: Corpus, order: int) -> NgramModel:
    vocab = side.space.vocab_size
    if (vocab + 1) ** order >= 2**63:
        raise UserError(
            f"evaluation.ngram_order={order}: too many tokens ({vocab}) to count so long n-grams "
            "of; lower it"
        )
    some_R = spread(len(side.train.lines), max(1, LM_TOKENS // side.space.length))
    model = NgramModel(order, vocab)
    model.fit(side.train.ids_NT[some_R].numpy(), side.train.mask_NT[some_R].numpy())
    return model
