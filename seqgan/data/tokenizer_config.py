"""Configuration of tokenizers. No torch here."""

from typing import Annotated, Literal

from seqgan.core.config import Config
from seqgan.core.extensions import ByName
from seqgan.core.numbers import Positive


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
