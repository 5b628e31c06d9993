"""Tokenizers whose tokens are parts of words, by other libraries: SentencePiece, and those of
`transformers` networks.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from seqgan.core.errors import UserError, note
from seqgan.core.hub import import_transformers, is_local, loading
from seqgan.core.saved_files import replacing
from seqgan.data.tokenizer_contract import (
    END,
    END_ID,
    UNKNOWN,
    UNKNOWN_ID,
    Tokenizer,
    before_end,
    write_settings,
)

MODEL_FILE = "tokenizer.model"
HF_FOLDER = "tokenizer"

LONGEST_PIECE = 16
"""Characters of a SentencePiece at most, as is the library's own rule."""


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
                f"{source}: not a SentencePiece model with an unknown token; train a new one"
            ) from error
        if self.end_id < 0:  # an unknown token is there: the library loads no model without
            raise UserError(
                f"{source}: the model has no end token; train it with eos_id set, or leave "
                f"data.tokenizer.model out to train one here"
            )

    @classmethod
    def from_lines(
        cls, lines: Sequence[str], vocab_size: int = 2_000, kind: str = "unigram"
    ) -> "SentencePieceTokenizer":
        """Train a model on `lines`, in memory and on one thread: the same lines, the same model."""
        sentencepiece = _import_sentencepiece()
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                vocab_size=vocab_size,
                hard_vocab_limit=False,  # of a text with fewer pieces, all of them
                model_type=kind,
                eos_id=END_ID,
                unk_id=UNKNOWN_ID,
                bos_id=-1,
                pad_id=-1,
                eos_piece=END,
                unk_piece=UNKNOWN,
                unk_surface=f" {UNKNOWN} ",
                num_threads=1,
                max_sentencepiece_length=LONGEST_PIECE,
                # The trainer leaves longer lines out without a word.
                max_sentence_length=1 + max(len(line.encode()) for line in lines),
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _impossible(vocab_size, lines, str(error)) from error
        tokenizer = cls(model.getvalue(), "the model just trained")
        if tokenizer.vocab_size < vocab_size:
            note(
                f"data.tokenizer.vocab_size={vocab_size}: the training text has "
                f"{tokenizer.vocab_size} different pieces, and all of them are used"
            )
        return tokenizer

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

    def surface(self, line: str) -> list[str]:
        pieces: list[str] = self._processor.encode(line, out_type=str)
        return [piece.replace("▁", " ").strip() for piece in pieces]

    def decode(self, ids: Iterable[int]) -> str:
        text = self._processor.decode(before_end(ids, self.end_id))
        return " ".join(text.split())

    def vocabulary(self) -> list[str]:
        return [self._processor.id_to_piece(index) for index in range(self.vocab_size)]

    def save(self, folder: Path) -> None:
        with replacing(folder / MODEL_FILE) as file:
            file.write(self._model)
        write_settings(folder, {"name": "sentencepiece"})


class HfTokenizer:
    """The tokenizer of a network of the `transformers` library, from a folder or a hub id.

    No token is put around a sentence. What ends one is the tokenizer's end token or, in BERT's
    kind, its separator. Tokenizers of bytes know every text; the end token, which many of them
    name as their unknown one, is then no unknown token. Special tokens that stand in a line are
    read as the characters that they are written with.
    """

    def __init__(self, path: str) -> None:
        transformers = import_transformers("data.tokenizer.name='hf'")
        files = "tokenizer.json and tokenizer_config.json"
        with loading("data.tokenizer.path", path, files):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                path, local_files_only=is_local(path)
            )
        end = self._tokenizer.eos_token_id
        if end is None:
            end = self._tokenizer.sep_token_id
        if end is None:
            raise UserError(
                f"data.tokenizer.path={path!r}: this tokenizer has neither an end token nor a "
                "separator; name an eos_token in its tokenizer_config.json"
            )
        self.end_id: int = end
        unknown = self._tokenizer.unk_token_id
        self.unk_id: int = -1 if unknown is None or unknown == end else unknown
        self.vocab_size: int = 1 + max(self._tokenizer.get_vocab().values())

    def encode(self, line: str) -> list[int]:
        ids = self._tokenizer.encode(line, add_special_tokens=False, split_special_tokens=True)
        # Where the vocabulary holds words, a line may still spell the end token.
        return [index for index in ids if index != self.end_id]

    def surface(self, line: str) -> list[str]:
        return []

    def decode(self, ids: Iterable[int]) -> str:
        text = self._tokenizer.decode(before_end(ids, self.end_id))
        return " ".join(text.split())

    def vocabulary(self) -> list[str]:
        pieces = self._tokenizer.convert_ids_to_tokens(list(range(self.vocab_size)))
        return [piece or "" for piece in pieces]  # ids may have gaps

    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder / HF_FOLDER)
        write_settings(folder, {"name": "hf"})


def lines_that_may_fit(lines: list[str], length: int, overlong: str) -> list[str]:
    """What pieces are learned from: of lines that cannot fit `length` columns, the part that might,
    or nothing where they are dropped.

    The time to train SentencePiece grows faster than the longest line: of a million characters it
    takes an hour.
    """
    room = LONGEST_PIECE * length
    if overlong == "drop":
        return [line for line in lines if len(line) <= room]
    return [line[:room] for line in lines]


def _impossible(vocab_size: int, lines: Sequence[str], reason: str) -> UserError:
    """The library's own words name options that are not ours."""
    field = f"data.tokenizer.vocab_size={vocab_size}"
    if "smaller than required_chars" in reason:
        return UserError(
            f"{field}: fewer entries than the training text has different characters; raise it"
        )
    return UserError(
        f"{field}: SentencePiece finds no pieces in these {len(lines)} training lines; give more "
        "text, or use data.tokenizer.name=word"
    )


def _import_sentencepiece() -> ModuleType:
    try:
        import sentencepiece
    except ImportError as error:
        raise UserError(
            "data.tokenizer.name='sentencepiece': the package sentencepiece is not installed; "
            "run: pip install 'seqgan[corpora]'"
        ) from error
    return sentencepiece


WORD_MARKS = {
    "\N{LOWER ONE EIGHTH BLOCK}": True,
    "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}": True,
    "##": False,
}
"""What SentencePiece, byte-level vocabularies and WordPiece put before a piece, and whether that
says that a word begins there (else that one goes on)."""


def word_starts(tokenizer: Tokenizer) -> list[bool] | None:
    """Which entries of the vocabulary begin a word: None where each is a word, [] where no entry
    has a mark that tells."""
    if not isinstance(tokenizer, SentencePieceTokenizer | HfTokenizer):
        return None
    pieces = tokenizer.vocabulary()
    # A piece may happen to begin like another kind's mark: the most frequent one is theirs.
    mark = max(WORD_MARKS, key=lambda mark: sum(piece.startswith(mark) for piece in pieces))
    marked = [piece.startswith(mark) for piece in pieces]
    return [piece == WORD_MARKS[mark] for piece in marked] if any(marked) else []
