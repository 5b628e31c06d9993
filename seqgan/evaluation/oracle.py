"""Evaluation against an oracle: both densities are known, so divergences are too.

Per symbol, in nats (`jsd` is a sequence's):

    nll_oracle   E_G[−log p_oracle]     what the oracle thinks of samples; sharpening buys it
    nll_SPLIT    E_oracle[−log p_G]     held-out likelihood, the counterweight
    kl_forward   KL(oracle‖G)           kl_reverse   KL(G‖oracle)
    jsd          Jensen-Shannon, at most ln 2
    entropy      of the generator
    valid        share of samples that the oracle does not exclude
    unique       share of distinct samples

All but `valid`, `unique` and `nll_SPLIT` are exact sums where V^T is small enough to list, and
Monte-Carlo means otherwise.
"""

import torch
from PIL.Image import Image
from torch import Tensor

from seqgan.core.rng import isolated
from seqgan.core.types import Generator, SequenceSpace
from seqgan.data.oracle_samples import OracleSamples
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


class OracleEvaluator:
    """Measures generators, and the oracle's own samples for the real-data row."""

    def __init__(
        self, oracle: OracleDensity, samples: OracleSamples, device: torch.device, seed: int
    ) -> None:
        self.space = samples.space
        self._oracle = oracle
        self._seed = seed
        self._real = {
            "valid": samples.valid_NT.to(device),
            "test": samples.test_NT.to(device),
        }
        self._logp_of_real = {name: oracle.log_prob(ids) for name, ids in self._real.items()}
        self._listed_RT = _listed(samples.space, device)
        self._logp_listed_R = None if self._listed_RT is None else oracle.log_prob(self._listed_RT)
        self.notes: dict[str, object] = {
            "divergences": "exact" if self._listed_RT is not None else "Monte Carlo",
            "oracle_sequences": {name: len(ids) for name, ids in self._real.items()},
        }

    settings = staticmethod(temperatures_and_nuclei)

    def generated(
        self, generator: Generator, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        """Metrics of a generator."""
        ids_BT = self._sample(generator, samples, setting)
        logp_B = self._oracle.log_prob(ids_BT)
        metrics: Metrics = {"nll_oracle": -float(logp_B.mean()) / self.space.length}
        if setting.top_p == 1:
            metrics |= self._densities(generator, split, setting.temperature, ids_BT, logp_B)
        metrics["valid"] = float(logp_B.isfinite().float().mean())
        metrics["unique"] = len(ids_BT.unique(dim=0)) / len(ids_BT)
        return metrics

    def _sample(self, generator: Generator, rows: int, setting: DecodingSetting) -> Tensor:
        draw = Ancestral(setting.temperature, top_p=setting.top_p)
        with isolated(self._seed):
            return sample(generator, self.space, rows, draw).ids_BT

    def _densities(
        self,
        generator: Generator,
        split: str,
        temperature: float,
        ids_BT: Tensor,
        logp_of_fake: Tensor,
    ) -> Metrics:
        def log_q(ids: Tensor) -> Tensor:
            return sequence_log_probs(
                generator, ids, torch.ones_like(ids, dtype=torch.bool), temperature
            )

        length = self.space.length
        logq_of_real = log_q(self._real[split])
        metrics: Metrics = {f"nll_{split}": -float(logq_of_real.mean()) / length}
        if self._listed_RT is not None:
            assert self._logp_listed_R is not None
            logp_R, logq_R = self._logp_listed_R, log_q(self._listed_RT)
            divergences = exact_divergences(logp_R, logq_R)
            metrics["nll_oracle"] = _cross_entropy(logq_R, logp_R) / length
            metrics["entropy"] = _cross_entropy(logq_R, logq_R) / length
        else:
            logq_of_fake = log_q(ids_BT)
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
        ids_BT, logp_B = self._real[split][:samples], self._logp_of_real[split][:samples]
        own = -float(logp_B.mean()) / self.space.length
        logp_R = self._logp_listed_R
        entropy = own if logp_R is None else _cross_entropy(logp_R, logp_R) / self.space.length
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
        """Symbols as numbers."""
        ids_BT = self._sample(generator, SHOWN, setting)
        return ShownLines([" ".join(map(str, row)) for row in ids_BT.tolist()])

    def sheets(self, generator: Generator) -> dict[str, Image]:
        return {}


def _listed(space: SequenceSpace, device: torch.device) -> Tensor | None:
    if space.vocab_size**space.length > MAX_ENUMERATED:
        return None
    return all_sequences(space.vocab_size, space.length).to(device)


def _cross_entropy(loga_R: Tensor, logb_R: Tensor) -> float:
    """−Σ a log b over all sequences."""
    terms = loga_R.cpu().double().exp() * logb_R.cpu().double()
    return -float(torch.where(loga_R.cpu() == -torch.inf, 0.0, terms).sum())
