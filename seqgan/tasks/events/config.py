"""Configuration of articles and headlines about events. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.data.text_pair_config import TextPairConfig

if TYPE_CHECKING:
    from seqgan.data.unpaired_text import UnpairedText


class EventsDataConfig(TextPairConfig):
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

    def build_text(self) -> "UnpairedText":
        from seqgan.tasks.events.grammar import draw_events

        sizes = {"train": self.train, "valid": self.valid, "test": self.test}
        return draw_events(sizes, self.seed, self.aligned)
