"""Tokenizers: lines of text to lists of ids and back, torch-free.

All kinds keep one contract (`Tokenizer`); those of words and pieces have, when built here, the
same two special ids: 0 = `<eos>` ends a sentence and fills the columns behind it, 1 = `<unk>`
stands for whatever the vocabulary lacks. (A SentencePiece model trained elsewhere keeps its own
ids, and so does a Hugging Face tokenizer; ask `end_id`.) Letters have neither: their sequences
fill all columns.

Decisions
- Ids depend on the training lines only: words are ordered by frequency, then alphabetically, and
  SentencePiece is trained on one thread. The same lines give the same ids in every process.
- Text can never spell the end symbol: an `<eos>` that stands in a line is an unknown word.
- Decoding joins words with spaces; punctuation that was split off stays split off.
- A run folder keeps `tokenizer.json` beside `vocabulary.txt`, `tokenizer.model` or the folder
  `tokenizer` (`save`, `load_tokenizer`), so that a run outlives the files it was trained on.
"""

import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from seqgan.core.errors import UserError
from seqgan.core.hub import cannot_load, import_transformers, is_local
from seqgan.core.saved_files import read_json, replacing, write_json, write_text
from seqgan.core.text_files import read_lines
from seqgan.data.config import (
    HfTokenizerConfig,
    SentencePieceConfig,
    TokenizerConfig,
    WordTokenizerConfig,
)

END = "<eos>"
UNKNOWN = "<unk>"
END_ID = 0
UNKNOWN_ID = 1
LETTERS = " abcdefghijklmnopqrstuvwxyz"

SETTINGS_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocabulary.txt"
MODEL_FILE = "tokenizer.model"
HF_FOLDER = "tokenizer"

_PUNCTUATION = re.compile(r"""([.,!?;:"'()])""")


class Tokenizer(Protocol):
    """What data, sampling and reports ask of a tokenizer."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def end_id(self) -> int: ...

    @property
    def unk_id(self) -> int:
        """−1 where there is no such symbol."""
        ...

    def encode(self, line: str) -> list[int]:
        """The ids of a line, without the end symbol."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text before the first end symbol."""
        ...

    def vocabulary(self) -> list[str]:
        """The entry of every id, in order."""
        ...

    def save(self, folder: Path) -> None:
        """Write the files that `load_tokenizer(folder)` reads."""
        ...


class WordTokenizer:
    """Words between spaces; `words` are the entries behind `<eos>` and `<unk>`, without them."""

    end_id = END_ID
    unk_id = UNKNOWN_ID

    def __init__(self, words: Iterable[str], lowercase: bool, split_punctuation: bool) -> None:
        self.lowercase = lowercase
        self.split_punctuation = split_punctuation
        self._entries = [END, UNKNOWN, *words]
        self._ids = {word: index for index, word in enumerate(self._entries)}
        del self._ids[END]  # text cannot spell the end symbol

    @classmethod
    def from_lines(cls, config: WordTokenizerConfig, lines: Iterable[str]) -> "WordTokenizer":
        """Build the vocabulary of `lines`: most frequent first, ties alphabetically."""
        tokenizer = cls([], config.lowercase, config.split_punctuation)
        counts = Counter(word for line in lines for word in tokenizer.split(line))
        frequent = (word for word, count in counts.items() if count >= config.min_count)
        ordered = sorted(
            (word for word in frequent if word not in (END, UNKNOWN)),
            key=lambda word: (-counts[word], word),
        )
        if config.max_size is not None:
            ordered = ordered[: max(config.max_size - 2, 0)]
        if not ordered:
            raise UserError(
                f"data.tokenizer: min_count={config.min_count}, max_size={config.max_size} leave "
                f"no word of the training text; lower min_count or raise max_size (at least 3)"
            )
        return cls(ordered, config.lowercase, config.split_punctuation)

    @classmethod
    def from_file(
        cls, path: Path, lowercase: bool = True, split_punctuation: bool = True
    ) -> "WordTokenizer":
        """Read a vocabulary with one entry a line. The special symbols move to ids 0 and 1."""
        entries = [line.strip() for line in read_lines(path)]
        _check_entries(path, entries)
        words = [entry for entry in entries if entry not in (END, UNKNOWN)]
        return cls(words, lowercase, split_punctuation)

    @property
    def vocab_size(self) -> int:
        return len(self._entries)

    def split(self, line: str) -> list[str]:
        """The words of a line, known or not."""
        return _split_words(line, self.lowercase, self.split_punctuation)

    def encode(self, line: str) -> list[int]:
        return [self._ids.get(word, UNKNOWN_ID) for word in self.split(line)]

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._entries[index] for index in _before_end(ids, END_ID))

    def vocabulary(self) -> list[str]:
        return list(self._entries)

    def save(self, folder: Path) -> None:
        vocabulary = "".join(f"{entry}\n" for entry in self._entries)
        write_text(folder / VOCABULARY_FILE, vocabulary)
        _write_settings(
            folder,
            {
                "name": "word",
                "lowercase": self.lowercase,
                "split_punctuation": self.split_punctuation,
            },
        )


