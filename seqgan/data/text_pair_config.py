"""Configuration of two kinds of text: the base of all, and that of files. No torch here."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.numbers import LONGEST, Fraction, Positive, Seed
from seqgan.core.parts import DataPart, Modality, Words
from seqgan.data.tokenizer_config import TokenizerConfig, WordTokenizerConfig

if TYPE_CHECKING:
    from seqgan.data.tokenizer_contract import Tokenizer
    from seqgan.data.unpaired_lines import TrainingFiles
    from seqgan.data.unpaired_text import Scorer, UnpairedText
    from seqgan.evaluation.task import Task, TaskSetup
    from seqgan.evaluation.translation_scores import TextScores


class TextPairConfig(DataPart):
    """Base of the configurations of two kinds of text."""

    modality: ClassVar[Modality] = "text_pair"
    is_text: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = ("label_free",)
    direction_metrics: ClassVar[tuple[str, ...]] = (
        *("label_free", "lm_nll", "unigram_kl", "round_trip", "shuffled"),
    )
    """What needs no truth: nothing is ever selected by a score against the truth."""

    aligned: bool = False
    """Training row i of one side belongs to row i of the other: for supervised ceilings only."""

    @property
    def gives(self) -> Words:
        return super().gives | ({"training rows that are pairs"} if self.aligned else set())

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.sequence_tasks import text_pair_task

        return text_pair_task(setup, self.build_text())

    @abstractmethod
    def build_text(self) -> "UnpairedText":
        """Both kinds of text, read or drawn, and encoded. Raises `UserError` for files that cannot
        be used."""


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

    def build_files(self, field: str) -> "TrainingFiles":
        from seqgan.data.sources import Limits
        from seqgan.data.unpaired_lines import TrainingFiles

        paths = [self.path] if isinstance(self.path, str) else self.path
        limits = Limits(self.length, self.overlong, self.max_train, field)
        return TrainingFiles(paths, self.take, limits)


class PairedFilesConfig(Config):
    """Two files of which line i of one belongs to line i of the other."""

    a: str
    """The file of side a."""
    b: str
    """The file of side b."""


class UnpairedTextConfig(TextPairConfig):
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
        return (super().gives | {"glosses"}) - (set() if self.joint else {"one vocabulary"})

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.evaluation.sequence_tasks import text_pair_task

        run = setup.run
        kept = None if run is None else (load_tokenizer(run / "a"), load_tokenizer(run / "b"))
        scores = None if self.valid is None else self.build_scores()
        task = text_pair_task(setup, self.build_text(kept, scores))
        if scores is not None:
            task.evaluator.notes |= scores.notes
        return task

    def build_text(
        self,
        tokenizers: "tuple[Tokenizer, Tokenizer] | None" = None,
        scorer: "Scorer | None" = None,
    ) -> "UnpairedText":
        """`tokenizers` are a run's own, None builds them; `scorer` scores held-out pairs."""
        from seqgan.core.errors import UserError
        from seqgan.data.unpaired_text import load_unpaired_text

        held_out = {"valid": self.valid, "test": self.test}
        pairs = {name: (pair.a, pair.b) for name, pair in held_out.items() if pair is not None}
        if len(pairs) == 1:
            (given,), (missing,) = pairs, held_out.keys() - pairs.keys()
            raise UserError(
                f"data.{missing}=null: data.{given} has pairs, {missing} data would have none; cut "
                f"the files of data.{given} in two, or set both to null"
            )
        exclude = self.exclude
        if exclude == "held_out":
            exclude = [path for paths in pairs.values() for path in paths]
        return load_unpaired_text(
            {"a": self.a.build_files("data.a"), "b": self.b.build_files("data.b")},
            self.tokenizer.build_recipe(),
            joint=self.joint,
            pairs=pairs,
            fraction=self.valid_fraction,
            seed=self.split_seed,
            exclude=exclude,
            aligned=self.aligned,
            summaries="rouge" in self.score,
            tokenizers=tokenizers,
            scorer=scorer,
        )

    def build_scores(self) -> "TextScores":
        from seqgan.evaluation.translation_scores import TextScores

        tokenizer = self.tokenizer
        return TextScores(self.score, tokenizer.build_canonical(), tokenizer.cuts_words)
