"""Configuration of data: oracles with a known density, text files, Hugging Face corpora."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config

Positive = Annotated[int, Field(gt=0)]


class RandomOracleConfig(Config):
    """A recurrent network with N(0, std²) parameters drawn from a seed."""

    name: Literal["random_lstm", "random_gru"]
    vocab_size: Annotated[int, Field(gt=1)] = 8
    length: Positive = 4
    """Symbols a sequence."""
    embed: Positive = 16
    hidden: Positive = 32
    std: Annotated[float, Field(gt=0)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0
    sha256: str | None = None
    """First hex digits of the parameters' SHA-256; building stops where they differ."""


class PaperOracleConfig(Config):
    """The SeqGAN paper's oracle LSTM from its published parameters (.npz)."""

    name: Literal["seqgan_paper"]
    path: str
    """The .npz file with arrays embeddings, Wi, Ui, bi, … Wo, bo."""
    length: Positive = 20


class PalindromeOracleConfig(Config):
    """A Markov chain writes the first half; the second half is its mirror image."""

    name: Literal["palindrome"]
    vocab_size: Annotated[int, Field(gt=1)] = 8
    length: Annotated[int, Field(gt=1, multiple_of=2)] = 12
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the chain's initial and transition probabilities."""


class CopyOracleConfig(Config):
    """A Markov chain writes the first half; the second half repeats it."""

    name: Literal["copy"]
    vocab_size: Annotated[int, Field(gt=1)] = 8
    length: Annotated[int, Field(gt=1, multiple_of=2)] = 12
    seed: Annotated[int, Field(ge=0)] = 0


class BracketsOracleConfig(Config):
    """Balanced strings over `pairs` kinds of brackets, each as likely as any other."""

    name: Literal["brackets"]
    pairs: Positive = 2
    length: Annotated[int, Field(gt=1, multiple_of=2)] = 12


OracleConfig = Annotated[
    RandomOracleConfig
    | PaperOracleConfig
    | PalindromeOracleConfig
    | CopyOracleConfig
    | BracketsOracleConfig,
    Field(discriminator="name"),
]


class OracleDataConfig(Config):
    """Samples of an oracle. Training data are a fixed set, or drawn afresh for ever."""

    name: Literal["oracle"]
    oracle: OracleConfig
    train: Positive = 10_000
    """Training sequences; with `fresh`, the size of each block that is drawn."""
    fresh: bool = False
    """Draw a new block whenever one is used up, so that no sequence is seen twice."""
    valid: Positive = 2_000
    test: Positive = 5_000
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the samples (not of the oracle)."""


class WordTokenizerConfig(Config):
    """Whitespace-separated words, the most frequent first."""

    name: Literal["word"]
    lowercase: bool = True
    split_punctuation: bool = True
    """Make . , ! ? ; : " ' ( ) words of their own."""
    min_count: Positive = 1
    """Rarer words become <unk>."""
    max_size: Positive | None = None
    """Vocabulary entries at most, the two special symbols included."""
    vocabulary: str | None = None
    """A file with one entry a line to use instead; it must hold <eos> and <unk>."""


class SentencePieceConfig(Config):
    """A SentencePiece model, trained on the training split or loaded from `model`."""

    name: Literal["sentencepiece"]
    vocab_size: Positive = 2_000
    kind: Literal["unigram", "bpe"] = "unigram"
    model: str | None = None
    """A trained .model file to use instead of training one."""


TokenizerConfig = Annotated[WordTokenizerConfig | SentencePieceConfig, Field(discriminator="name")]


class CorpusConfig(Config):
    """What text files and Hugging Face corpora have in common."""

    tokenizer: TokenizerConfig = WordTokenizerConfig(name="word")
    length: Annotated[int, Field(gt=1)] = 32
    """Columns of a sequence, the end symbol included."""
    overlong: Literal["error", "drop", "truncate"] = "error"
    """What to do with sentences that do not fit; drops and cuts are counted and reported."""
    max_train: Positive | None = None
    """Use the first so many training sentences only."""


class TextDataConfig(CorpusConfig):
    """One sentence a line, plain or gzipped, UTF-8."""

    name: Literal["text"]
    path: str
    """The training file."""
    valid_path: str | None = None
    test_path: str | None = None
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of the training file held out as validation data where no file is given."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share held out as test data where no file is given."""
    split_seed: Annotated[int, Field(ge=0)] = 0


class HuggingFaceDataConfig(CorpusConfig):
    """A corpus of the `datasets` library: a hub id, or a local folder or file."""

    name: Literal["huggingface"]
    dataset: str
    """Hub id such as `wikitext`, or a local path."""
    subset: str | None = None
    column: str = "text"
    train_split: str = "train"
    valid_split: str | None = "validation"
    test_split: str | None = "test"
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.05
    split_seed: Annotated[int, Field(ge=0)] = 0


DataConfig = Annotated[
    OracleDataConfig | TextDataConfig | HuggingFaceDataConfig, Field(discriminator="name")
]