class SentencePieceTokenizer:
    """A SentencePiece model, given as the bytes of its `.model` file.

    `source` names the model in error messages.
    """

    def __init__(self, model: bytes, source: str) -> None:
        sentencepiece = _import_sentencepiece()
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise UserError(
                f"{source}: not a SentencePiece model with an unknown symbol; train a new one"
            ) from error
        if self.end_id < 0:  # an unknown symbol is there: the library loads no model without
            raise UserError(
                f"{source}: the model has no end symbol; train it with eos_id set, or leave "
                f"data.tokenizer.model out to train one here"
            )

    @classmethod
    def from_lines(
        cls, config: SentencePieceConfig, lines: Sequence[str]
    ) -> "SentencePieceTokenizer":
        """Train a model on `lines`, in memory and on one thread: the same lines, the same model."""
        sentencepiece = _import_sentencepiece()
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                vocab_size=config.vocab_size,
                model_type=config.kind,
                eos_id=END_ID,
                unk_id=UNKNOWN_ID,
                bos_id=-1,
                pad_id=-1,
                eos_piece=END,
                unk_piece=UNKNOWN,
                unk_surface=f" {UNKNOWN} ",
                num_threads=1,
                # The trainer leaves longer lines out without a word.
                max_sentence_length=1 + max(len(line.encode()) for line in lines),
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2].rstrip(".")
            raise UserError(
                f"data.tokenizer.vocab_size={config.vocab_size}: SentencePiece cannot make this "
                f"vocabulary of {len(lines)} training lines ({reason}); change vocab_size to suit "
                f"the text, or use data.tokenizer.name=word"
            ) from error
        return cls(model.getvalue(), "the model just trained")

    @classmethod
    def from_file(cls, path: Path) -> "SentencePieceTokenizer":
        """Load a `.model` file, trained here or elsewhere."""
        if not path.is_file():
            raise UserError(f"{path}: no such SentencePiece model; check data.tokenizer.model")
        return cls(path.read_bytes(), str(path))

    @property
    def vocab_size(self) -> int:
        return self._processor.vocab_size()

    @property
    def end_id(self) -> int:
        return self._processor.eos_id()

    @property
    def unk_id(self) -> int:
        return self._processor.unk_id()

    def encode(self, line: str) -> list[int]:
        return self._processor.encode(line)

    def decode(self, ids: Iterable[int]) -> str:
        text = self._processor.decode(_before_end(ids, self.end_id))
        return " ".join(text.split())

    def vocabulary(self) -> list[str]:
        return [self._processor.id_to_piece(index) for index in range(self.vocab_size)]

    def save(self, folder: Path) -> None:
        with replacing(folder / MODEL_FILE) as file:
            file.write(self._model)
        _write_settings(folder, {"name": "sentencepiece"})


class HfTokenizer:
    """The tokenizer of a network of the `transformers` library, from a folder or a hub id.

    No symbol is put around a sentence. What ends one is the tokenizer's end symbol or, in BERT's
    kind, its separator. Tokenizers of bytes know every text; the end symbol, which many of them
    name as their unknown one, is then no unknown symbol. Special symbols that stand in a line are
    read as the characters that they are written with.
    """

    def __init__(self, path: str) -> None:
        transformers = import_transformers("data.tokenizer.name='hf'")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                path, local_files_only=is_local(path)
            )
        except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
            files = "tokenizer.json and tokenizer_config.json"
            raise cannot_load("data.tokenizer.path", path, files, error) from error
        end = self._tokenizer.eos_token_id
        if end is None:
            end = self._tokenizer.sep_token_id
        if end is None:
            raise UserError(
                f"data.tokenizer.path={path!r}: this tokenizer has neither an end symbol nor a "
                "separator; name an eos_token in its tokenizer_config.json"
            )
        self.end_id: int = end
        unknown = self._tokenizer.unk_token_id
        self.unk_id: int = -1 if unknown is None or unknown == end else unknown
        self.vocab_size: int = 1 + max(self._tokenizer.get_vocab().values())

    def encode(self, line: str) -> list[int]:
        ids = self._tokenizer.encode(line, add_special_tokens=False, split_special_tokens=True)
        # Where the vocabulary holds words, a line may still spell the end symbol.
        return [index for index in ids if index != self.end_id]

    def decode(self, ids: Iterable[int]) -> str:
        text = self._tokenizer.decode(_before_end(ids, self.end_id))
        return " ".join(text.split())

    def vocabulary(self) -> list[str]:
        pieces = self._tokenizer.convert_ids_to_tokens(list(range(self.vocab_size)))
        return [piece or "" for piece in pieces]  # ids may have gaps

    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder / HF_FOLDER)
        _write_settings(folder, {"name": "hf"})


