"""Tokenizers: lines of text to lists of ids and back, torch-free.

Those of words, characters and pieces have, when built here, the same two special ids: 0 = `<eos>`
ends a sentence and fills the columns behind it, 1 = `<unk>` stands for whatever the vocabulary
lacks. Models trained elsewhere keep their own ids. Letters have neither: they fill all columns.

Decisions
- Ids depend on the training lines only: entries are ordered by frequency, then alphabetically, and
  SentencePiece is trained on one thread. The same lines give the same ids in every process.
- Text can never spell the end token: an `<eos>` that stands in a line is an unknown word.
- Decoding joins words with spaces; punctuation that was split off stays split off. Characters are
  joined as they are, and a space is one of them.
- A character is a grapheme cluster of Unicode: a letter with its marks, an emoji of several parts.
- A run folder keeps `tokenizer.json` beside `vocabulary.txt`, `tokenizer.model` or the folder
  `tokenizer` (`save`, `load_tokenizer`), so that a run outlives the files it was trained on.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import regex

from seqgan.core.errors import UserError
from seqgan.core.saved_files import read_json, write_text
from seqgan.core.text_files import read_lines
from seqgan.data.subword_tokenizers import (
    HF_FOLDER,
    MODEL_FILE,
    HfTokenizer,
    SentencePieceTokenizer,
)
from seqgan.data.tokenizer_contract import (
    END,
    END_ID,
    SETTINGS_FILE,
    UNKNOWN,
    UNKNOWN_ID,
    Tokenizer,
    before_end,
    write_settings,
)

LETTERS = " abcdefghijklmnopqrstuvwxyz"

VOCABULARY_FILE = "vocabulary.txt"

_PUNCTUATION = re.compile(r"""([.,!?;:"'()])""")
_CHARACTER = regex.compile(r"\X")

FOR_TEXT_WITHOUT_SPACES = (
    "for text without spaces between words (Chinese, Japanese, Thai) set "
    "'data.tokenizer={name: char}'"
)
"""A remedy, with what to type."""


class WordTokenizer:
    """Words between spaces; `words` are the entries behind `<eos>` and `<unk>`, without them."""

    end_id = END_ID
    unk_id = UNKNOWN_ID

    def __init__(self, words: Iterable[str], lowercase: bool, split_punctuation: bool) -> None:
        self.lowercase = lowercase
        self.split_punctuation = split_punctuation
        self._entries = [END, UNKNOWN, *words]
        self._ids = {word: index for index, word in enumerate(self._entries)}
        del self._ids[END]  # text cannot spell the end token

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[str],
        lowercase: bool = True,
        split_punctuation: bool = True,
        min_count: int = 2,
        max_size: int | None = None,
    ) -> "WordTokenizer":
        """Build the vocabulary of `lines`: most frequent first, ties alphabetically.

        >>> WordTokenizer.from_lines(["a cat", "A dog."], min_count=1).vocabulary()
        ['<eos>', '<unk>', 'a', '.', 'cat', 'dog']
        """
        tokenizer = cls([], lowercase, split_punctuation)
        counts = Counter(word for line in lines for word in tokenizer.split(line))
        ordered = _most_frequent(counts, min_count, max_size)
        if not ordered:
            raise UserError(
                f"data.tokenizer: min_count={min_count}, max_size={max_size} leave "
                "no word of the training text; lower min_count or raise max_size (at least 3), or "
                f"{FOR_TEXT_WITHOUT_SPACES}"
            )
        return cls(ordered, lowercase, split_punctuation)

    @classmethod
    def from_file(
        cls,
        path: Path,
        lowercase: bool = True,
        split_punctuation: bool = True,
        respell: bool = True,
    ) -> "WordTokenizer":
        """Read a vocabulary with one entry per line. The special tokens move to ids 0 and 1.

        Without `respell` entries are taken letter by letter: a run's ids must not move.
        """
        entries = [line.strip() for line in read_lines(path, respell=respell)]
        _check_entries(path, entries)
        words = [entry for entry in entries if entry not in (END, UNKNOWN)]
        return cls(words, lowercase, split_punctuation)

    @property
    def vocab_size(self) -> int:
        return len(self._entries)

    def split(self, line: str) -> list[str]:
        """The words of a line, known or not."""
        return split_words(line, self.lowercase, self.split_punctuation)

    def encode(self, line: str) -> list[int]:
        return [self._ids.get(word, UNKNOWN_ID) for word in self.split(line)]

    def surface(self, line: str) -> list[str]:
        return self.split(line)

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._entries[index] for index in before_end(ids, END_ID))

    def vocabulary(self) -> list[str]:
        return list(self._entries)

    def save(self, folder: Path) -> None:
        vocabulary = "".join(f"{entry}\n" for entry in self._entries)
        write_text(folder / VOCABULARY_FILE, vocabulary)
        write_settings(
            folder,
            {
                "name": "word",
                "lowercase": self.lowercase,
                "split_punctuation": self.split_punctuation,
            },
        )


