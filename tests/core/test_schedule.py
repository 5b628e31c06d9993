"""Numbers that change with updates: values by hand, plain numbers, ranges."""

import math
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from seqgan.core.config import Config, describe
from seqgan.core.schedule import Schedule, ShareSchedule, WeightSchedule, constant


class Weighted(Config):
    weight: WeightSchedule = constant(2.0)
    """Weight of something."""


@pytest.mark.parametrize(
    ("start", "end", "update", "value"),
    [(0.5, 2.5, 0, 0.5), (0.5, 2.5, 2, 1.0), (0.5, 2.5, 8, 2.5), (2, 0, 6, 0.5), (2, 0, 99, 0)],
)
def test_linear_adds_the_same_amount_at_each_update(
    start: float, end: float, update: float, value: float
) -> None:
    assert WeightSchedule(start=start, end=end, steps=8).at(update) == pytest.approx(value)


def test_exponential_multiplies_by_the_same_factor() -> None:
    falls = WeightSchedule(start=8.0, end=1.0, steps=3, shape="exponential")
    assert [falls.at(u) for u in (0, 1, 2, 3, 4)] == pytest.approx([8, 4, 2, 1, 1])


def test_it_stays_at_its_start_for_a_while_and_at_its_end_for_ever() -> None:
    falls = WeightSchedule(start=1, end=0, after=2, steps=4)
    assert [falls.at(u) for u in (0, 2, 3, 5, 6)] == [1, 1, 0.75, 0.25, 0]
    assert falls.at(math.inf) == 0


def test_a_plain_number_never_changes_and_is_written_as_one() -> None:
    config = Weighted.model_validate({"weight": 0.25})
    assert [config.weight.at(update) for update in (0, 1, 9)] == [0.25] * 3
    assert config.model_dump() == {"weight": 0.25}
    assert describe(config) == ["# Weight of something.", "weight: 0.25"]
    assert Weighted().model_dump() == {"weight": 2.0}


def test_a_changing_one_is_written_in_full() -> None:
    tree = {"start": 0.0, "end": 4.0, "steps": 4, "shape": "linear", "after": 0}
    config = Weighted.model_validate({"weight": {"start": 0.0, "end": 4.0, "steps": 4}})
    assert config.model_dump() == {"weight": tree}
    assert "  steps: 4" in describe(config)


@pytest.mark.parametrize("wrong", [-1.0, {"start": 1.0, "end": -1.0}, True, {"start": 1.0}])
def test_values_outside_of_the_range_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Weighted.model_validate({"weight": wrong})
    with pytest.raises(ValidationError):
        ShareSchedule(start=0.5, end=1.5)


def test_a_factor_does_not_lead_to_zero() -> None:
    with pytest.raises(ValidationError, match="use shape linear"):
        Schedule[Annotated[float, Field(ge=0)]](start=1.0, end=0.0, shape="exponential")
