"""Numbers that change with updates: temperatures, weights, probabilities, learning rates.

In YAML a plain number is constant, and a mapping goes from `start` to `end`:

    temperature: 1.0
    temperature: {start: 1.0, end: 0.3, steps: 300, shape: exponential}

    value(u) = start + s·(end − start)        linear
    value(u) = start · (end / start)^s        exponential,       s = clip((u − after) / steps, 0, 1)
"""

from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from seqgan.core.config import Config
from seqgan.core.numbers import Temperature

Value = TypeVar("Value", bound=float)
"""The range of the number, e.g. `Annotated[float, Field(ge=0)]`."""


class Schedule(Config, Generic[Value]):
    """A number for each update; see the module's docstring.

    >>> Schedule[float](start=1.0, end=0.0, steps=4).at(1)
    0.75
    """

    start: Value
    """Value of the first update."""
    end: Value
    """Value from update `after + steps` on."""
    steps: Annotated[int, Field(gt=0)] = 1
    """Updates from `start` to `end`."""
    shape: Literal["linear", "exponential"] = "linear"
    """Whether each update adds the same amount or multiplies by the same factor."""
    after: Annotated[int, Field(ge=0)] = 0
    """Updates before the value starts to change."""

    @model_validator(mode="wrap")
    @classmethod
    def _constant(cls, tree: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """A plain number never changes."""
        if isinstance(tree, dict | list | Schedule):
            return validate(tree)
        try:
            return validate({"start": tree, "end": tree})
        except ValidationError as error:  # a number has no keys to name
            first = error.errors()[0]
            raise PydanticCustomError("number", "{why}", {"why": first["msg"]}) from error

    @model_validator(mode="after")
    def _has_a_ratio(self) -> Self:
        if self.shape == "exponential" and min(self.start, self.end) <= 0:
            raise ValueError(
                f"shape=exponential goes from start={self.start} to end={self.end} by a factor; "
                "raise both above 0, or use shape linear"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, fields: SerializerFunctionWrapHandler) -> Any:
        return self.start if self.is_constant else fields(self)

    def __str__(self) -> str:
        return f"{self.start}" if self.is_constant else f"{self.start}…{self.end}"

    @property
    def is_constant(self) -> bool:
        """Whether it is a plain number."""
        return self.start == self.end

    @property
    def lowest(self) -> float:
        """The smallest value it takes."""
        return min(self.start, self.end)

    @property
    def highest(self) -> float:
        """The largest value it takes."""
        return max(self.start, self.end)

    def at(self, update: float) -> float:
        """The value after so many updates."""
        share = min(1.0, max(0.0, update - self.after) / self.steps)
        if self.shape == "linear":
            return self.start + share * (self.end - self.start)
        return float(self.start * (self.end / self.start) ** share)


def constant(value: float) -> Any:
    """A schedule's plain number, as a default of a field."""
    return Schedule[float](start=value, end=value)


def as_schedule(value: float | Schedule[float]) -> Schedule[float]:
    """A plain number as a schedule that never changes."""
    schedule: Schedule[float] = value if isinstance(value, Schedule) else constant(value)
    return schedule


TemperatureSchedule = Schedule[Temperature]
WeightSchedule = Schedule[Annotated[float, Field(ge=0)]]
DecaySchedule = Schedule[Annotated[float, Field(ge=0, lt=1)]]
ShareSchedule = Schedule[Annotated[float, Field(ge=0, le=1)]]
