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
A writer that does not know the normaliser of each prompt has bounds of its likelihood there
(`decoding/correction.py`), and divergences only where they are exact.

All but `valid`, `unique` and `nll_SPLIT` are exact sums where all sequences after all distinct
prompts can be listed, and Monte-Carlo means otherwise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.enumeration import MAX_ENUMERATED, all_sequences
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Rollout, SequenceSpace
from seqgan.evaluation.base import Metrics, OracleDensity, ShownLines, drawing_seed
from seqgan.evaluation.writer import Draws, Writer, WriterEvaluator
from seqgan.metrics.divergence import exact_divergences, sampled_divergences


@dataclass(frozen=True, slots=True)
class _Listing:
    """Every sequence, after every distinct prompt where there are prompts."""

    batch: Batch
    logp_R: Tensor
    """The oracle's log-probability of the sequence, given its prompt."""
    log_weight_R: Tensor
    """The log of its prompt's share of the held-out data; 0 without prompts."""
    prompts: int = 1
    """How many there are, with as many rows each, one after the other."""


class OracleEvaluator(WriterEvaluator):
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

    def draw(self, writer: Writer, split: str, samples: int) -> Draws:
        """With prompts: answers to those of the split, again from the first where they run out."""
        written = self._sample(writer, split, samples) if samples else None
        return Draws.beside(self._real[split], writer, written)

    def _sample(self, writer: Writer, split: str, rows: int) -> Rollout:
        cond = self._real[split].cond
        if cond is not None:
            cond = cond[torch.arange(rows, device=cond.device) % len(cond)]
        with isolated(drawing_seed(self._seed, split)):
            return writer.sample(rows, cond)

    def measure(self, draws: Draws, split: str) -> Metrics:
        fake = draws.fake
        metrics: Metrics = {}
        if draws.logp_real_NT is not None:
            nats = -float(draws.logp_real_NT.sum(1).mean())
            metrics[f"nll_{split}"] = nats / self.space.length
        if fake is None:
            return metrics
        logp_B = self._oracle.log_prob(fake.x, fake.cond)
        metrics = {"nll_oracle": -float(logp_B.mean()) / self.space.length, **metrics}
        if draws.logp_real_NT is not None and draws.logp_fake_NT is not None:
            logq_of_real, logq_of_fake = draws.logp_real_NT.sum(1), draws.logp_fake_NT.sum(1)
            listing = self._listings[split]
            if listing is not None:
                metrics |= self._exact(draws.writer, listing)
            elif draws.writer.normalised or fake.cond is None:
                metrics |= self._sampled(split, logq_of_real, logp_B, logq_of_fake)
        metrics["valid"] = float(logp_B.isfinite().float().mean())
        metrics["unique"] = len(fake.x.unique(dim=0)) / len(fake.x)
        return metrics

    def _exact(self, writer: Writer, listing: _Listing) -> Metrics:
        """Sums over all sequences."""
        logq_RT = writer.log_probs(listing.batch)
        assert logq_RT is not None, "the writer has a density"
        weight_R, logp_R = listing.log_weight_R.cpu(), listing.logp_R.cpu()
        logq_R = logq_RT.cpu().sum(1)
        if not writer.normalised:
            logq_R = logq_R.view(listing.prompts, -1).log_softmax(1).flatten()
        return {
            "nll_oracle": _cross_entropy(logq_R + weight_R, logp_R) / self.space.length,
            "entropy": _cross_entropy(logq_R + weight_R, logq_R) / self.space.length,
            **self._per_token(exact_divergences(logp_R + weight_R, logq_R + weight_R)),
        }

    def _sampled(
        self, split: str, logq_of_real: Tensor, logp_of_fake: Tensor, logq_of_fake: Tensor
    ) -> Metrics:
        """Monte-Carlo means."""
        logp_of_real = self._logp_of_real[split]
        found = sampled_divergences(logp_of_real, logq_of_real, logp_of_fake, logq_of_fake)
        entropy = -float(logq_of_fake.mean()) / self.space.length
        return {"entropy": entropy, **self._per_token(found)}

    def _per_token(self, divergences: dict[str, float]) -> Metrics:
        kls = {name: divergences[name] for name in ("kl_forward", "kl_reverse")}
        per_token: Metrics = {name: kl / self.space.length for name, kl in kls.items()}
        return per_token | {"jsd": divergences["jsd"]}

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

    def written(self, writer: Writer, rows: int) -> ShownLines:
        """Tokens as numbers, behind their prompts."""
        fake = self._sample(writer, "valid", rows)
        lines = _as_text(fake.ids_BT)
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
    log_weight_R, cond, distinct = torch.zeros(count), None, 1
    if real.cond is not None:
        prompts, occurrences = real.cond.cpu().unique(dim=0, return_counts=True)
        distinct = len(prompts)
        if count * distinct > MAX_ENUMERATED:
            return None
        ids_RT = ids_RT.repeat(distinct, 1)
        cond = prompts.repeat_interleave(count, 0).to(device)
        log_weight_R = (occurrences / len(real.x)).log().repeat_interleave(count)
    ids_RT = ids_RT.to(device)
    batch = Batch(ids_RT, torch.ones_like(ids_RT, dtype=torch.bool), cond)
    return _Listing(batch, oracle.log_prob(ids_RT, cond), log_weight_R.to(device), distinct)


def _cross_entropy(loga_R: Tensor, logb_R: Tensor) -> float:
    """−Σ a log b over all sequences."""
    terms = loga_R.cpu().double().exp() * logb_R.cpu().double()
    return -float(torch.where(loga_R.cpu() == -torch.inf, 0.0, terms).sum())
