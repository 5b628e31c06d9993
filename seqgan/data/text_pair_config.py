"""Configuration of unpaired text: a cipher, an invented language pair, and what else has two sides.

Every class makes a `seqgan.data.unpaired_text.UnpairedText`. No torch here.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.numbers import LONGEST, Fraction, Positive, Seed
from seqgan.core.parts import TextPairPart, Words
from seqgan.data.tokenizer_config import TokenizerConfig, WordTokenizerConfig

if TYPE_CHECKING:
    from seqgan.evaluation.task import Task, TaskSetup
    from seqgan.evaluation.translation_scores import TextScores


class TextFilesConfig(Config):
    """Training text of one side: one sentence per line, plain or gzipped, UTF-8."""

    path: str | Annotated[list[str], Field(min_length=1)]
    """The file, or several that are read one behind the other."""
    take: Literal["all", "odd", "even", "auto"] = "all"
    """Which lines of a file, counted from 1: odd ones of one language and even ones of another
    make unpaired text of a parallel corpus. auto, for both sides: that where lines of equal number
    belong together, else all."""
    length: Annotated[int, Field(gt=1, le=LONGEST)] = 32
    """Columns of a sentence, the end token included."""
    overlong: Literal["error", "drop", "truncate"] = "error"
    """What to do with sentences that do not fit; drops and cuts are counted and reported."""
    max_train: Positive | None = None
    """Use the first so many training sentences only."""


class PairedFilesConfig(Config):
    """Two files of which line i of one belongs to line i of the other."""

    a: str
    """The file of side a."""
    b: str
    """The file of side b."""


class UnpairedTextConfig(TextPairPart):
    """Two kinds of text from files, never paired in training."""

    name: Literal["unpaired_text"] = "unpaired_text"
    a: TextFilesConfig
    """The first kind; of articles and summaries, the articles."""
    b: TextFilesConfig
    """The second kind."""
    tokenizer: TokenizerConfig = WordTokenizerConfig(name="word")
    """How a sentence is cut into tokens."""
    joint: bool = True
    """One vocabulary for both sides, so that words can be copied; else one per side."""
    valid: PairedFilesConfig | None = None
    """Paired validation text, for reports only; null: none, then `test` is null as well."""
    test: PairedFilesConfig | None = None
    """Paired test text, for reports only."""
    valid_fraction: Fraction = 0.05
    """Without paired text: share of each side held out as validation data, and as test data."""
    exclude: list[str] | Literal["held_out"] = []
    """Files whose lines are dropped from the training text of both sides, and counted; held_out:
    those of `valid` and `test`."""
    aligned: bool = False
    """Training line i of one side belongs to line i of the other: for supervised ceilings."""
    score: list[Literal["bleu", "chrf", "rouge"]] = ["bleu", "chrf"]
    """Scores against the paired text; rouge is for summaries."""
    split_seed: Seed = 0
    """Seed that decides which sentences are held out."""

    @model_validator(mode="after")
    def _both_are_auto(self) -> Self:
        if self.a.take != self.b.take and "auto" in (self.a.take, self.b.take):
            raise ValueError(
                f"a.take={self.a.take}, b.take={self.b.take}: auto is for both sides; set both"
            )
        return self

    @model_validator(mode="after")
    def _pairs_stay_together(self) -> Self:
        if not self.aligned:
            return self
        for name, side in (("a", self.a), ("b", self.b)):
            if side.overlong == "drop":
                raise ValueError(f"aligned=true: {name}.overlong=drop breaks pairs; use truncate")
        if self.valid is None:
            raise ValueError("aligned=true needs paired files valid and test")
        if self.a.take != self.b.take or self.a.max_train != self.b.max_train:
            raise ValueError("aligned=true: a and b must have the same take and max_train")
        return self

    @property
    def gives(self) -> Words:
        words = super().gives - (set() if self.joint else {"one vocabulary"})
        return words | {"glosses"} | ({"training rows that are pairs"} if self.aligned else set())

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.data.unpaired_text import load_unpaired_text
        from seqgan.evaluation.sequence_tasks import text_pair_task

        run = setup.run
        kept = None if run is None else (load_tokenizer(run / "a"), load_tokenizer(run / "b"))
        scores = None if self.valid is None else self.build_scores()
        task = text_pair_task(setup, load_unpaired_text(self, kept, scores))
        if scores is not None:
            task.evaluator.notes |= scores.notes
        return task

    def build_scores(self) -> "TextScores":
        from seqgan.evaluation.translation_scores import TextScores

        tokenizer = self.tokenizer
        return TextScores(self.score, tokenizer.build_canonical(), tokenizer.cuts_words)
