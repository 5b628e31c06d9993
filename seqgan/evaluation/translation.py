"""Evaluation of translators between two kinds of text.

For a direction x ∈ X → Y with F: X → Y and G: Y → X, on held-out text, decoded greedily. What needs
no truth, and may pick checkpoints:

    lm_nll_WAY      nats per token of F(x) under an n-gram model of Y's training text: is it fluent?
    unigram_kl_WAY    KL(tokens of F(x) ‖ tokens of Y's training text) in nats: are they used as in
                    Y? (A model that writes one fluent sentence for ever has a low lm_nll.)
    round_trip_WAY  nats per token of x under G given F(x): is the source still in there?
    label_free_WAY  lm_nll + unigram_kl, plus round_trip where the backward direction is trained
    label_free      the sum over the directions that are played

and what audits it:

    shuffled_WAY    round_trip with the translations of other sentences: as low as round_trip itself
                    where F(x) says nothing of x, far above it where F(x) carries x, seen or unseen
    copied_WAY      share of the translation's words that stand in its source
    distinct_WAY    different translations / translations
    length_WAY      mean tokens a translation, without the end

Scores against the truth come from the data's own scorer, for reports only: they are not among the
names that a selection rule can use. The real-data row puts the reference in the translation's
place; the rows beside it are what simple rules reach on the same text (`UnpairedText.baselines`).
"""

from collections.abc import Mapping, Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mean_per_row
from seqgan.core.types import Batch, Generator, Rollout
from seqgan.data.corpus import EncodedSplit
from seqgan.data.unpaired_text import TextSide, UnpairedText, encode_lines
from seqgan.decoding import token_log_probs
from seqgan.evaluation.base import Metrics, ShownLines
from seqgan.evaluation.config import SHOWN, EvaluationConfig
from seqgan.evaluation.decoding_grid import DecodingSetting, configured
from seqgan.evaluation.written import written_lines
from seqgan.metrics.corpus import Corpus
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


