"""Means over seeds and what may honestly be said about their spread.

From five seeds up a mean carries its 95 % t-interval, m ± t(0.975, n-1)·s/√n. Below five that
interval is too wide and too fragile to be read as one, so the range (minimum to maximum) stands
there instead. A single value has neither.

Values come from JSON: numbers, None (could not be computed), or the strings "inf" and "-inf".
An infinite value makes the mean infinite; a missing one is left out. Both are counted.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Value = float | str | None

SEEDS_FOR_AN_INTERVAL = 5
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """The mean of one metric over seeds, and the interval that goes with it."""

    mean: float | None
    """None where no value is present."""
    low: float | None
    high: float | None
    n: int
    """Finite values that went into it."""
    kind: Literal["t95", "range", "single", "infinite", "missing"]
    total: int
    """Values given, missing ones included."""
    infinite: int = 0


def number(value: Value) -> float | None:
    """A JSON value as a float; None where it is missing, NaN or not a number."""
    if value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(result) else result


def mean(values: list[float]) -> float:
    """The arithmetic mean; infinities of both signs give NaN."""
    return sum(values) / len(values)


def sample_sd(values: list[float]) -> float:
    """The standard deviation with n-1 in the denominator; needs two values."""
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def summarise(values: Iterable[Value]) -> Summary:
    """Mean and interval of the values of one metric, one per seed."""
    given = list(values)
    present = [x for x in map(number, given) if x is not None]
    finite = [x for x in present if math.isfinite(x)]
    infinite, total = len(present) - len(finite), len(given)
    if infinite:
        return Summary(mean(present), None, None, len(finite), "infinite", total, infinite)
    if not finite:
        return Summary(None, None, None, 0, "missing", total)
    centre = mean(finite)
    if len(finite) == 1:
        return Summary(centre, None, None, 1, "single", total)
    if len(finite) < SEEDS_FOR_AN_INTERVAL:
        return Summary(centre, min(finite), max(finite), len(finite), "range", total)
    from scipy.special import stdtrit  # a third of a second that training need not wait

    quantile = float(stdtrit(len(finite) - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * sample_sd(finite) / math.sqrt(len(finite))
    return Summary(centre, centre - half, centre + half, len(finite), "t95", total)


def paired_difference(
    values_by_seed: Mapping[int, Value], baseline_by_seed: Mapping[int, Value]
) -> Summary:
    """Value minus baseline, seed by seed, over the seeds that both arms have."""
    seeds = sorted(values_by_seed.keys() & baseline_by_seed.keys())
    return summarise(_difference(values_by_seed[s], baseline_by_seed[s]) for s in seeds)


def _difference(value: Value, baseline: Value) -> float | None:
    a, b = number(value), number(baseline)
    return None if a is None or b is None else a - b  # inf - inf is NaN, which counts as missing
