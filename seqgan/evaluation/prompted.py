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
"""

from functools import partial

import torch
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Generator, Rollout
from seqgan.data.counts import unk_rates
from seqgan.data.prompted_text import PromptedSplit, PromptedText
from seqgan.data.unpaired_text import Scorer
from seqgan.decoding import Ancestral, Greedy, Sampler, held_out_log_probs, sample
from seqgan.evaluation.base import (
    DecodingSetting,
    Evaluator,
    Metrics,
    ShownLines,
    temperatures_and_nuclei,
)
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.metrics import diversity
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.translation import copied_share

AT_ONCE = 250
"""Prompts that are answered at a time."""


class PromptedTextEvaluator(Evaluator[Generator]):
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
        """Of samples and scores, the first `samples` pairs of a split; of likelihoods, all."""
        part = _first(self._splits[split], samples)
        made = self._sample(generator, part, setting)
        metrics: Metrics = {}
        if setting.top_p == 1:
            log_probs = partial(self._log_probs, generator, setting.temperature)
            ids_NT, mask_NT, cond_NP = _unpack(self._splits[split])
            logp_NT = log_probs(ids_NT, mask_NT, cond_NP)
            metrics |= held_out_nll(split, logp_NT, ids_NT, mask_NT, self._unk_id)
            logp_NT = log_probs(ids_NT, mask_NT, cond_NP.roll(_shift(len(ids_NT)), 0))
            metrics["nll_shuffled"] = nats_per_token(logp_NT, mask_NT)
            logp_NT = log_probs(made.ids_BT, made.mask_BT, _unpack(part)[2])
            metrics["entropy"] = nats_per_token(logp_NT, made.mask_BT)
        metrics |= self._responses(part.prompts, made.ids_BT, made.mask_BT)
        greedy = self._answer(generator, part, Greedy())
        return metrics | self._truth(part, self._lines(greedy.ids_BT))

    def _sample(
        self, generator: Generator, part: PromptedSplit, setting: DecodingSetting
    ) -> Rollout:
        draw = Ancestral(setting.temperature, top_p=setting.top_p)
        with isolated(self._seed):
            return self._answer(generator, part, draw)

    @torch.no_grad()
    def _answer(self, generator: Generator, part: PromptedSplit, draw: Sampler) -> Rollout:
        blocks = [
            sample(generator, self.space, len(cond), draw, cond.to(self._device))
            for cond in _unpack(part)[2].split(AT_ONCE)
        ]
        ids_BT = torch.cat([block.ids_BT for block in blocks]).cpu()
        mask_BT = torch.cat([block.mask_BT for block in blocks]).cpu()
        return Rollout(ids_BT, ids_BT, mask_BT)

    def _log_probs(self, generator: Generator, temperature: float, *tensors: Tensor) -> Tensor:
        """`logp_NT` on the CPU of responses, given as ids, mask and prompts."""
        found = []
        for rows in torch.arange(len(tensors[0])).split(AT_ONCE):
            ids, mask, cond = (tensor[rows].to(self._device) for tensor in tensors)
            found.append(held_out_log_probs(generator, ids, mask, temperature, cond).cpu())
        return torch.cat(found)

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
        shift = _shift(len(part.responses))
        others = part.responses[shift:] + part.responses[:shift]
        return {
            "the prompt": {"copied": 1.0, **self._truth(part, part.prompts)},
            "response to another": {
                "copied": self._copied(part.prompts, others),
                **self._fitting(part.prompts, others),
                **self._truth(part, others),
            },
        }

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """The same prompts at every call, each with a sampled response."""
        part = _first(self._text.valid, SHOWN)
        made = self._lines(self._sample(generator, part, setting).ids_BT)
        prompts = (" ".join(line.split()) for line in part.prompts)
        return ShownLines([f"{x}  →  {y}" for x, y in zip(prompts, made, strict=True)])

    def _copied(self, prompts: list[str], lines: list[str]) -> float:
        pairs = ([self._text.canonical(line) for line in side] for side in (prompts, lines))
        return copied_share(*pairs)

    def _lines(self, ids_NT: Tensor) -> list[str]:
        return [self._text.tokenizer.decode(row) for row in ids_NT.tolist()]


def _unpack(part: PromptedSplit) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and mask of the responses, and the prompts."""
    batch = part.batch
    assert batch.mask is not None
    assert batch.cond is not None
    return batch.x, batch.mask, batch.cond


def _first(part: PromptedSplit, count: int) -> PromptedSplit:
    batch = Batch(*(tensor[:count] for tensor in _unpack(part)))
    return PromptedSplit(batch, part.prompts[:count], part.responses[:count])


def _shift(count: int) -> int:
    """How many rows away the other prompt or response is: far, since files may be sorted."""
    return max(1, count // 2)
