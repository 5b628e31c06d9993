"""Configuration of articles and headlines about events. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.core.parts import TextPairPart, Words

if TYPE_CHECKING:
    from seqgan.evaluation.task import Task, TaskSetup


class EventsDataConfig(TextPairPart):
    """Articles (side a) and headlines (side b) about events, written by a grammar."""

    name: Literal["events"] = "events"
    train: Annotated[int, Field(gt=1, le=1_000_000)] = 20_000
    """Training articles, and as many training headlines of other events."""
    valid: Annotated[int, Field(gt=0, le=1_000_000)] = 500
    """Validation articles, each with its headline."""
    test: Annotated[int, Field(gt=0, le=1_000_000)] = 1_000
    """Test articles, each with its headline."""
    seed: Seed = 0
    """Seed of the events and of the sentences about them."""
    aligned: bool = False
    """Training headlines are those of the training articles: for paired ceilings only."""

    @property
    def gives(self) -> Words:
        return super().gives | ({"training rows that are pairs"} if self.aligned else set())

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.sequence_tasks import text_pair_task
        from seqgan.tasks.events.grammar import load_events

        return text_pair_task(setup, load_events(self))
