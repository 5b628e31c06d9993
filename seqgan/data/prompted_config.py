"""Configuration of text that answers prompts. No torch here."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import LONGEST, Length, Seed
from seqgan.core.parts import Modality, Need, Needs, Part, Words
from seqgan.data.corpus_config import CorpusConfig

if TYPE_CHECKING:
    from seqgan.data.pair_sources import Pairs
    from seqgan.data.prompted_text import PromptedText
    from seqgan.data.tokenizer_contract import Tokenizer
    from seqgan.evaluation.task import Task, TaskSetup
    from seqgan.evaluation.translation_scores import TextScores


class PairSourceConfig(Part):
    """Base of the configurations of where pairs come from."""

    @abstractmethod
    def build(self) -> "dict[str, Pairs]":
        """The pairs of the splits that the source has: `train`, perhaps `valid` and `test`.

        Raises `UserError` for files, lines or fields that cannot be used.
        """

    def build_truth(self) -> "Callable[[str, str], bool] | None":
        """Whether a response fits its prompt, where the source has a rule for it."""
        return None

    @property
    def prompt_field(self) -> str:
        """Field of a prompt in `.jsonl` files of further prompts."""
        return "prompt"


class JsonlPairsConfig(PairSourceConfig):
    """Files with one JSON object per line, one of its fields the prompt, another the response."""

    name: Literal["jsonl"] = "jsonl"
    path: str
    """The training file, plain or .gz."""
    valid_path: str | None = None
    """The validation file; null: `valid_fraction` of the training file."""
    test_path: str | None = None
    """The test file; null: `test_fraction` of the training file."""
    prompt: str = "prompt"
    """Field of the prompt, or of a label: text or a whole number."""
    response: str = "response"
    """Field of the response: text."""

    @property
    def prompt_field(self) -> str:
        return self.prompt

    def build(self) -> "dict[str, Pairs]":
        from seqgan.data.pair_sources import read_jsonl

        paths = {"train": self.path, "valid": self.valid_path, "test": self.test_path}
        return read_jsonl(paths, self.prompt, self.response)


class HuggingFacePairsConfig(PairSourceConfig):
    """A dataset of the `datasets` library: a hub id, or a local folder or file."""

    name: Literal["huggingface"] = "huggingface"
    dataset: str
    """Hub id, or a local path."""
    subset: str | None = None
    """Which part of the dataset; null: the only or default one."""
    prompt: str = "prompt"
    """Column of the prompt, or of a label: text or a whole number."""
    response: str = "response"
    """Column of the response: text."""
    train_split: str = "train"
    """Name of the training split."""
    valid_split: str | None = "validation"
    """Name of the validation split; null: `valid_fraction` of the training split."""
    test_split: str | None = "test"
    """Name of the test split; null: `test_fraction` of the training split."""

    @property
    def prompt_field(self) -> str:
        return self.prompt

    def build(self) -> "dict[str, Pairs]":
        from seqgan.data.huggingface import Dataset
        from seqgan.data.pair_sources import read_huggingface

        dataset = Dataset(self.dataset, self.subset, self.train_split, "data.source")
        splits = {"train": self.train_split, "valid": self.valid_split, "test": self.test_split}
        return read_huggingface(dataset, splits, self.prompt, self.response)


class AlignedFilesConfig(Config):
    """Two text files: line i of one is the prompt of line i of the other."""

    prompts: str
    """The file of the prompts."""
    responses: str
    """The file of the responses."""


class AlignedPairsConfig(PairSourceConfig):
    """Prompts and responses in text files of their own, aligned line by line."""

    name: Literal["lines"] = "lines"
    train: AlignedFilesConfig
    """The training files."""
    valid: AlignedFilesConfig | None = None
    """The validation files; null: `valid_fraction` of the training files."""
    test: AlignedFilesConfig | None = None
    """The test files; null: `test_fraction` of the training files."""

    def build(self) -> "dict[str, Pairs]":
        from seqgan.data.pair_sources import read_aligned

        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            name: read_aligned(files.prompts, files.responses, f"data.source.{name}")
            for name, files in splits.items()
            if files is not None
        }


class SmallTalkConfig(PairSourceConfig):
    """Posts and replies written by a grammar. Needs no file."""

    name: Literal["small_talk"] = "small_talk"
    pairs: Annotated[int, Field(gt=1, le=100_000)] = 5_000
    """Pairs that are written, of all splits together."""
    seed: Seed = 0
    """Seed of the pairs."""

    def build(self) -> "dict[str, Pairs]":
        from seqgan.data.pair_sources import write_small_talk

        return {"train": write_small_talk(self.pairs, self.seed)}

    def build_truth(self) -> "Callable[[str, str], bool]":
        from seqgan.data.small_talk import fits

        return fits


AnyPairSourceConfig = Annotated[
    JsonlPairsConfig | HuggingFacePairsConfig | AlignedPairsConfig | SmallTalkConfig,
    ByName(),
]


class PromptedTextConfig(CorpusConfig):
    """Prompts and their responses over one vocabulary. With prompt_length 1 prompts are labels:
    each has to be one token that the vocabulary knows."""

    modality: ClassVar[Modality] = "prompted"
    metrics: ClassVar[tuple[str, ...]] = (
        *("nll_valid", "nll_known_valid", "nll_shuffled", "entropy"),
        *("bleu", "rouge1", "rouge2", "rougeL"),
        *("distinct_1", "distinct_2", "distinct_3", "unique", "copied", "length", "unknown"),
        "fitting",
    )

    name: Literal["prompted_text"] = "prompted_text"
    source: AnyPairSourceConfig
    """Where the pairs come from."""
    prompt_length: Length = 32
    """Tokens of a prompt at most; shorter ones are filled up in front."""
    length: Annotated[int, Field(gt=1, le=LONGEST)] = 32
    """Columns of a response, the end token included."""
    prompts: str | None = None
    """A file of further prompts, without responses: one per line, or .jsonl with the source's
    field. In phase `generator` the generator answers these instead of the prompts of the pairs."""
    score: list[Literal["bleu", "rouge"]] = ["bleu", "rouge"]
    """Scores of greedy responses against the true ones."""

    @property
    def gives(self) -> Words:
        words = super().gives - (set() if self.prompts is None else {"true responses"})
        return words | ({"labels"} if self.prompt_length == 1 else set())

    @property
    def needs(self) -> Needs:
        answered = Need("game", "generated samples", f"prompts={self.prompts}", "leave it out")
        return () if self.prompts is None else (answered,)

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.evaluation.sequence_tasks import prompted_task

        kept = None if setup.run is None else load_tokenizer(setup.run)
        return prompted_task(setup, self.build_text(kept), self.build_scores())

    def build_text(self, tokenizer: "Tokenizer | None" = None) -> "PromptedText":
        """The pairs, read and encoded; `tokenizer` is a run's own, None builds one."""
        from seqgan.data.pair_sources import complete_pairs, read_prompts
        from seqgan.data.prompted_text import load_prompted_text

        recipe, field = self.tokenizer.build_recipe(), self.source.prompt_field
        return load_prompted_text(
            complete_pairs(
                self.source.build(),
                self.fractions,
                self.split_seed,
                recipe.canonical,
                self.max_train,
                labels=self.prompt_length == 1,
            ),
            recipe,
            self.build_limits(),
            self.prompt_length,
            further=None if self.prompts is None else read_prompts(self.prompts, field),
            fits=self.source.build_truth(),
            tokenizer=tokenizer,
        )

    def build_scores(self) -> "TextScores":
        from seqgan.evaluation.translation_scores import TextScores

        tokenizer = self.tokenizer
        return TextScores(self.score, tokenizer.build_canonical(), tokenizer.cuts_words)
