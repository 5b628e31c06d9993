"""Configuration of data: oracles with a known density, text, pictures, toys in the plane."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.drawn import check_drawn
from seqgan.core.extensions import ByName
from seqgan.core.numbers import LONGEST, Fraction, Length, Positive, Sampled, Seed
from seqgan.core.parts import DataPart, Modality, Words
from seqgan.tasks.faces.config import FacesSourceConfig

if TYPE_CHECKING:
    from seqgan.evaluation.pictures import Detect
    from seqgan.evaluation.task import Task, TaskSetup


class OraclePart(Config):
    """What oracles have in common."""

    positive: ClassVar[bool] = False
    """Whether every sequence has a probability above 0."""


class RandomOracleConfig(OraclePart):
    """A recurrent network with N(0, std²) parameters drawn from a seed."""

    positive: ClassVar[bool] = True

    name: Literal["random_lstm", "random_gru"]
    vocab_size: Annotated[int, Field(gt=1)] = 8
    """Number of different tokens."""
    length: Length = 4
    """Tokens a sequence."""
    embed: Positive = 16
    """Width of the token embedding."""
    hidden: Positive = 32
    """Width of the recurrent state."""
    std: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation of the parameters; larger makes a sharper distribution."""
    seed: Seed = 0
    """Seed of the parameters."""
    sha256: str | None = None
    """First hex digits of the parameters' SHA-256; building stops where they differ."""


class PaperOracleConfig(OraclePart):
    """The SeqGAN paper's oracle LSTM from its published parameters (.npz)."""

    positive: ClassVar[bool] = True

    name: Literal["seqgan_paper"] = "seqgan_paper"
    path: str
    """The .npz file with arrays embeddings, Wi, Ui, bi, … Wo, bo."""
    length: Length = 20
    """Tokens a sequence."""


class PalindromeOracleConfig(OraclePart):
    """A Markov chain writes the first half; the second half is its mirror image."""

    name: Literal["palindrome"] = "palindrome"
    vocab_size: Annotated[int, Field(gt=1)] = 8
    """Number of different tokens."""
    length: Annotated[int, Field(gt=1, le=LONGEST, multiple_of=2)] = 12
    """Tokens a sequence, both halves together."""
    seed: Seed = 0
    """Seed of the chain's initial and transition probabilities."""


class CopyOracleConfig(OraclePart):
    """A Markov chain writes the first half; the second half repeats it."""

    name: Literal["copy"] = "copy"
    vocab_size: Annotated[int, Field(gt=1)] = 8
    """Number of different tokens."""
    length: Annotated[int, Field(gt=1, le=LONGEST, multiple_of=2)] = 12
    """Tokens a sequence, both halves together."""
    seed: Seed = 0
    """Seed of the chain's initial and transition probabilities."""


class BracketsOracleConfig(OraclePart):
    """Balanced strings over `pairs` kinds of brackets, each as likely as any other."""

    name: Literal["brackets"] = "brackets"
    pairs: Positive = 2
    """Kinds of brackets; each is two tokens, one that opens and one that closes."""
    length: Annotated[int, Field(gt=1, le=1_000, multiple_of=2)] = 12
    """Tokens a sequence, an even number; the counts of longer ones are beyond float64."""


OracleConfig = Annotated[
    RandomOracleConfig
    | PaperOracleConfig
    | PalindromeOracleConfig
    | CopyOracleConfig
    | BracketsOracleConfig,
    ByName(),
]


ORACLE_METRICS = (
    *("nll_valid", "nll_oracle", "kl_forward", "kl_reverse", "jsd", "entropy"),
    *("valid", "unique"),
)
"""What is measured against an oracle."""


