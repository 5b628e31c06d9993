"""Evaluation against an oracle: both densities are known, so divergences are too.

In nats per token (`jsd` per sequence):

    nll_oracle   E_G[−log p_oracle]     a generator with less entropy gets a lower one
    nll_SPLIT    E_oracle[−log p_G]     held-out likelihood, which rises when modes are dropped
    kl_forward   KL(oracle‖G)           kl_reverse   KL(G‖oracle)
    jsd          Jensen-Shannon, at most ln 2
    entropy      of the generator
    valid        share of samples that the oracle does not exclude
    unique       share of distinct samples

With prompts c each is a mean over the held-out prompts: KL(oracle‖G) = E_c KL(p(·|c) ‖ q(·|c)).

All but `valid`, `unique` and `nll_SPLIT` are exact sums where all sequences after all distinct
prompts can be listed, and Monte-Carlo means otherwise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Generator, SequenceSpace
from seqgan.decoding import Ancestral, sample, sequence_log_probs
from seqgan.evaluation.base import (
    DecodingSetting,
    Evaluator,
    Metrics,
    OracleDensity,
    ShownLines,
    temperatures_and_nuclei,
)
from seqgan.evaluation.config import SHOWN
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


class OracleEvaluator(Evaluator[Generator]):
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
        metrics |= {name: divergences[name] / length for name in ("kl_forward", "kl_reverse")}
        return metrics | {"jsd": divergences["jsd"]}

    def real(self, split: str, samples: int) -> Metrics:
        """The oracle's own samples: what a perfect generator would get."""
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
            **dict.fromkeys(("kl_forward", "kl_reverse", "jsd"), 0.0),
            "valid": float(logp_B.isfinite().float().mean()),
            "unique": len(ids_BT.unique(dim=0)) / len(ids_BT),
        }

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        """Tokens as numbers, behind their prompts."""
        fake = self._sample(generator, "valid", SHOWN, setting)
        lines = _as_text(fake.x)
        if fake.cond is not None:
            prompts = _as_text(fake.cond)
            lines = [f"{prompt}  →  {line}" for prompt, line in zip(prompts, lines, strict=True)]
        return ShownLines(lines)


def _as_text(ids_BT: Tensor) -> list[str]:
    return [" ".join(map(str, row)) for row in ids_BT.tolist()]


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
