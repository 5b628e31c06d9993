"""What a critic's worth is measured with (`corrected.py`): held-out samples beside generated ones.

An evaluator of sentences, pictures or points draws both, under the same conditions where there are
any, and measures whatever makes samples: a generator, or one that a critic corrects.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self

from torch import Tensor

from seqgan.core.types import Batch
from seqgan.decoding.correction import Correction, Rule
from seqgan.evaluation.base import DecodingSetting, Evaluator, GeneratorT_contra, Metrics


class Drawn(Protocol):
    """Held-out samples, and generated ones with their log-probabilities where these are known.

    Under conditions the first sample has that of the first held-out one, and so on; behind the last
    one come the first ones again.
    """

    @property
    def conditional(self) -> bool:
        """Whether samples have conditions."""
        ...

    @property
    def possible_N(self) -> Tensor:
        """Which of all held-out samples the generator can make, as far as it is known; on the
        CPU."""
        ...

    @property
    def fake(self) -> Batch | None:
        """The generated samples; None where none were asked for."""
        ...

    @property
    def logp_real_NT(self) -> Tensor | None:
        """In nats, of the held-out samples; None where there is no density."""
        ...

    @property
    def logp_fake_NT(self) -> Tensor | None:
        """The same of the generated ones."""
        ...

    def held_out(self, rows_R: Tensor) -> Batch:
        """The held-out samples of these rows, as a critic reads them."""
        ...

    def without_own_likelihood(self) -> Self:
        """The same, as if the log-probabilities of the generated ones were not known."""
        ...


class CorrectableEvaluator(Evaluator[GeneratorT_contra]):
    """Measures a generator, and its correction by a critic in the same way.

    A *source* is what makes the samples: see `plain` and `corrected`.
    """

    unit: str
    """What one sample is: sentence, picture, point."""
    lowered: str
    """What a correction lowers, in nats per `unit`."""

    @abstractmethod
    def plain(self, generator: GeneratorT_contra, setting: DecodingSetting) -> Any:
        """A generator as a source."""

    @abstractmethod
    def corrected(
        self,
        generator: GeneratorT_contra,
        correction: Correction,
        rule: Rule,
        f_fake_M: Tensor,
        advance: Callable[[int], None],
    ) -> Any:
        """A generator that a critic corrects as a source. `f_fake_M` are the log weights of fresh
        samples of the generator; `advance` is told how many more have been drawn."""

    @abstractmethod
    def draw(self, source: Any, split: str, samples: int) -> Drawn:
        """Samples of a source beside those of a split, for each split always the same. Without
        `samples` there are only the held-out ones, with their likelihood where there is one."""

    @abstractmethod
    def measure(self, drawn: Any, split: str) -> Metrics:
        """Metrics of what `draw` returned; none where that is nothing to measure."""

    @abstractmethod
    def lines(self, source: Any, rows: int) -> list[str]:
        """A few samples as lines; none where samples are no text."""

    def generated(
        self, generator: GeneratorT_contra, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        return self.measure(self.draw(self.plain(generator, setting), split, samples), split)