class OracleDataConfig(DataPart):
    """Samples of an oracle. Training data are a fixed set, or drawn afresh for ever."""

    modality: ClassVar[Modality] = "sentences"
    metrics: ClassVar[tuple[str, ...]] = ORACLE_METRICS

    name: Literal["oracle"] = "oracle"
    oracle: OracleConfig
    """The distribution that the generator should learn."""
    train: Sampled = 10_000
    """Training sequences; with `fresh`, the size of each block that is drawn."""
    fresh: bool = False
    """Draw a new block whenever one is used up, so that no sequence is seen twice."""
    valid: Sampled = 2_000
    """Validation sequences, for evaluations during training and for selection."""
    test: Sampled = 5_000
    """Test sequences, for final evaluations."""
    seed: Seed = 0
    """Seed of the samples (not of the oracle)."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        length = self.oracle.length
        check_drawn(self, length, f"oracle.length={length}")
        return self

    @property
    def gives(self) -> Words:
        words = super().gives - ({"a finite training set"} if self.fresh else set())
        density = {"a density that is positive everywhere"} if self.oracle.positive else set()
        return frozenset(words | density)

    @property
    def columns(self) -> int:
        return self.oracle.length

    def build(self, setup: "TaskSetup") -> "Task":
        import torch

        from seqgan.data.oracle_samples import draw_samples
        from seqgan.evaluation.sequence_tasks import oracle_task
        from seqgan.models.oracles import build_oracle

        # Drawn on the CPU: the same data on every device. Densities are computed where it is fast.
        samples = draw_samples(self, build_oracle(self.oracle, torch.device("cpu")))
        return oracle_task(setup, samples, build_oracle(self.oracle, setup.device), self.fresh)


class ConditionalOracleConfig(DataPart):
    """Prompts from a known distribution, answered by a recurrent network that has read them."""

    modality: ClassVar[Modality] = "prompted"
    metrics: ClassVar[tuple[str, ...]] = ORACLE_METRICS

    name: Literal["conditional_oracle"] = "conditional_oracle"
    oracle: RandomOracleConfig
    """The network that answers: the teacher; `length` counts the tokens of an answer."""
    prompt: Length = 1
    """Tokens a prompt, written in front of the answer."""
    prompts: Literal["uniform", "network"] = "uniform"
    """Every prompt as likely as any other, or prompts that the network writes itself."""
    labels: Positive | None = None
    """Prompts are written in the first so many tokens only; with prompt 1 they are the labels of
    so many categories. Null: in all tokens. For uniform prompts."""
    train: Sampled = 10_000
    """Training pairs; with `fresh`, the size of each block that is drawn."""
    fresh: bool = False
    """Draw a new block whenever one is used up, so that no pair is seen twice."""
    valid: Sampled = 2_000
    """Validation pairs, for evaluations during training and for selection."""
    test: Sampled = 5_000
    """Test pairs, for final evaluations."""
    seed: Seed = 0
    """Seed of the pairs (not of the network)."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        length, prompt = self.oracle.length, self.prompt
        check_drawn(self, prompt + length, f"oracle.length={length} and prompt={prompt}")
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        vocab = self.oracle.vocab_size
        if self.labels is not None and self.labels > vocab:
            raise ValueError(
                f"labels={self.labels}: there are only {vocab} tokens; lower it, or raise "
                "oracle.vocab_size"
            )
        if self.labels is not None and self.prompts == "network":
            raise ValueError(
                f"labels={self.labels}: a network writes its prompts in all tokens; set labels to "
                "null, or prompts to uniform"
            )
        return self

    @property
    def gives(self) -> Words:
        return super().gives | ({"labels"} if self.prompt == 1 else set())

    def build(self, setup: "TaskSetup") -> "Task":
        import torch

        from seqgan.data.oracle_samples import draw_pairs
        from seqgan.evaluation.sequence_tasks import oracle_task
        from seqgan.models.oracles import ConditionalOracle

        samples = draw_pairs(self, ConditionalOracle(self, torch.device("cpu")))
        return oracle_task(setup, samples, ConditionalOracle(self, setup.device), self.fresh)


class WordTokenizerConfig(Config):
    """Whitespace-separated words, the most frequent first."""

    name: Literal["word"] = "word"
    lowercase: bool = True
    """Turn capital letters into small ones first."""
    split_punctuation: bool = True
    """Make . , ! ? ; : " ' ( ) words of their own."""
    min_count: Positive = 2
    """Rarer words become <unk>. With 1 training never shows <unk>, and the likelihood of held-out
    words that training lacks is an accident."""
    max_size: Positive | None = None
    """Vocabulary entries at most, the two special tokens included."""
    vocabulary: str | None = None
    """A file with one entry a line to use instead; it must hold <eos> and <unk>."""


class CharTokenizerConfig(Config):
    """Characters as people see them, marks and joined emoji included: for text without spaces
    between words, such as Chinese, Japanese and Thai."""

    name: Literal["char"] = "char"
    min_count: Positive = 2
    """Rarer characters become <unk>."""
    max_size: Positive | None = None
    """Vocabulary entries at most, the two special tokens included."""


