"""Evaluation of responses to prompts, on held-out pairs.

Of densities, in nats per token (end tokens count, padding does not):

    nll_SPLIT        −log p(response | prompt) of the true responses
    nll_known_SPLIT  the same over the tokens that are not `<unk>`
    nll_shuffled     nll_SPLIT behind the prompts of other pairs: as low as itself where the prompt
                     is ignored, far above it where it is used
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
The rows beside it are what simple rules reach: repeating the prompt, and the true response to
another prompt.
"""

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Generator, Rollout
from seqgan.data.prompted_text import PromptedSplit, PromptedText
from seqgan.data.unknown_tokens import unk_rates
from seqgan.data.unpaired_text import Scorer
from seqgan.decoding import Ancestral, Greedy, Sampler, held_out_log_probs, sample
from seqgan.evaluation.base import Metrics, ShownLines
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.decoding_grid import DecodingSetting, temperatures_and_nuclei
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.metrics import diversity
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.translation import copied_share

AT_ONCE = 250
"""Prompts that are answered at a time."""


class PromptedTextEvaluator:
    """Measures generators that answer prompts, and true responses for the real-data row."""

    def __init__(
        self, text: PromptedText, device: torch.device, seed: int, scorer: Scorer | None
    ) -> None:
        self.space = text.space
        self._text = text
        self._device = device
        self._seed = seed
        self._scorer = scorer
        self._unk_id = text.tokenizer.unk_id
        self._splits: dict[str, PromptedSplit] = {"valid": text.valid, "test": text.test}
        self.notes: dict[str, object] = {
            "pairs": {name: len(part.prompts) for name, part in self._splits.items()},
            "unk_rate": unk_rates(text.report),
        }

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of a generator, of the first `samples` pairs of a split."""
        part = _first(self._splits[split], samples)
        made = self._sample(generator, part, setting)
        metrics: Metrics = {}
        if setting.top_p == 1:
            real = self._splits[split].batch
            temperature = setting.temperature
            assert real.cond is not None
            assert real.mask is not None
            logp_NT = self._log_probs(generator, real, temperature)
            metrics |= held_out_nll(split, logp_NT, real.x, real.mask, self._unk_id)
            others = Batch(real.x, real.mask, real.cond.roll(_shift(len(real.x)), 0))
            metrics["nll_shuffled"] = self._nll(generator, others, temperature)
            own = Batch(made.ids_BT, made.mask_BT, part.batch.cond)
            metrics["entropy"] = self._nll(generator, own, temperature)
        metrics |= self._responses(part.prompts, made.ids_BT, made.mask_BT)
        greedy = self._answer(generator, part, Greedy())
        return metrics | self._truth(part, self._lines(greedy.ids_BT))

    def _sample(
        self, generator: Generator, part: PromptedSplit, setting: DecodingSetting
    ) -> Rollout:
        with isolated(self._seed):
            return self._answer(
                generator, part, Ancestral(setting.temperature, top_p=setting.top_p)
            )

    @torch.no_grad()
    def _answer(self, generator: Generator, part: PromptedSplit, draw: Sampler) -> Rollout:
        assert part.batch.cond is not None
        blocks = [
            sample(generator, self.space, len(cond), draw, cond.to(self._device))
            for cond in part.batch.cond.split(AT_ONCE)
        ]
        ids_BT = torch.cat([block.ids_BT for block in blocks]).cpu()
        mask_BT = torch.cat([block.mask_BT for block in blocks]).cpu()
        return Rollout(ids_BT, ids_BT, mask_BT)

    def _nll(self, generator: Generator, batch: Batch, temperature: float) -> float | None:
        assert batch.mask is not None
        return nats_per_token(self._log_probs(generator, batch, temperature), batch.mask)

    def _log_probs(self, generator: Generator, batch: Batch, temperature: float) -> Tensor:
        """`logp_NT` on the CPU."""
        assert batch.mask is not None
        assert batch.cond is not None
        found = []
        for rows in torch.arange(len(batch.x)).split(AT_ONCE):
            ids, mask, cond = (
                part[rows].to(self._device) for part in (batch.x, batch.mask, batch.cond)
            )
            found.append(held_out_log_probs(generator, ids, mask, temperature, cond).cpu())
        return torch.cat(found)

    def _responses(self, prompts: list[str], ids_NT: Tensor, mask_NT: Tensor) -> Metrics:
        """What needs no true response."""
        end_id = self.space.end_id
        words = Corpus.from_masked(ids_NT.numpy(), mask_NT.numpy(), end_id)
        lines = self._lines(ids_NT)
        metrics: Metrics = {
            f"distinct_{order}": value for order, value in diversity.distinct(words, 3).items()
        }
        metrics["unique"] = diversity.unique_share(words)
        metrics["copied"] = self._copied(prompts, lines)
        metrics["length"] = diversity.mean_length(words)
        metrics["unknown"] = unknown_share(ids_NT, mask_NT, end_id, self._unk_id)
        if self._text.fits is not None:
            right = [self._text.fits(*pair) for pair in zip(prompts, lines, strict=True)]
            metrics["fitting"] = sum(right) / len(right)
        return metrics

    def _truth(self, part: PromptedSplit, lines: list[str]) -> Metrics:
        if self._scorer is None:
            return {}
        return dict(self._scorer("a2b", part.prompts, lines, part.responses))

    def real(self, split: str, samples: int) -> Metrics:
        """True responses."""
        part = _first(self._splits[split], samples)
        assert part.batch.mask is not None
        return self._responses(part.prompts, part.batch.x, part.batch.mask)

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        """What simple rules reach, by their names."""
        part = _first(self._splits[split], samples)
        copied: Metrics = {"copied": 1.0, **self._truth(part, part.prompts)}
        shift = _shift(len(part.responses))
        others = part.responses[shift:] + part.responses[:shift]
        shuffled: Metrics = {"copied": self._copied(part.prompts, others)}
        if self._text.fits is not None:
            right = [self._text.fits(*pair) for pair in zip(part.prompts, others, strict=True)]
            shuffled["fitting"] = sum(right) / len(right)
        return {
            "the prompt": copied,
            "response to another": shuffled | self._truth(part, others),
        }

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """The same prompts at every call, each with a sampled response."""
        part = _first(self._text.valid, SHOWN)
        made = self._lines(self._sample(generator, part, setting).ids_BT)
        prompts = (" ".join(line.split()) for line in part.prompts)
        return ShownLines([f"{x}  →  {y}" for x, y in zip(prompts, made, strict=True)])

    def sheets(self, generator: Generator) -> dict[str, Image]:
        return {}

    def _copied(self, prompts: list[str], lines: list[str]) -> float:
        seen = ([self._text.canonical(line) for line in side] for side in (prompts, lines))
        return copied_share(*seen)

    def _lines(self, ids_NT: Tensor) -> list[str]:
        return [self._text.tokenizer.decode(row) for row in ids_NT.tolist()]


def _first(part: PromptedSplit, count: int) -> PromptedSplit:
    batch = part.batch
    assert batch.mask is not None
    assert batch.cond is not None
    first = Batch(batch.x[:count], batch.mask[:count], batch.cond[:count])
    return PromptedSplit(first, part.prompts[:count], part.responses[:count])


def _shift(count: int) -> int:
    """How far away the pair is whose part takes a pair's place: far, since files may be sorted."""
    return max(1, count // 2)
