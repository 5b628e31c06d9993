"""Which numbers a field can hold: those that 32-bit arithmetic holds too."""

import math
from numbers import Integral, Real
from typing import Annotated, TypeGuard

from pydantic import Field
from pydantic_core import PydanticCustomError

from seqgan.core.errors import UserError

_SMALLEST, _LARGEST = 1.2e-38, 3.4e38
"""Of float32, without the numbers near 0 that have lost digits."""
LARGEST_SEED = 2**32 - 1
"""No size or count comes near it."""
MOST_ROWS = 2**31
"""Samples that are asked for at once."""

COLDEST, HOTTEST = 1e-6, 1e6
"""Temperatures. Colder is greedy in float32 anyway, until logits divided by it overflow."""
Temperature = Annotated[float, Field(ge=COLDEST, le=HOTTEST)]

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Layers = Annotated[int, Field(gt=0, le=1_000)]
"""Layers of a network, each built behind the last; more would be built for hours."""
LONGEST = 100_000
"""Columns of a sequence, which are written and read one after the other."""
Length = Annotated[int, Field(gt=0, le=LONGEST)]
Sampled = Annotated[int, Field(gt=0, le=10_000_000)]
"""Samples of a set that is drawn before training begins."""
Repeats = Annotated[int, Field(gt=0, le=10_000)]
"""How often something is done within one step, which nothing interrupts."""


def check_numbers(value: object) -> object:
    """Return a field's value. Raises what pydantic collects for a number that is out of range."""
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, float) and number and not _SMALLEST <= abs(number) <= _LARGEST:
            raise _out_of_range(f"use a number from {_SMALLEST} to {_LARGEST}")
        if isinstance(number, int) and abs(number) > LARGEST_SEED:
            raise _out_of_range(f"at most {LARGEST_SEED} is possible")
    return value


def _out_of_range(remedy: str) -> PydanticCustomError:
    return PydanticCustomError("out_of_range", "out of range; {remedy}", {"remedy": remedy})


def check_range(
    least: float, most: float = math.inf, *, whole: bool = False, **arguments: object
) -> None:
    """Raise `UserError` for the first argument, given by its name, that is no number from `least`
    to `most`, or no whole one."""
    kind = "a whole number" if whole else "a number"
    allowed = f"from {least} to {most}" if most < math.inf else f"of at least {least}"
    for name, value in arguments.items():
        if not (_is_number(value, whole) and least <= value <= most):
            raise UserError(f"{name}={value!r}: use {kind} {allowed}")


def check_sampling(
    temperature: object = 1.0, top_p: object = 1.0, rows: object = 1, seed: object = 0
) -> None:
    """Raise `UserError` where samples cannot be drawn with these settings."""
    if not (_is_number(temperature) and COLDEST <= temperature <= HOTTEST):
        raise UserError(f"temperature={temperature!r}: use a number from 1e-6 to 1e6")
    if not (_is_number(top_p) and 0 < top_p <= 1):
        raise UserError(f"top_p={top_p!r}: must be above 0 and at most 1")
    check_range(1, MOST_ROWS, whole=True, rows=rows)
    check_range(0, LARGEST_SEED, whole=True, seed=seed)


def _is_number(value: object, whole: bool = False) -> TypeGuard[float]:
    return isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
