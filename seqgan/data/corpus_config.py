"""Configuration of text of one kind. No torch here."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.numbers import LONGEST, Positive, Seed
from seqgan.core.parts import DataPart, Modality
from seqgan.data.tokenizer_config import TokenizerConfig, WordTokenizerConfig

if TYPE_CHECKING:
    from seqgan.data.corpus import Corpus
    from seqgan.data.sources import Limits, Sentences
    from seqgan.data.tokenizer_contract import Tokenizer
    from seqgan.evaluation.task import Task, TaskSetup


class CorpusConfig(DataPart):
    """What text files and Hugging Face corpora have in common."""

    is_text: ClassVar[bool] = True

    tokenizer: TokenizerConfig = WordTokenizerConfig(name="word")
    """How a sentence is cut into tokens."""
    length: Annotated[int, Field(gt=1, le=LONGEST)] = 32
    """Columns of a sequence, the end token included."""
    overlong: Literal["error", "drop", "truncate"] = "error"
    """What to do with sentences that do not fit; drops and cuts are counted and reported."""
    max_train: Positive | None = None
    """Use the first so many training sentences only."""
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training text held out as validation data where none are given."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training text held out as test data where none are given."""
    split_seed: Seed = 0
    """Seed that decides which sentences are held out."""

    @property
    def fractions(self) -> dict[str, float]:
        """Shares of the training text that are held out, the first one first."""
        return {"test": self.test_fraction, "valid": self.valid_fraction}

    def build_limits(self) -> "Limits":
        from seqgan.data.sources import Limits

        return Limits(self.length, self.overlong, self.max_train)


class SentenceFilesConfig(CorpusConfig):
    """Sentences of one kind."""

    modality: ClassVar[Modality] = "sentences"
    metrics: ClassVar[tuple[str, ...]] = (
        *("nll_valid", "nll_known_valid", "entropy", "bleu_2", "bleu_3", "bleu_4", "bleu_5"),
        *("self_bleu_2", "self_bleu_3", "self_bleu_4", "self_bleu_5"),
        *("distinct_1", "distinct_2", "distinct_3", "unique", "in_train", "length", "unknown"),
    )

    @property
    def columns(self) -> int:
        return self.length

    @property
    @abstractmethod
    def source(self) -> str:
        """The file or dataset, for messages."""

    @abstractmethod
    def build_splits(self) -> "dict[str, Sentences]":
        """The sentences of the splits that the text has: `train`, perhaps `valid` and `test`.

        Raises `UserError` for files or columns that cannot be used.
        """

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.evaluation.sequence_tasks import text_task

        kept = None if setup.run is None else load_tokenizer(setup.run)
        return text_task(setup, self.build_corpus(kept))

    def build_corpus(self, tokenizer: "Tokenizer | None" = None) -> "Corpus":
        """The text, read and encoded; `tokenizer` is a run's own, None builds one."""
        from seqgan.data.corpus import load_corpus

        return load_corpus(
            self.build_splits(),
            self.tokenizer.build_recipe(),
            self.build_limits(),
            fractions=self.fractions,
            seed=self.split_seed,
            source=self.source,
            tokenizer=tokenizer,
        )


class TextDataConfig(SentenceFilesConfig):
    """One sentence per line, plain or gzipped, UTF-8."""

    name: Literal["text"] = "text"
    path: str
    """The training file."""
    valid_path: str | None = None
    """The validation file; null: `valid_fraction` of the training file."""
    test_path: str | None = None
    """The test file; null: `test_fraction` of the training file."""

    @property
    def source(self) -> str:
        return self.path

    def build_splits(self) -> "dict[str, Sentences]":
        from seqgan.data.sources import read_text

        return read_text({"train": self.path, "valid": self.valid_path, "test": self.test_path})


class HuggingFaceDataConfig(SentenceFilesConfig):
    """A corpus of the `datasets` library: a hub id, or a local folder or file."""

    name: Literal["huggingface"] = "huggingface"
    dataset: str
    """Hub id such as `wikitext`, or a local path."""
    subset: str | None = None
    """Which part of the dataset, e.g. wikitext-2-raw-v1; null: the only or default one."""
    column: str = "text"
    """Column that holds the sentences, one per row."""
    train_split: str = "train"
    """Name of the training split."""
    valid_split: str | None = "validation"
    """Name of the validation split; null: `valid_fraction` of the training split."""
    test_split: str | None = "test"
    """Name of the test split; null: `test_fraction` of the training split."""

    @property
    def source(self) -> str:
        return self.dataset

    def build_splits(self) -> "dict[str, Sentences]":
        from seqgan.data.huggingface import Dataset
        from seqgan.data.sources import read_huggingface

        dataset = Dataset(self.dataset, self.subset, self.train_split, "data")
        splits = {"train": self.train_split, "valid": self.valid_split, "test": self.test_split}
        return read_huggingface(dataset, splits, self.column)
