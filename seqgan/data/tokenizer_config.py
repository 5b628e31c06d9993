"""Configuration of tokenizers. No torch here."""

import unicodedata
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Positive
from seqgan.core.parts import Part

if TYPE_CHECKING:
    from seqgan.data.tokenizer_contract import Canonical, Tokenizer, TokenizerRecipe


class TokenizerPart(Part):
    """Base of the configurations of tokenizers."""

    cuts_words: ClassVar[bool] = False
    """Whether words stand between spaces in the lines of `build_canonical`, punctuation apart."""

    @property
    def counts_words(self) -> bool:
        """Whether the vocabulary is made of the words of the training text."""
        return False

    @abstractmethod
    def build(self, lines: Sequence[str]) -> "Tokenizer":
        """The tokenizer; one that is learned, of `lines`."""

    @abstractmethod
    def build_canonical(self) -> "Canonical":
        """Lines to what the tokenizer reads of them, known before there is a vocabulary."""

    def lines_to_learn_from(self, lines: list[str], length: int, overlong: str) -> list[str]:
        """What `build` is given of training lines that have to fit `length` columns."""
        return lines

    def build_recipe(self) -> "TokenizerRecipe":
        """All of this as plain functions."""
        from seqgan.data.tokenizer_contract import TokenizerRecipe

        canonical = self.build_canonical()
        return TokenizerRecipe(self.build, canonical, self.lines_to_learn_from, self.counts_words)


class WordTokenizerConfig(TokenizerPart):
    """Whitespace-separated words, the most frequent first."""

    cuts_words: ClassVar[bool] = True

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

    @property
    def counts_words(self) -> bool:
        return self.vocabulary is None

    def build(self, lines: Sequence[str]) -> "Tokenizer":
        """The tokenizer: that of the file, else of the words of `lines`."""
        from seqgan.data.tokenizers import WordTokenizer

        if self.vocabulary is not None:
            path = Path(self.vocabulary)
            return WordTokenizer.from_file(path, self.lowercase, self.split_punctuation)
        return WordTokenizer.from_lines(
            lines, self.lowercase, self.split_punctuation, self.min_count, self.max_size
        )

    def build_canonical(self) -> "Canonical":
        from seqgan.data.tokenizers import split_words

        return lambda line: " ".join(split_words(line, self.lowercase, self.split_punctuation))


class CharTokenizerConfig(TokenizerPart):
    """Characters as people see them, marks and joined emoji included: for text without spaces
    between words, such as Chinese, Japanese and Thai."""

    name: Literal["char"] = "char"
    min_count: Positive = 2
    """Rarer characters become <unk>."""
    max_size: Positive | None = None
    """Vocabulary entries at most, the two special tokens included."""

    def build(self, lines: Sequence[str]) -> "Tokenizer":
        from seqgan.data.tokenizers import CharTokenizer

        return CharTokenizer.from_lines(lines, self.min_count, self.max_size)

    def build_canonical(self) -> "Canonical":
        return lambda line: " ".join(line.split())


class SentencePieceConfig(TokenizerPart):
    """A SentencePiece model, trained on the training split or loaded from `model`."""

    name: Literal["sentencepiece"] = "sentencepiece"
    vocab_size: Positive = 2_000
    """Vocabulary entries of a trained model, special tokens included; fewer where the text has
    fewer pieces."""
    kind: Literal["unigram", "bpe"] = "unigram"
    """Algorithm that finds the pieces."""
    model: str | None = None
    """A trained .model file to use instead of training one."""

    def build(self, lines: Sequence[str]) -> "Tokenizer":
        from seqgan.data.subword_tokenizers import SentencePieceTokenizer

        if self.model is not None:
            return SentencePieceTokenizer.from_file(Path(self.model))
        return SentencePieceTokenizer.from_lines(lines, self.vocab_size, self.kind)

    def build_canonical(self) -> "Canonical":
        return lambda line: " ".join(unicodedata.normalize("NFKC", line).split())

    def lines_to_learn_from(self, lines: list[str], length: int, overlong: str) -> list[str]:
        from seqgan.data.subword_tokenizers import lines_that_may_fit

        return lines_that_may_fit(lines, length, overlong)


class HfTokenizerConfig(TokenizerPart):
    """The tokenizer of a network of the `transformers` library."""

    name: Literal["hf"] = "hf"
    path: str
    """Hub id such as `distilgpt2`, or a local folder; usually the network's own."""

    def build(self, lines: Sequence[str]) -> "Tokenizer":
        from seqgan.data.subword_tokenizers import HfTokenizer

        return HfTokenizer(self.path)

    def build_canonical(self) -> "Canonical":
        return lambda line: " ".join(line.split())


TokenizerConfig = Annotated[
    WordTokenizerConfig | CharTokenizerConfig | SentencePieceConfig | HfTokenizerConfig,
    ByName(),
]
