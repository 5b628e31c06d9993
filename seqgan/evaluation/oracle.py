"""Evaluation against an oracle: both densities are known, so divergences are too.

Per token, in nats (`jsd` is a sequence's):

    nll_oracle   E_G[−log p_oracle]     what the oracle thinks of samples; sharpening buys it
    nll_SPLIT    E_oracle[−log p_G]     held-out likelihood, the counterweight
    kl_forward   KL(oracle‖G)           kl_reverse   KL(G‖oracle)
    jsd          Jensen-Shannon, at most ln 2
    entropy      of the generator
    valid        share of samples that the oracle does not exclude
    unique       share of distinct samples

Of a conditional oracle everything is about answers given their prompts, averaged over the held-out
prompts, each as often as it occurs: KL(oracle‖G) = E_c KL(p(· | c)‖q(· | c)), and so on.

All but `valid`, `unique` and `nll_SPLIT` are exact sums where V^T, times the number of distinct
prompts, is small enough to list, and Monte-Carlo means otherwise.
"""

from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Generator, SequenceSpace
from seqgan.decoding import Ancestral, sample, sequence_log_probs
from seqgan.evaluation.base import Metrics, OracleDensity, ShownLines
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.decoding_grid import DecodingSetting, temperatures_and_nuclei
from seqgan.metrics.divergence import (
    MAX_ENUMERATED,
    all_sequences,
    exact_divergences,
    sampled_divergences,
)


@dataclass(frozen=True, slots=True)
class _Listing:
    """Every sequence, after every distinct prompt where there are prompts."""

    batch: Batch
    logp_R: Tensor
    """The oracle's log-probability of the sequence, given its prompt."""
    log_weight_R: Tensor
    """The log of its prompt's share of the held-out data; 0 without prompts."""