class SentencePieceConfig(Config):
    """A SentencePiece model, trained on the training split or loaded from `model`."""

    name: Literal["sentencepiece"] = "sentencepiece"
    vocab_size: Positive = 2_000
    """Vocabulary entries of a trained model, special tokens included; fewer where the text has
    fewer pieces."""
    kind: Literal["unigram", "bpe"] = "unigram"
    """Algorithm that finds the pieces."""
    model: str | None = None
    """A trained .model file to use instead of training one."""


class HfTokenizerConfig(Config):
    """The tokenizer of a network of the `transformers` library."""

    name: Literal["hf"] = "hf"
    path: str
    """Hub id such as `distilgpt2`, or a local folder; usually the network's own."""


TokenizerConfig = Annotated[
    WordTokenizerConfig | CharTokenizerConfig | SentencePieceConfig | HfTokenizerConfig,
    ByName(),
]


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


class TextDataConfig(SentenceFilesConfig):
    """One sentence a line, plain or gzipped, UTF-8."""

    name: Literal["text"] = "text"
    path: str
    """The training file."""
    valid_path: str | None = None
    """The validation file; null: `valid_fraction` of the training file."""
    test_path: str | None = None
    """The test file; null: `test_fraction` of the training file."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.corpus import load_corpus
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.evaluation.sequence_tasks import text_task

        kept = None if setup.run is None else load_tokenizer(setup.run)
        return text_task(setup, load_corpus(self, kept))


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

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.corpus import load_corpus
        from seqgan.data.tokenizers import load_tokenizer
        from seqgan.evaluation.sequence_tasks import text_task

        kept = None if setup.run is None else load_tokenizer(setup.run)
        return text_task(setup, load_corpus(self, kept))


LEAST_NEIGHBOURS = 6
"""Samples that pictures and points are measured with: each has a fifth nearest neighbour."""


class PointsDataConfig(DataPart):
    """Gaussians in the plane: a ring of eight or a grid of twenty-five. Drawn afresh for ever."""

    modality: ClassVar[Modality] = "points"
    metrics: ClassVar[tuple[str, ...]] = (
        *("modes", "high_quality", "mode_kl", "frechet", "density", "coverage"),
    )
    least_samples: ClassVar[int] = LEAST_NEIGHBOURS

    name: Literal["points"] = "points"
    layout: Literal["ring", "grid"]
    """ring: 8 centres at distance 1 from the origin. grid: 5 × 5 centres, 1/√2 apart."""
    std: Annotated[float, Field(gt=0)] = 0.0177
    """Standard deviation of each Gaussian; 0.05/√8 is that of the WGAN-GP paper's grid."""
    valid: Sampled = 10_000
    """Validation points."""
    test: Sampled = 10_000
    """Test points."""
    seed: Seed = 0
    """Seed of the points."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.core.types import ArraySpace, Batch
        from seqgan.data.points import training_block
        from seqgan.data.stream import FreshStream
        from seqgan.evaluation.points import PointsEvaluator
        from seqgan.evaluation.task import Task

        def block(index: int) -> Batch:
            return Batch(training_block(self, index).to(setup.device))

        stream = FreshStream(block, setup.batch_size)
        return Task(ArraySpace((2,)), (stream,), PointsEvaluator(self, setup.evaluation.seed))


class NpzSourceConfig(Config):
    """Arrays of an .npz file: pictures (N, H, W) or (N, H, W, 3) of bytes, labels (N,) of integers.

    The defaults are the usual names in files of MNIST and its relatives.
    """

    name: Literal["npz"] = "npz"
    path: str
    """The .npz file."""
    train: str = "x_train"
    """Array of training pictures."""
    train_labels: str | None = "y_train"
    """Array of their classes; null: none."""
    test: str | None = "x_test"
    """Array of test pictures; null: `test_fraction` of the training pictures."""
    test_labels: str | None = "y_test"
    """Array of their classes; null: none."""


class IdxSourceConfig(Config):
    """A folder with the IDX files of MNIST: train-images-idx3-ubyte and so on, plain or gzipped.

    Under other names they are known by their content, and by train, t10k or test in the name.
    """

    name: Literal["idx"] = "idx"
    path: str
    """The folder."""


class HuggingFacePicturesConfig(Config):
    """A picture corpus of the `datasets` library: a hub id, or a local folder or file."""

    name: Literal["huggingface"] = "huggingface"
    dataset: str
    """Hub id such as `mnist`, or a local path."""
    subset: str | None = None
    """Which part of the dataset; null: the only or default one."""
    column: str = "image"
    """Column that holds the pictures."""
    label_column: str | None = None
    """Column that holds the classes; null: none."""
    train_split: str = "train"
    """Name of the training split."""
    test_split: str | None = "test"
    """Name of the test split; null: `test_fraction` of the training split."""


class FolderSourceConfig(Config):
    """Picture files in a folder, in any format that Pillow reads.

    Pictures of 16 bits become bytes by the number of bits (8, 10, … 16) that the largest number in
    the folder needs, so that twelve bits in such a file are not black.
    """

    name: Literal["folder"] = "folder"
    path: str
    """The folder; folders inside it are read too."""
    labels: bool = False
    """Take the name of the folder a file lies in as its class."""


SourceConfig = Annotated[
    FacesSourceConfig
    | NpzSourceConfig
    | IdxSourceConfig
    | HuggingFacePicturesConfig
    | FolderSourceConfig,
    ByName(),
]


class PictureSetConfig(Config):
    """Pictures of one kind, and what is done to them."""

    source: SourceConfig
    """Where the pictures come from."""
    size: Annotated[int, Field(ge=4)] | None = None
    """Height and width in pixels that every picture is scaled to; null: as they are."""
    colours: Literal["grey", "rgb"] | None = None
    """Convert every picture; null: as they are."""
    invert: bool = False
    """Swap dark and light."""
    shrink: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw each picture at this share of its size, centred on black, before it is inverted."""
    share: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2)
    ] = [0.0, 1.0]
    """Use the training pictures from this share to that one: disjoint shares make unpaired sets."""
    extractor_fraction: Fraction = 0.5
    """Share of the training pictures that only the feature extractor is trained on."""
    valid_fraction: Fraction = 0.05
    """Share of the training pictures held out as validation data."""
    test_fraction: Fraction = 0.1
    """Share of the training pictures held out as test data where none are given."""
    max_train: Positive | None = None
    """Train the players on the first so many pictures only."""
    split_seed: Seed = 0
    """Seed that decides which pictures are held out."""

    def build_detector(self) -> "Detect | None":
        """Rules that read labels off the pixels; None for all pictures but drawn faces."""
        if not isinstance(self.source, FacesSourceConfig):
            return None
        return self.source.build_detector()


