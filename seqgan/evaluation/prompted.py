"""Evaluation of responses to prompts, on held-out pairs.

Of densities, in nats per token (end tokens count, padding does not):

    nll_SPLIT        −log p(response | prompt) of the true responses
    nll_known_SPLIT  the same over the tokens that are not `<unk>`
    nll_shuffled     nll_SPLIT behind the prompts of other pairs: equal where the prompt is ignored,
                     far higher where it is used
    entropy          of the generator's own responses

Of sampled responses, as many as there are pairs, one to each prompt:

    distinct_n    different n-grams / n-grams
    unique        share of distinct responses
    copied        share of a response's words that stand in its prompt
    length        mean tokens per response, without the end
    unknown       share of the responses' tokens that are `<unk>`
    fitting       share of right responses, where the pairs come from a grammar

Of greedy responses, against the one true response each:

    bleu, rouge…  as `translation_scores.py` has them

The real-data row has the true responses in the samples' place, and no scores against themselves.
Simple rules beside it: repeating the prompt, and the true response to another prompt.

A generator that a critic corrects (`corrected.py`) is measured by its samples alone, where it knows
a likelihood also by nll and entropy, which are upper bounds. It has no greedy responses, hence no
scores: its weights are those of whole responses. Nor has it nll_shuffled, since a bound would not
say whether the prompt is used.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqgan.core.batches import join, take
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Rollout
from seqgan.data.counts import unk_rates
from seqgan.data.prompted_text import PromptedSplit, PromptedText
from seqgan.data.unpaired_text import Scorer
from seqgan.evaluation.base import Metrics, ShownLines, drawing_seed
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.evaluation.writer import Draws, Writer, WriterEvaluator
from seqgan.metrics import diversity
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.translation import copied_share

AT_ONCE = 250
"""Prompts that are answered at a time."""


class PromptedTextEvaluator(WriterEvaluator):
    """Measures generators that answer prompts, and true responses for the real-data row."""

    def __init__(
        self, text: PromptedText, device: torch.device, seed: int, scorer: Scorer | None
    ) -> None:
        self.space = text.space
        self._text = text
        self._device = device
        self._seed = seed
        self._scorer = scorer
        self.unk_id = self._unk_id = text.tokenizer.unk_id
        self._splits = {"valid": _shuffled(text.valid), "test": _shuffled(text.test)}
        self.notes: dict[str, object] = {
            "pairs": {name: len(part.prompts) for name, part in self._splits.items()},
            "unk_rate": unk_rates(text.report),
        }

    def draw(self, writer: Writer, split: str, samples: int) -> Draws:
        """Responses to `samples` prompts, at most one to each pair of the split."""
        real = self._real(split)
        fake = self._sample(writer, split, samples) if samples else None
        logp_fake_NT = None if fake is None else _log_probs(writer, fake)
        return Draws(writer, real, fake, _log_probs(writer, real), logp_fake_NT)

    def measure(self, draws: Draws, split: str) -> Metrics:
        """Of samples and scores, as many pairs as there are samples; of likelihoods, all."""
        real, fake = self._splits[split].batch, draws.fake
        assert real.mask is not None, "responses have masks"
        metrics: Metrics = {}
        if draws.logp_real_NT is not None:
            metrics |= held_out_nll(split, draws.logp_real_NT, real.x, real.mask, self._unk_id)
            if draws.writer.normalised:
                metrics["nll_shuffled"] = self._nll_shuffled(draws.writer, split)
        if fake is None or fake.mask is None:
            return metrics
        if draws.logp_fake_NT is not None:
            metrics["entropy"] = nats_per_token(draws.logp_fake_NT, fake.mask.cpu())
        part = _first(self._splits[split], len(fake.x))
        metrics |= self._responses(part.prompts, fake.x.cpu(), fake.mask.cpu())
        greedy = self._answer(draws.writer.greedy, part)
        return metrics if greedy is None else metrics | self._truth(part, self._lines(greedy.x))

    def _real(self, split: str) -> Batch:
        return Batch(*(tensor.to(self._device) for tensor in _unpack(self._splits[split])))

    def _nll_shuffled(self, writer: Writer, split: str) -> float | None:
        real = self._real(split)
        assert real.mask is not None, "responses have masks"
        assert real.cond is not None, "responses have prompts"
        other_N = other_rows(self._splits[split].prompts).to(real.cond.device)
        others = Batch(real.x, real.mask, real.cond[other_N])
        logp_NT = _log_probs(writer, others)
        return None if logp_NT is None else nats_per_token(logp_NT, real.mask.cpu())

    def _sample(self, writer: Writer, split: str, rows: int) -> Batch:
        part = _first(self._splits[split], rows)
        with isolated(drawing_seed(self._seed, split)):
            sampled = self._answer(lambda cond: writer.sample(len(cond), cond), part)
        assert sampled is not None, "a writer writes"
        return sampled

    @torch.no_grad()
    def _answer(
        self, write: Callable[[Tensor], Rollout | None], part: PromptedSplit
    ) -> Batch | None:
        """What is written behind the prompts; None where nothing is."""
        blocks = []
        for cond in _unpack(part)[2].to(self._device).split(AT_ONCE):
            rollout = write(cond)
            if rollout is None:
                return None
            blocks.append(Batch(rollout.ids_BT, rollout.mask_BT, cond))
        return join(blocks)

    def _responses(self, prompts: list[str], ids_NT: Tensor, mask_NT: Tensor) -> Metrics:
        """What needs no true response."""
        end_id = self.space.end_id
        words = Corpus.from_masked(ids_NT.numpy(), mask_NT.numpy(), end_id)
        lines = self._lines(ids_NT)
        return {
            **{f"distinct_{n}": value for n, value in diversity.distinct(words, 3).items()},
            "unique": diversity.unique_share(words),
            "copied": self._copied(prompts, lines),
            "length": diversity.mean_length(words),
            "unknown": unknown_share(ids_NT, mask_NT, end_id, self._unk_id),
            **self._fitting(prompts, lines),
        }

    def _fitting(self, prompts: list[str], lines: list[str]) -> Metrics:
        if self._text.fits is None:
            return {}
        right = [self._text.fits(*pair) for pair in zip(prompts, lines, strict=True)]
        return {"fitting": sum(right) / len(right)}

    def _truth(self, part: PromptedSplit, lines: list[str]) -> Metrics:
        if self._scorer is None:
            return {}
        return dict(self._scorer("a2b", part.prompts, lines, part.responses))

    def real(self, split: str, samples: int) -> Metrics:
        """True responses."""
        part = _first(self._splits[split], samples)
        ids_NT, mask_NT, _ = _unpack(part)
        return self._responses(part.prompts, ids_NT, mask_NT)

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        part = _first(self._splits[split], samples)
        others = [part.responses[row] for row in other_rows(part.prompts).tolist()]
        return {
            "the prompt": {"copied": 1.0, **self._truth(part, part.prompts)},
            "response to another": {
                "copied": self._copied(part.prompts, others),
                **self._fitting(part.prompts, others),
                **self._truth(part, others),
            },
        }

    def written(self, writer: Writer, rows: int) -> ShownLines:
        """The same prompts at every call, each with a sampled response."""
        part = _first(self._splits["valid"], rows)
        made = self._lines(self._sample(writer, "valid", rows).x)
        prompts = (" ".join(line.split()) for line in part.prompts)
        return ShownLines([f"{x}  →  {y}" for x, y in zip(prompts, made, strict=True)])

    def _copied(self, prompts: list[str], lines: list[str]) -> float:
        pairs = ([self._text.canonical(line) for line in side] for side in (prompts, lines))
        return copied_share(*pairs)

    def _lines(self, ids_NT: Tensor) -> list[str]:
        return [self._text.tokenizer.decode(row) for row in ids_NT.tolist()]


def _log_probs(writer: Writer, batch: Batch) -> Tensor | None:
    """`logp_NT` on the CPU of responses; None where the writer has no density."""
    found = []
    for first in range(0, len(batch.x), AT_ONCE):
        logp_BT = writer.log_probs(take(batch, slice(first, first + AT_ONCE)))
        if logp_BT is None:
            return None
        found.append(logp_BT.cpu())
    return torch.cat(found)


def _unpack(part: PromptedSplit) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask of the responses, and the prompts."""
    batch = part.batch
    assert batch.mask is not None
    assert batch.cond is not None
    return batch.x, batch.mask, batch.cond


def _shuffled(part: PromptedSplit) -> PromptedSplit:
    """The same pairs in a fixed random order: of few samples the first are measured, and files may
    be sorted."""
    order_N = torch.randperm(len(part.prompts), generator=torch.Generator().manual_seed(0))
    return _taken(part, order_N)


def _first(part: PromptedSplit, count: int) -> PromptedSplit:
    return _taken(part, torch.arange(min(count, len(part.prompts))))


def _taken(part: PromptedSplit, rows_R: Tensor) -> PromptedSplit:
    prompts, responses = (
        [lines[row] for row in rows_R.tolist()] for lines in (part.prompts, part.responses)
    )
    return PromptedSplit(take(part.batch, rows_R), prompts, responses)


def other_rows(prompts: list[str]) -> Tensor:
    """For each prompt the row of another: half of all away in their alphabetical order, so that
    they differ unless one prompt has more than half of the rows."""
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    half = max(1, len(order) // 2)
    other_N = torch.empty(len(order), dtype=torch.long)
    other_N[order] = torch.tensor(order[half:] + order[:half], dtype=torch.long)
    return other_N