class OracleEvaluator:
    """Measures generators, and the oracle's own samples for the real-data row.

    `real` are the oracle's samples, with their prompts where it answers any, by split.
    """

    def __init__(
        self, oracle: OracleDensity, space: SequenceSpace, real: dict[str, Batch], seed: int
    ) -> None:
        self.space = space
        self._oracle = oracle
        self._seed = seed
        self._real = real
        self._logp_of_real = {
            name: oracle.log_prob(part.x, part.cond) for name, part in real.items()
        }
        self._listings = _list_all(oracle, space, real)
        exact = None not in self._listings.values()
        self.notes: dict[str, object] = {
            "divergences": "exact" if exact else "Monte Carlo",
            "oracle_sequences": {name: len(part.x) for name, part in real.items()},
        }

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of a generator."""
        fake = self._sample(generator, split, samples, setting)
        logp_B = self._oracle.log_prob(fake.x, fake.cond)
        metrics: Metrics = {"nll_oracle": -float(logp_B.mean()) / self.space.length}
        if setting.top_p == 1:
            metrics |= self._densities(generator, split, setting.temperature, fake, logp_B)
        metrics["valid"] = float(logp_B.isfinite().float().mean())
        metrics["unique"] = len(fake.x.unique(dim=0)) / len(fake.x)
        return metrics

    def _sample(
        self, generator: Generator, split: str, rows: int, setting: DecodingSetting
    ) -> Batch:
        """With prompts: answers to those of the split, again from the first where they run out."""
        cond = self._real[split].cond
        if cond is not None:
            cond = cond[torch.arange(rows, device=cond.device) % len(cond)]
        draw = Ancestral(setting.temperature, top_p=setting.top_p)
        with isolated(self._seed):
            rollout = sample(generator, self.space, rows, draw, cond)
        return Batch(rollout.ids_BT, rollout.mask_BT, cond)

    def _densities(
        self,
        generator: Generator,
        split: str,
        temperature: float,
        fake: Batch,
        logp_of_fake: Tensor,
    ) -> Metrics:
        def log_q(part: Batch) -> Tensor:
            assert part.mask is not None
            return sequence_log_probs(generator, part.x, part.mask, temperature, part.cond)

        length = self.space.length
        logq_of_real = log_q(self._real[split])
        metrics: Metrics = {f"nll_{split}": -float(logq_of_real.mean()) / length}
        listing = self._listings[split]
        if listing is not None:
            logq_R, weight_R = log_q(listing.batch), listing.log_weight_R
            divergences = exact_divergences(listing.logp_R + weight_R, logq_R + weight_R)
            metrics["nll_oracle"] = _cross_entropy(logq_R + weight_R, listing.logp_R) / length
            metrics["entropy"] = _cross_entropy(logq_R + weight_R, logq_R) / length
        else:
            logq_of_fake = log_q(fake)
            divergences = sampled_divergences(
                self._logp_of_real[split], logq_of_real, logp_of_fake, logq_of_fake
            )
            metrics["entropy"] = -float(logq_of_fake.mean()) / length
        metrics["kl_forward"] = divergences["kl_forward"] / length
        metrics["kl_reverse"] = divergences["kl_reverse"] / length
        metrics["jsd"] = divergences["jsd"]
        return metrics

    def real(self, split: str, samples: int) -> Metrics:
        """The oracle's own samples held against it: what a perfect generator would get."""
        ids_BT, logp_B = self._real[split].x[:samples], self._logp_of_real[split][:samples]
        own = -float(logp_B.mean()) / self.space.length
        entropy, listing = own, self._listings[split]
        if listing is not None:
            logp_R = listing.logp_R
            entropy = _cross_entropy(logp_R + listing.log_weight_R, logp_R) / self.space.length
        return {
            "nll_oracle": entropy,
            f"nll_{split}": own,
            "entropy": entropy,
            "kl_forward": 0.0,
            "kl_reverse": 0.0,
            "jsd": 0.0,
            "valid": float(logp_B.isfinite().float().mean()),
            "unique": len(ids_BT.unique(dim=0)) / len(ids_BT),
        }

    def baselines(self, split: str, samples: int) -> dict[str, Metrics]:
        return {}

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """Tokens as numbers, behind their prompts."""
        fake = self._sample(generator, "valid", SHOWN, setting)
        lines = [" ".join(map(str, row)) for row in fake.x.tolist()]
        if fake.cond is not None:
            prompts = [" ".join(map(str, row)) for row in fake.cond.tolist()]
            lines = [f"{prompt}  →  {line}" for prompt, line in zip(prompts, lines, strict=True)]
        return ShownLines(lines)

    def sheets(self, generator: Generator) -> dict[str, Image]:
        return {}


def _list_all(
    oracle: OracleDensity, space: SequenceSpace, real: dict[str, Batch]
) -> dict[str, _Listing | None]:
    """By split; None where there is too much to list."""
    if any(part.cond is not None for part in real.values()):
        return {name: _listing(oracle, space, part) for name, part in real.items()}
    return dict.fromkeys(real, _listing(oracle, space, next(iter(real.values()))))


def _listing(oracle: OracleDensity, space: SequenceSpace, real: Batch) -> _Listing | None:
    count, device = space.vocab_size**space.length, real.x.device
    if count > MAX_ENUMERATED:
        return None
    ids_RT = all_sequences(space.vocab_size, space.length)
    log_weight_R, cond = torch.zeros(count), None
    if real.cond is not None:
        prompts, occurrences = real.cond.cpu().unique(dim=0, return_counts=True)
        if count * len(prompts) > MAX_ENUMERATED:
            return None
        ids_RT = ids_RT.repeat(len(prompts), 1)
        cond = prompts.repeat_interleave(count, 0).to(device)
        log_weight_R = (occurrences / len(real.x)).log().repeat_interleave(count)
    ids_RT = ids_RT.to(device)
    batch = Batch(ids_RT, torch.ones_like(ids_RT, dtype=torch.bool), cond)
    return _Listing(batch, oracle.log_prob(ids_RT, cond), log_weight_R.to(device))


def _cross_entropy(loga_R: Tensor, logb_R: Tensor) -> float:
    """−Σ a log b over all sequences."""
    terms = loga_R.cpu().double().exp() * logb_R.cpu().double()
    return -float(torch.where(loga_R.cpu() == -torch.inf, 0.0, terms).sum())