class TranslationEvaluator:
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
        self._directions = tuple(directions)
        self._cycle = cycle
        self._device = device
        self._models = {
            way: _language_model(self._sides(way)[1], order) for way in self._directions
        }
        self.notes: dict[str, object] = {"ngram_order": order, "paired": text.paired}
        if text.left_out:
            self.notes["training_lines_left_out"] = text.left_out

    def settings(self, config: EvaluationConfig, sweep: bool) -> list[DecodingSetting]:
        """Translations are greedy: there is one setting."""
        return [configured(config)]

    def generated(
        self, generators: Translators, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of every direction."""
        metrics: Metrics = {}
        total = 0.0
        for way in self._directions:
            source, _ = self._sides(way)
            part = _first(_split(source, split), samples)
            rollout = self._translate(generators[way], way, part)
            found = self._fluency(way, rollout.ids_BT, rollout.mask_BT)
            score = found["lm_nll"] + found["unigram_kl"]
            if self._cycle:
                back = generators[_reverse(way)]
                found["round_trip"] = self._nats(back, rollout.ids_BT, part)
                found["shuffled"] = self._nats(back, rollout.ids_BT.roll(1, 0), part)
                score += found["round_trip"]
            found["label_free"] = score
            total += score
            found |= self._truth(way, split, part, self._lines(generators[way], way, part, rollout))
            found |= self._lexicon(way, generators[way])
            metrics |= {f"{name}_{way}": value for name, value in found.items()}
        return metrics | {"label_free": total}

    def real(self, split: str, samples: int) -> Metrics:
        """References in the translations' place."""
        metrics: Metrics = {}
        for way in self._directions:
            source, target = self._sides(way)
            part = _first(_split(target, split), samples)
            found = self._fluency(way, part.ids_NT, part.mask_NT)
            if self._text.paired:
                found |= self._truth(way, split, _first(_split(source, split), samples), part.lines)
            metrics |= {f"{name}_{way}": value for name, value in found.items()}
        return metrics

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """What simple rules reach, by their names."""
        rows: dict[str, Metrics] = {}
        for way in self._directions:
            source, target = self._sides(way)
            part = _first(_split(source, split), samples)
            outputs = {"copy": part.lines}
            if self._text.baselines is not None:
                outputs |= self._text.baselines(self._text, way, part.lines)
            for name, lines in outputs.items():
                ids_NT, mask_NT = encode_lines(lines, target)
                found = self._fluency(way, ids_NT, mask_NT)
                found |= self._truth(way, split, part, lines)
                row = rows.setdefault(name, {})
                row |= {f"{metric}_{way}": value for metric, value in found.items()}
        return rows

    def show(self, generators: Translators, setting: DecodingSetting) -> ShownLines:
        """The same sources at every call, each with its translation."""
        lines: list[str] = []
        for way in self._directions:
            source, _ = self._sides(way)
            part = _first(source.valid, SHOWN // 2)
            rollout = self._translate(generators[way], way, part)
            made = self._lines(generators[way], way, part, rollout)
            lines += [f"{x}  →  {y}" for x, y in zip(part.lines, made, strict=True)]
        return ShownLines(lines)

    def sheets(self, generators: Translators) -> dict[str, Image]:
        return {}

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────

    def _sides(self, way: str) -> tuple[TextSide, TextSide]:
        """(source, target)."""
        a, b = self._text.a, self._text.b
        return (a, b) if way == "a2b" else (b, a)

    def _translate(self, generator: Generator, way: str, part: EncodedSplit) -> Rollout:
        space = self._sides(way)[1].space
        blocks = [
            translate(generator, space, ids.to(self._device)) for ids in part.ids_NT.split(AT_ONCE)
        ]
        return Rollout(
            torch.cat([block.tokens for block in blocks]),
            torch.cat([block.ids_BT for block in blocks]),
            torch.cat([block.mask_BT for block in blocks]),
        )

    @torch.no_grad()
    def _nats(self, generator: Generator, given_NT: Tensor, part: EncodedSplit) -> float:
        """Mean over sentences of −log p(sentence | given) per token."""
        total = 0.0
        blocks = zip(
            given_NT.split(AT_ONCE),
            part.ids_NT.split(AT_ONCE),
            part.mask_NT.split(AT_ONCE),
            strict=True,
        )
        for given, ids, mask in blocks:
            target = Batch(ids.to(self._device), mask.to(self._device))
            assert target.mask is not None
            logp_BT = token_log_probs(generator, target.x, target.mask, cond=given)
            total -= float(mean_per_row(logp_BT, target.mask).sum())
        return total / len(part.ids_NT)

    def _fluency(self, way: str, ids_NT: Tensor, mask_NT: Tensor) -> dict[str, float]:
        target = self._sides(way)[1]
        ids, mask = ids_NT.cpu().numpy(), mask_NT.cpu().numpy()
        nll_NT = self._models[way].nll_NT(ids, mask)
        train = target.train
        real = Corpus.from_masked(train.ids_NT.numpy(), train.mask_NT.numpy())
        kept = mask if target.space.end_id is None else mask & (ids != target.space.end_id)
        return {
            "lm_nll": float(nll_NT.sum() / mask.sum()),
            "unigram_kl": unigram_kl(Corpus.from_masked(ids, mask), real, target.space.vocab_size),
            "distinct": len({row.tobytes() for row in ids}) / len(ids),
            "length": float(kept.sum(1).mean()),
        }

    def _truth(
        self, way: str, split: str, part: EncodedSplit, outputs: list[str]
    ) -> dict[str, float]:
        seen = ([self._text.canonical(line) for line in lines] for lines in (part.lines, outputs))
        found = {"copied": copied_share(*seen)}
        if self._text.paired and self._text.scorer is not None:
            references = _split(self._sides(way)[1], split).lines[: len(outputs)]
            found |= self._text.scorer(way, part.lines, outputs, references)
        return found

    def _lexicon(self, way: str, generator: Generator) -> dict[str, float]:
        """Share of words translated as the true lexicon has them, where there is one."""
        lexicon = self._text.lexicons.get(way)
        if lexicon is None:
            return {}
        source, _ = self._sides(way)

        def translate(lines: list[str]) -> list[str]:
            ids_NT, mask_NT = encode_lines(lines, source)
            part = EncodedSplit(ids_NT, mask_NT, lines)
            return self._lines(generator, way, part, self._translate(generator, way, part))

        return {"lexicon": lexicon_accuracy(translate, lexicon, source.train.lines)}

    def _lines(
        self, generator: Generator, way: str, part: EncodedSplit, rollout: Rollout
    ) -> list[str]:
        """The text of what was made of `part`."""
        source, target = (side.tokenizer for side in self._sides(way))
        lines: list[str] = []
        blocks = zip(rollout.ids_BT.split(AT_ONCE), part.ids_NT.split(AT_ONCE), strict=True)
        for ids, cond in blocks:
            asked = part.lines[len(lines) : len(lines) + len(ids)]
            lines += written_lines(generator, target, source, asked, cond.to(ids.device), ids)
        return lines


def _reverse(way: str) -> str:
    return "b2a" if way == "a2b" else "a2b"


def _split(side: TextSide, name: str) -> EncodedSplit:
    return side.valid if name == "valid" else side.test


def _first(part: EncodedSplit, count: int) -> EncodedSplit:
    return EncodedSplit(part.ids_NT[:count], part.mask_NT[:count], part.lines[:count])


def _language_model(side: TextSide, order: int) -> NgramModel:
    vocab = side.space.vocab_size
    if (vocab + 1) ** order >= 2**63:
        raise UserError(
            f"evaluation.ngram_order={order}: too many tokens ({vocab}) to count so long n-grams "
            "of; lower it"
        )
    rows = max(1, LM_TOKENS // side.space.length)
    model = NgramModel(order, vocab)
    model.fit(side.train.ids_NT[:rows].numpy(), side.train.mask_NT[:rows].numpy())
    return model
