"""Configuration of invented languages. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.core.parts import TextPairPart, Words

if TYPE_CHECKING:
    from seqgan.evaluation.task import Task, TaskSetup


class LanguagePairConfig(TextPairPart):
    """Two invented languages: b has other words than a for the same things, in another order."""

    name: Literal["language_pair"] = "language_pair"
    words: Annotated[int, Field(ge=40, le=2_000)] = 200
    """Words of the lexicon, of all classes together."""
    train: Annotated[int, Field(gt=1, le=200_000)] = 20_000
    """Training sentences of a side; no sentence of one side translates one of the other's."""
    valid: Annotated[int, Field(gt=0, le=200_000)] = 300
    """Validation sentences, paired."""
    test: Annotated[int, Field(gt=0, le=200_000)] = 1_000
    """Test sentences, paired."""
    reorder: bool = True
    """Language b puts adjectives behind nouns and adverbs before verbs; else words correspond."""
    seed: Seed = 0
    """Seed of both languages and of the sentences."""
    aligned: bool = False
    """Training rows are pairs, side a's own sentences translated: for supervised ceilings."""

    @property
    def gives(self) -> Words:
        words = super().gives - {"one vocabulary"} | {"counts of words in two languages"}
        return words | ({"training rows that are pairs"} if self.aligned else set())

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.sequence_tasks import text_pair_task
        from seqgan.tasks.language_pair.languages import load_language_pair

        return text_pair_task(setup, load_language_pair(self))