class CharTokenizer:
    """Characters; `characters` are the entries behind `<eos>` and `<unk>`, without them.

    White space of any kind and length reads as one space, at either end as nothing.
    """

    end_id = END_ID
    unk_id = UNKNOWN_ID

    def __init__(self, characters: Sequence[str]) -> None:
        self._entries = [END, UNKNOWN, *characters]
        self._ids = {character: index for index, character in enumerate(self._entries)}

    @classmethod
    def from_lines(
        cls, lines: Iterable[str], min_count: int = 2, max_size: int | None = None
    ) -> "CharTokenizer":
        """Build the vocabulary of `lines`: most frequent first, ties by code point."""
        counts = Counter(character for line in lines for character in _characters(line))
        characters = _most_frequent(counts, min_count, max_size)
        if not characters:
            raise UserError(
                f"data.tokenizer: min_count={min_count}, max_size={max_size} leave "
                "no character of the training text; lower min_count or raise max_size (at least 3)"
            )
        return cls(characters)

    @property
    def vocab_size(self) -> int:
        return len(self._entries)

    def encode(self, line: str) -> list[int]:
        return [self._ids.get(character, UNKNOWN_ID) for character in _characters(line)]

    def surface(self, line: str) -> list[str]:
        return _characters(line)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._entries[index] for index in before_end(ids, END_ID))

    def vocabulary(self) -> list[str]:
        return list(self._entries)

    def save(self, folder: Path) -> None:
        # Not in lines of a file: a space is an entry, and so may a line separator be.
        write_settings(folder, {"name": "char", "characters": self._entries[2:]})


class LetterTokenizer:
    """Space and a–z as ids 0 … 26, nothing else: whatever is no small letter reads as a space.

    There is no end token, and spaces at either end are tokens like any other.
    """

    end_id: Any = None  # the corpora of words, for which the protocol says int, never meet it
    unk_id = 0

    @property
    def vocab_size(self) -> int:
        return len(LETTERS)

    def encode(self, line: str) -> list[int]:
        return [max(LETTERS.find(letter), 0) for letter in line]

    def surface(self, line: str) -> list[str]:
        return list(line)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(LETTERS[int(index)] for index in ids)

    def vocabulary(self) -> list[str]:
        return list(LETTERS)

    def save(self, folder: Path) -> None:
        write_settings(folder, {"name": "letters"})


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read what `save` wrote. Raises `UserError` where files are missing or damaged."""
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file; {folder} holds no tokenizer")
    settings = read_json(path, "restore it from a copy of the run")
    try:
        if settings["name"] == "sentencepiece":
            return SentencePieceTokenizer.from_file(folder / MODEL_FILE)
        if settings["name"] == "char":
            return CharTokenizer(settings["characters"])
        if settings["name"] == "letters":
            return LetterTokenizer()
        if settings["name"] == "hf":
            return HfTokenizer(str(folder / HF_FOLDER))
        return WordTokenizer.from_file(
            folder / VOCABULARY_FILE,
            settings["lowercase"],
            settings["split_punctuation"],
            respell=False,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged (describes no tokenizer); restore it from a copy of the run"
        ) from error


def split_words(line: str, lowercase: bool, split_punctuation: bool) -> list[str]:
    """The words between spaces, with punctuation apart where asked for."""
    if lowercase:
        line = line.lower()
    if split_punctuation:
        line = _PUNCTUATION.sub(r" \1 ", line)
    return line.split()


def _characters(line: str) -> list[str]:
    return _CHARACTER.findall(" ".join(line.split()))


def _most_frequent(counts: Counter[str], min_count: int, max_size: int | None) -> list[str]:
    """The entries of a vocabulary behind the special ones, of which `max_size` counts two."""
    ordered = sorted(
        (
            entry
            for entry, count in counts.items()
            if count >= min_count and entry not in (END, UNKNOWN)
        ),
        key=lambda entry: (-counts[entry], entry),
    )
    return ordered if max_size is None else ordered[: max(max_size - 2, 0)]


def _check_entries(path: Path, entries: list[str]) -> None:
    for token in (END, UNKNOWN):
        if token not in entries:
            raise UserError(f"{path}: the vocabulary lacks {token}; add a line that holds it")
    entry, count = Counter(entries).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: '{entry}' stands {count} times in the vocabulary; keep it once")
    for entry in entries:
        if len(entry.split()) > 1:
            raise UserError(f"{path}: '{entry}' is more than one word; write one entry a line")
