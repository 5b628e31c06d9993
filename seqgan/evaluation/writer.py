"""What evaluators of sentences measure: whatever writes them and may say how likely they are.

A generator at a decoding setting is a writer, and so is one that a critic corrects.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from seqgan.core.batches import take
from seqgan.core.types import Batch, Generator, Rollout, SequenceSpace
from seqgan.decoding import Ancestral, Greedy, held_out_log_probs, sample
from seqgan.decoding.correction import CorrectedGenerator, Correction, Rule
from seqgan.evaluation.base import (
    DecodingSetting,
    Metrics,
    ShownLines,
    temperatures_and_nuclei,
)
from seqgan.evaluation.config import SHOWN
from seqgan.evaluation.correctable import CorrectableEvaluator


class Writer(Protocol):
    """Writes sentences and knows their likelihood."""

    @property
    def normalised(self) -> bool:
        """Whether probabilities of all sequences sum to 1, rather than nearly."""
        ...

    def sample(self, rows: int, cond: Tensor | None = None) -> Rollout:
        """So many sentences, a row for each of `cond` where there are prompts."""
        ...

    def log_probs(self, batch: Batch) -> Tensor | None:
        """`logp_NT` in nats, 0 behind the ends; None where there is no density."""
        ...

    def greedy(self, cond: Tensor) -> Rollout | None:
        """The likeliest token at every step, behind each prompt; None where no step has one."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """A generator at a decoding setting."""

    generator: Generator
    space: SequenceSpace
    setting: DecodingSetting

    @property
    def normalised(self) -> bool:
        return True

    def sample(self, rows: int, cond: Tensor | None = None) -> Rollout:
        draw = Ancestral(self.setting.temperature, top_p=self.setting.top_p)
        return sample(self.generator, self.space, rows, draw, cond)

    def log_probs(self, batch: Batch) -> Tensor | None:
        if self.setting.top_p < 1 or not self.generator.has_density:
            return None
        assert batch.mask is not None, "sentences have masks"
        temperature, cond = self.setting.temperature, batch.cond
        return held_out_log_probs(self.generator, batch.x, batch.mask, temperature, cond)

    def greedy(self, cond: Tensor) -> Rollout | None:
        return sample(self.generator, self.space, len(cond), Greedy(), cond)


@dataclass(frozen=True, slots=True)
class Draws:
    """Held-out sentences beside a writer's own, and its log-probabilities of both, on the CPU; see
    `Drawn`. Where there are prompts they are the conditions."""

    writer: Writer
    real: Batch
    fake: Batch | None
    """None where the writer was not asked to write."""
    logp_real_NT: Tensor | None
    """None where the writer has no density."""
    logp_fake_NT: Tensor | None

    @classmethod
    def beside(cls, real: Batch, writer: Writer, written: Rollout | None) -> "Draws":
        """What a writer wrote, beside held-out sentences."""
        logp_real_NT, fake, logp_fake_NT = writer.log_probs(real), None, None
        if written is not None:
            fake = Batch(written.ids_BT, written.mask_BT, written.cond)
            logp_fake_NT = writer.log_probs(fake)
        return cls(writer, real, fake, _on_cpu(logp_real_NT), _on_cpu(logp_fake_NT))

    @property
    def conditional(self) -> bool:
        return self.real.cond is not None

    @property
    def possible_N(self) -> Tensor:
        if self.logp_real_NT is None:
            return torch.ones(len(self.real.x), dtype=torch.bool)
        return self.logp_real_NT.sum(1).isfinite()

    def held_out(self, rows_R: Tensor) -> Batch:
        return take(self.real, rows_R.to(self.real.x.device))

    def without_own_likelihood(self) -> Self:
        return replace(self, logp_fake_NT=None)


def _on_cpu(logp_NT: Tensor | None) -> Tensor | None:
    return None if logp_NT is None else logp_NT.cpu()


class WriterEvaluator(CorrectableEvaluator[Generator]):
    """Measures any writer of sentences."""

    unit = "sentence"
    lowered = "held-out nll"
    space: SequenceSpace
    unk_id: int | None = None
    """The token that stands for all words that the vocabulary lacks; None: there is none."""
    settings = staticmethod(temperatures_and_nuclei)

    @abstractmethod
    def draw(self, writer: Writer, split: str, samples: int) -> Draws:
        """Samples of a writer beside the sentences of a split, for each split always the same.
        Without `samples` it only says how likely these are."""

    @abstractmethod
    def measure(self, draws: Draws, split: str) -> Metrics:
        """Metrics of a writer."""

    @abstractmethod
    def written(self, writer: Writer, rows: int) -> ShownLines:
        """A few samples of a writer."""

    def plain(self, generator: Generator, setting: DecodingSetting) -> Decoded:
        return Decoded(generator, self.space, setting)

    def corrected(
        self,
        generator: Generator,
        correction: Correction,
        rule: Rule,
        f_fake_M: Tensor,
        advance: Callable[[int], None],
    ) -> CorrectedGenerator:
        return CorrectedGenerator(
            generator, correction, self.space, rule, f_fake_M, self.unk_id, advance
        )

    def lines(self, writer: Writer, rows: int) -> list[str]:
        return list(self.written(writer, rows).lines)

    def show(self, generator: Generator, setting: DecodingSetting) -> ShownLines:
        return self.written(self.plain(generator, setting), SHOWN)
