"""Configuration of invented languages. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from seqgan.core.numbers import Seed
from seqgan.core.parts import Words
from seqgan.data.text_pair_config import TextPairConfig

if TYPE_CHECKING:
    from seqgan.data.unpaired_text import UnpairedText


class LanguagePairConfig(TextPairConfig):
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

    @property
    def gives(self) -> Words:
        return super().gives - {"one vocabulary"} | {"counts of words in two languages"}

    def build_text(self) -> "UnpairedText":
        from seqgan.tasks.language_pair.languages import draw_language_pair

        sizes = {"train": self.train, "valid": self.valid, "test": self.test}
        return draw_language_pair(self.words, sizes, self.reorder, self.seed, self.aligned)
