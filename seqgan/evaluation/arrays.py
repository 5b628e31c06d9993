"""What evaluators of pictures and of points have in common: samples without a density."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from seqgan.core.batches import spread
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, DirectGenerator
from seqgan.decoding import generate
from seqgan.decoding.correction import Correction, Rule, generate_corrected
from seqgan.evaluation.base import DecodingSetting, Metrics, drawing_seed, temperatures
from seqgan.evaluation.correctable import CorrectableEvaluator


class Source(Protocol):
    """Makes pictures or points."""

    def sample(self, rows: int, cond: Tensor | None = None) -> Tensor:
        """So many samples `x`, a row for each of `cond` where there are conditions."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """A direct generator at a temperature."""

    generator: DirectGenerator
    setting: DecodingSetting

    def sample(self, rows: int, cond: Tensor | None = None) -> Tensor:
        return generate(self.generator, rows, self.setting.temperature, cond)


@dataclass(frozen=True, slots=True)
class Corrected:
    """One that a critic corrects."""

    generator: DirectGenerator
    correction: Correction
    rule: Rule
    advance: Callable[[int], None]

    def sample(self, rows: int, cond: Tensor | None = None) -> Tensor:
        kept, _ = generate_corrected(
            self.generator, self.correction, rows, self.rule, cond, self.advance
        )
        return kept


@dataclass(frozen=True, slots=True)
class ArrayDraws:
    """Held-out samples beside made ones; see `Drawn`."""

    fake: Batch | None
    count: int
    """Held-out samples."""
    conditional: bool
    read: Callable[[Tensor], Batch]
    """The held-out samples of these rows, on the device of the made ones: large, and not always
    needed."""
    logp_real_NT: None = None
    logp_fake_NT: None = None

    @property
    def possible_N(self) -> Tensor:
        return torch.ones(self.count, dtype=torch.bool)

    def held_out(self, rows_R: Tensor) -> Batch:
        return self.read(rows_R)

    def without_own_likelihood(self) -> Self:
        return self


class ArrayEvaluator(CorrectableEvaluator[DirectGenerator]):
    """Measures direct generators."""

    _seed: int
    _most: int | None = None
    """Samples that are made at once at most; None: as many as are asked for."""
    settings = staticmethod(temperatures)

    @abstractmethod
    def count(self, split: str) -> int:
        """Samples of a split."""

    @abstractmethod
    def held_out(self, split: str, rows_R: Tensor) -> Batch:
        """Samples of a split as networks read them, with their conditions, on the CPU."""

    @abstractmethod
    def measure(self, drawn: ArrayDraws, split: str) -> Metrics:
        """Metrics of made samples."""

    def conditions(self, split: str) -> Tensor | None:
        """Those of the samples of a split; None where there are none."""
        return None

    def plain(self, generator: DirectGenerator, setting: DecodingSetting) -> Plain:
        return Plain(generator, setting)

    def corrected(
        self,
        generator: DirectGenerator,
        correction: Correction,
        rule: Rule,
        f_fake_M: Tensor,
        advance: Callable[[int], None],
    ) -> Corrected:
        return Corrected(generator, correction, rule, advance)

    def draw(self, source: Source, split: str, samples: int) -> ArrayDraws:
        """Of fewer samples than there are held-out ones, both are under the same conditions, which
        are spread over all of these."""
        cond = self.conditions(split)
        rows = samples if self._most is None else min(samples, self._most)
        real_R = spread(self.count(split), rows if rows and cond is not None else None)
        fake = None
        if rows:
            asked = None if cond is None else cond[real_R[torch.arange(rows) % len(real_R)]]
            with isolated(drawing_seed(self._seed, split)):
                x = source.sample(rows, asked)
            fake = Batch(x, None, None if asked is None else asked.to(x.device))
        device = torch.device("cpu") if fake is None else fake.x.device

        def read(rows_R: Tensor) -> Batch:
            real = self.held_out(split, real_R[rows_R])
            return Batch(
                real.x.to(device), None, None if real.cond is None else real.cond.to(device)
            )

        return ArrayDraws(fake, len(real_R), cond is not None, read)

    def lines(self, source: Source, rows: int) -> list[str]:
        return []