class PictureDataConfig(PictureSetConfig, DataPart):
    """Pictures of one kind."""

    modality: ClassVar[Modality] = "pictures"
    metrics: ClassVar[tuple[str, ...]] = (
        *("fid", "kid", "precision", "recall", "density", "coverage"),
        *("duplicates", "nearest_ratio", "copy_p_value"),
        *("label_accuracy", "label_distance"),  # by the feature extractor, where there are labels
        *("valid_attributes", "attribute_distance"),  # by detectors, for cartoon faces
    )
    least_samples: ClassVar[int] = LEAST_NEIGHBOURS

    name: Literal["pictures"] = "pictures"

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.pictures import load_pictures
        from seqgan.evaluation.picture_tasks import picture_task

        pictures = load_pictures(self, least=self.least_samples)
        return picture_task(setup, pictures, self.build_detector())


class UnpairedPicturesConfig(DataPart):
    """Two kinds of pictures that are never paired: what a cycle game translates between."""

    modality: ClassVar[Modality] = "picture_pair"
    metrics: ClassVar[tuple[str, ...]] = (
        *("label_preservation_a2b", "label_preservation_b2a", "fid_a2b", "fid_b2a"),
        *("cycle_a", "cycle_b", "cycle_noisy_a", "cycle_noisy_b", "identity_a", "identity_b"),
    )

    name: Literal["unpaired"] = "unpaired"
    a: PictureSetConfig
    """The first kind."""
    b: PictureSetConfig
    """The second kind, of the same size and colours."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.data.pictures import load_unpaired
        from seqgan.evaluation.picture_tasks import picture_pair_task

        detectors = self.a.build_detector(), self.b.build_detector()
        return picture_pair_task(setup, load_unpaired(self), detectors)


DataConfig = Annotated[
    OracleDataConfig
    | ConditionalOracleConfig
    | TextDataConfig
    | HuggingFaceDataConfig
    | PointsDataConfig
    | PictureDataConfig
    | UnpairedPicturesConfig,
    ByName(),
]
