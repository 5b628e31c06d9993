"""Which numbers a field can hold: those that 32-bit arithmetic holds too."""

from typing import Annotated

from pydantic import Field
from pydantic_core import PydanticCustomError

from seqgan.core.errors import UserError

_SMALLEST, _LARGEST = 1.2e-38, 3.4e38
"""Of float32, without the numbers near 0 that have lost digits."""
_LARGEST_INTEGER = 2**32 - 1
"""The largest seed; no size or count comes near it."""

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
        if isinstance(number, int) and abs(number) > _LARGEST_INTEGER:
            raise _out_of_range(f"at most {_LARGEST_INTEGER} is possible")
    return value


def _out_of_range(remedy: str) -> PydanticCustomError:
    return PydanticCustomError("out_of_range", "out of range; {remedy}", {"remedy": remedy})


def check_sampling(temperature: float, top_p: float) -> None:
    """Raise `UserError` unless these are a temperature and the mass of a nucleus."""
    if not COLDEST <= temperature <= HOTTEST:
        raise UserError(f"temperature={temperature}: use a number from 1e-6 to 1e6")
    if not 0 < top_p <= 1:
        raise UserError(f"top_p={top_p}: must be above 0 and at most 1")