class LetterTokenizer:
    """Space and a–z as ids 0 … 26, nothing else: whatever is no small letter reads as a space.

    There is no end symbol, and spaces at either end are symbols like any other.
    """

    end_id: Any = None  # the corpora of words, for which the protocol says int, never meet it
    unk_id = 0

    @property
    def vocab_size(self) -> int:
        return len(LETTERS)

    def encode(self, line: str) -> list[int]:
        return [max(LETTERS.find(letter), 0) for letter in line]

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(LETTERS[int(index)] for index in ids)

    def vocabulary(self) -> list[str]:
        return list(LETTERS)

    def save(self, folder: Path) -> None:
        _write_settings(folder, {"name": "letters"})


def build_tokenizer(config: TokenizerConfig, training_lines: Sequence[str]) -> Tokenizer:
    """The tokenizer that `config` describes: read from its file, else built on these lines."""
    if isinstance(config, WordTokenizerConfig):
        if config.vocabulary is None:
            return WordTokenizer.from_lines(config, training_lines)
        return WordTokenizer.from_file(
            Path(config.vocabulary), config.lowercase, config.split_punctuation
        )
    if isinstance(config, HfTokenizerConfig):
        return HfTokenizer(config.path)
    if config.model is None:
        return SentencePieceTokenizer.from_lines(config, training_lines)
    return SentencePieceTokenizer.from_file(Path(config.model))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read what `save` wrote. Raises `UserError` where files are missing or damaged."""
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file; {folder} holds no tokenizer")
    settings = read_json(path, "restore it from a copy of the run")
    try:
        if settings["name"] == "sentencepiece":
            return SentencePieceTokenizer.from_file(folder / MODEL_FILE)
        if settings["name"] == "letters":
            return LetterTokenizer()
        if settings["name"] == "hf":
            return HfTokenizer(str(folder / HF_FOLDER))
        return WordTokenizer.from_file(
            folder / VOCABULARY_FILE, settings["lowercase"], settings["split_punctuation"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({error!r}); restore it from a copy of the run"
        ) from error


def canonical_form(config: TokenizerConfig) -> Callable[[str], str]:
    """Map lines to what such a tokenizer sees of them; lines of one form are duplicates.

    It needs no vocabulary: splits are made before there is one.
    """
    if isinstance(config, WordTokenizerConfig):
        lowercase, punctuation = config.lowercase, config.split_punctuation
        return lambda line: " ".join(_split_words(line, lowercase, punctuation))
    if isinstance(config, HfTokenizerConfig):
        return lambda line: " ".join(line.split())
    return lambda line: " ".join(unicodedata.normalize("NFKC", line).split())


def _split_words(line: str, lowercase: bool, split_punctuation: bool) -> list[str]:
    if lowercase:
        line = line.lower()
    if split_punctuation:
        line = _PUNCTUATION.sub(r" \1 ", line)
    return line.split()


def _before_end(ids: Iterable[int], end_id: int) -> list[int]:
    sentence = [int(index) for index in ids]
    return sentence[: sentence.index(end_id)] if end_id in sentence else sentence


def _check_entries(path: Path, entries: list[str]) -> None:
    for symbol in (END, UNKNOWN):
        if symbol not in entries:
            raise UserError(f"{path}: the vocabulary lacks {symbol}; add a line that holds it")
    entry, count = Counter(entries).most_common(1)[0]
    if count > 1:
        raise UserError(f"{path}: '{entry}' stands {count} times in the vocabulary; keep it once")
    for entry in entries:
        if len(entry.split()) > 1:
            raise UserError(f"{path}: '{entry}' is more than one word; write one entry a line")


def _write_settings(folder: Path, settings: dict[str, Any]) -> None:
    write_json(folder / SETTINGS_FILE, settings)


def _import_sentencepiece() -> ModuleType:
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "data.tokenizer.name='sentencepiece': the package sentencepiece is not installed; "
            "run: pip install 'seqgan[corpora]'"
        ) from error
    return sentencepiece
