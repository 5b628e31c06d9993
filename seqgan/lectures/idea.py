"""An idea of the lectures: its text in both languages, and how it is played and measured."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgan.lectures.stage import Stage


@dataclass(frozen=True)
class Said:
    """A text in English and in Chinese, the course's language."""

    en: str
    zh: str

    @classmethod
    def both(cls, symbols: str) -> "Said":
        """What reads the same in both, such as a formula without words."""
        return cls(symbols, symbols)


def shown(value: float) -> str:
    """A measured number or a bound, with as many digits as a reader wants."""
    return f"{value:.4g}"


@dataclass(frozen=True)
class Finding:
    """A measured number, and where the lectures say that it lies."""

    what: Said
    """Such as "share of samples that go left", "往左的樣本比例"."""
    value: float
    """`inf` for the time of something that did not happen within the run."""
    at_least: float | None = None
    at_most: float | None = None
    """Without bounds: measured for the reader, nothing is expected."""

    @property
    def holds(self) -> bool:
        """Whether the number is where it should be; NaN never is, unless nothing is expected."""
        low, high = self.at_least, self.at_most
        return (low is None or self.value >= low) and (high is None or self.value <= high)

    @property
    def measured(self) -> Said:
        """The value as it is printed."""
        if self.value == math.inf:
            return Said("never", "始終沒有")
        return Said.both(shown(self.value))

    @property
    def expected(self) -> Said | None:
        """`0.3 to 0.7`, `at least 0.9`, `at most 2`; none where nothing is expected."""
        low, high = self.at_least, self.at_most
        if low is None:
            return None if high is None else Said(f"at most {shown(high)}", f"至多 {shown(high)}")
        if high is None:
            return Said(f"at least {shown(low)}", f"至少 {shown(low)}")
        if shown(low) == shown(high):
            return Said.both(shown(low))
        return Said(f"{shown(low)} to {shown(high)}", f"{shown(low)} 到 {shown(high)}")


def missed_of_expected(findings: Iterable[Finding]) -> tuple[int, int]:
    """How many findings are not where they should be, and of how many something is expected."""
    expected = [finding for finding in findings if finding.expected]
    return sum(not finding.holds for finding in expected), len(expected)


@dataclass(frozen=True)
class Idea:
    """A row of the lectures."""

    number: int
    """Its place in the course."""
    title: Said
    idea: Said
    """Two sentences."""
    equation: Said
    """One line of plain text."""
    play: "Callable[[Stage], list[Finding]]"
    """Trains and measures on a stage, draws its pictures there, and returns what was found."""
