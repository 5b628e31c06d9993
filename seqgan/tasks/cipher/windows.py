"""Plain text and its cipher, never paired in training: the task of CipherGAN (Gomez et al. 2018).

27 tokens, space and a–z (`LetterTokenizer`), in windows of a fixed length without an end token.

    b_t = table[t mod period, a_t]

substitution   period 1; the row is a random permutation of all 27 tokens without fixed points.
vigenere       row p shifts by key[p] modulo 27; the shifts are different and none is 0.

Decisions
- A Vigenère key starts anew in every window (t counts from the window's start), as in CipherGAN.
- Disjoint sentences: repeated lines count once, the list is shuffled, the first sentences make the
  held-out windows, and of the rest one half becomes side a, the other half, encrypted, side b.
- Sentences are joined by a space and cut into windows that do not overlap, wherever the cut falls.
- Held-out row i of side b is the cipher of row i of side a. With `aligned` so are training rows.
- The text is a file of sentences, or generated (`sentences.py`).
- The key has a seed of its own: other text, same cipher.
"""

import re
from pathlib import Path

import numpy as np
import torch

from seqgan.core.errors import UserError
from seqgan.core.text_files import read_lines
from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import Corpus
from seqgan.data.tokenizers import LETTERS, LetterTokenizer
from seqgan.data.unpaired_text import Baselines, UnpairedText
from seqgan.tasks.cipher.sentences import write_sentences
from seqgan.tasks.drawn_pair import Ints, drawn_corpus

_VOCAB = len(LETTERS)
_NOT_LETTERS = re.compile("[^a-z]+")
_SENTENCES_AT_ONCE = 8_192


def make_cipher(
    sentences: dict[str, list[str]],
    table: Ints,
    length: int,
    sizes: dict[str, int],
    aligned: bool,
    baselines: Baselines,
) -> UnpairedText:
    """Both sides, of the sentences of `split_sentences`: at most `sizes` windows of each split.

    `aligned`: side b is the cipher of side a's own training windows.
    """
    windows = {name: _windows(lines, length) for name, lines in sentences.items()}
    train, valid, test = sizes["train"], sizes["valid"], sizes["test"]
    a = {
        "train": windows["a"][:train],
        "valid": windows["valid"][:valid],
        "test": windows["test"][:test],
    }
    plain_b = a | ({} if aligned else {"train": windows["b"][:train]})
    b = {name: apply_table(table, ids_NT) for name, ids_NT in plain_b.items()}
    sides = _side(a, length), _side(b, length)
    report = {"a": sides[0].report, "b": sides[1].report}
    return UnpairedText(
        *sides, paired=True, scorer=score_letters, report=report, baselines=baselines
    )


def cipher_table(kind: str, period: int, seed: int) -> Ints:
    """The key as a table [period, 27]: the cipher of token v at column t is [t mod period, v].

    `kind` is substitution (of period 1) or vigenere.
    """
    stream = np.random.RandomState(seed)
    if kind == "vigenere":
        shift_P = 1 + stream.permutation(_VOCAB - 1)[:period]
        return (np.arange(_VOCAB) + shift_P[:, None]) % _VOCAB
    while True:
        permutation_V = stream.permutation(_VOCAB)
        if (permutation_V != np.arange(_VOCAB)).all():
            return permutation_V[None].astype(np.int64)


def inverse_table(table: Ints) -> Ints:
    """The table that undoes `table`."""
    return np.argsort(table, axis=1)


def apply_table(table: Ints, ids_NT: Ints) -> Ints:
    """Replace every token by the entry of its column's row of the table [period, V]."""
    row_T = np.arange(ids_NT.shape[1]) % len(table)
    return table[row_T, ids_NT]


def score_letters(
    direction: str, sources: list[str], outputs: list[str], references: list[str]
) -> dict[str, float]:
    """`accuracy`: the share of the references' tokens that the outputs have in the same place."""
    pairs = zip(outputs, references, strict=True)
    right = sum(x == y for pair in pairs for x, y in zip(*pair, strict=False))
    return {"accuracy": right / max(sum(map(len, references)), 1)}


def split_sentences(
    path: str | None, length: int, sizes: dict[str, int], seed: int
) -> dict[str, list[str]]:
    """Sentences of `valid`, `test`, `a` and `b`, as small letters and spaces; no two are equal.

    `path`: a file of sentences; None: they are generated, for `sizes` windows of `length`. Raises
    `UserError` for a file that is too short for the windows asked for.
    """
    stream = np.random.RandomState(seed)
    if path is None:
        windows = 2 * sizes["train"] + sizes["valid"] + sizes["test"]
        # A little more text than the windows need: halves are uneven.
        sentences = _generate(int(1.02 * windows * length) + 20_000, stream)
    else:
        lines = (_NOT_LETTERS.sub(" ", line.lower()) for line in read_lines(Path(path)))
        sentences = [line for line in dict.fromkeys(map(str.strip, lines)) if line]
        if not sentences:
            raise UserError(f"{path}: no line has a letter a–z; give other text")
    shuffled = [sentences[index] for index in stream.permutation(len(sentences))]
    # A sentence and its space each; the last one is followed by none.
    end_N = np.cumsum([len(sentence) + 1 for sentence in shuffled]) - 1
    valid = 1 + int(np.searchsorted(end_N, sizes["valid"] * length))
    behind_valid = end_N[min(valid, len(end_N)) - 1] + 1
    test = 1 + int(np.searchsorted(end_N, behind_valid + sizes["test"] * length))
    half = test + (len(shuffled) - test) // 2
    split = {
        "valid": shuffled[:valid],
        "test": shuffled[valid:test],
        "a": shuffled[test:half],
        "b": shuffled[half:],
    }
    if min(_letters(split["a"]), _letters(split["b"])) < length:
        raise UserError(
            f"{path}: {len(shuffled)} different sentences with {int(end_N[-1])} letters and spaces "
            f"do not fill data.valid={sizes['valid']} and data.test={sizes['test']} windows of "
            f"data.length={length} and leave text to train on; lower them, or give more text"
        )
    return split


def _generate(needed: int, stream: np.random.RandomState) -> list[str]:
    """Different sentences of `needed` letters and spaces at least."""
    sentences: dict[str, None] = {}
    while _letters(sentences) < needed:
        sentences.update(dict.fromkeys(write_sentences(_SENTENCES_AT_ONCE, stream)))
    return list(sentences)


def _letters(sentences: list[str] | dict[str, None]) -> int:
    """Letters and spaces of sentences that are joined by a space."""
    return max(sum(map(len, sentences)) + len(sentences) - 1, 0)


def _windows(sentences: list[str], length: int) -> Ints:
    text = " ".join(sentences).encode("ascii")
    code = np.frombuffer(text, dtype=np.uint8)[: len(text) // length * length].astype(np.int64)
    return np.where(code == ord(" "), 0, code - ord("a") + 1).reshape(-1, length)


def _side(splits: dict[str, Ints], length: int) -> Corpus:
    tokenizer = LetterTokenizer()
    rows = {
        name: (torch.from_numpy(ids_NT), [tokenizer.decode(row) for row in ids_NT.tolist()])
        for name, ids_NT in splits.items()
    }
    return drawn_corpus(SequenceSpace(_VOCAB, length), tokenizer, rows)
