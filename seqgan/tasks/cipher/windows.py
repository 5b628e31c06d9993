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

import hashlib
import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.text_files import read_lines
from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import EncodedSplit
from seqgan.data.tokenizers import LETTERS, LetterTokenizer
from seqgan.data.unpaired_text import TextSide, UnpairedText
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.cipher.sentences import write_sentences

Ints = NDArray[np.int64]

_VOCAB = len(LETTERS)
_NOT_LETTERS = re.compile("[^a-z]+")
_SENTENCES_AT_ONCE = 8_192


def load_cipher(config: CipherDataConfig) -> UnpairedText:
    """Both sides. Raises `UserError` for a file that is too short for the windows asked for."""
    sentences = split_sentences(config)
    plain = {name: _windows(lines, config.length) for name, lines in sentences.items()}
    plain["valid"] = plain["valid"][: config.valid]
    plain["test"] = plain["test"][: config.test]
    table = cipher_table(config)
    a = {"train": plain["a"][: config.train], "valid": plain["valid"], "test": plain["test"]}
    b = {**a, "train": a["train"] if config.aligned else plain["b"][: config.train]}
    b = {name: apply_table(table, ids_NT) for name, ids_NT in b.items()}
    return UnpairedText(
        a=_side(a, config.length),
        b=_side(b, config.length),
        paired=True,
        scorer=score_letters,
        report={"a": _report(a, config.length), "b": _report(b, config.length)},
    )


def cipher_table(config: CipherDataConfig) -> Ints:
    """The key as a table [period, 27]: the cipher of token v at column t is [t mod period, v]."""
    stream = np.random.RandomState(config.key_seed)
    if config.kind == "vigenere":
        shift_P = 1 + stream.permutation(_VOCAB - 1)[: config.period]
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
    way: str, sources: list[str], outputs: list[str], references: list[str]
) -> dict[str, float]:
    """`accuracy`: the share of the references' tokens that the outputs have in the same place."""
    right = sum(
        sum(x == y for x, y in zip(output, reference, strict=False))
        for output, reference in zip(outputs, references, strict=True)
    )
    return {"accuracy": right / max(sum(map(len, references)), 1)}


def split_sentences(config: CipherDataConfig) -> dict[str, list[str]]:
    """Sentences of `valid`, `test`, `a` and `b`, as small letters and spaces; no two are equal."""
    stream = np.random.RandomState(config.seed)
    if config.path is None:
        sentences = _generate(config, stream)
    else:
        lines = (_NOT_LETTERS.sub(" ", line.lower()) for line in read_lines(Path(config.path)))
        sentences = [line for line in dict.fromkeys(map(str.strip, lines)) if line]
        if not sentences:
            raise UserError(f"{config.path}: no line has a letter a–z; give other text")
    shuffled = [sentences[index] for index in stream.permutation(len(sentences))]
    # A sentence and its space each; the last one is followed by none.
    end_N = np.cumsum([len(sentence) + 1 for sentence in shuffled]) - 1
    valid = 1 + int(np.searchsorted(end_N, config.valid * config.length))
    behind_valid = end_N[min(valid, len(end_N)) - 1] + 1
    test = 1 + int(np.searchsorted(end_N, behind_valid + config.test * config.length))
    half = test + (len(shuffled) - test) // 2
    split = {
        "valid": shuffled[:valid],
        "test": shuffled[valid:test],
        "a": shuffled[test:half],
        "b": shuffled[half:],
    }
    if min(_letters(split["a"]), _letters(split["b"])) < config.length:
        raise UserError(
            f"{config.path}: {len(shuffled)} different sentences with {int(end_N[-1])} letters and "
            f"spaces do not fill data.valid={config.valid} and data.test={config.test} windows of "
            f"data.length={config.length} and leave text to train on; lower them, or give more text"
        )
    return split


def _generate(config: CipherDataConfig, stream: np.random.RandomState) -> list[str]:
    """Different sentences, a little more text than the windows need: halves are uneven."""
    windows = 2 * config.train + config.valid + config.test
    needed = int(1.02 * windows * config.length) + 20_000
    sentences: dict[str, None] = {}
    letters = 0
    while letters < needed:
        sentences.update(dict.fromkeys(write_sentences(_SENTENCES_AT_ONCE, stream)))
        letters = _letters(sentences)
    return list(sentences)


def _letters(sentences: list[str] | dict[str, None]) -> int:
    """Letters and spaces of sentences that are joined by a space."""
    return max(sum(map(len, sentences)) + len(sentences) - 1, 0)


def _windows(sentences: list[str], length: int) -> Ints:
    text = " ".join(sentences).encode("ascii")
    code = np.frombuffer(text, dtype=np.uint8)[: len(text) // length * length].astype(np.int64)
    return np.where(code == ord(" "), 0, code - ord("a") + 1).reshape(-1, length)


def _side(splits: dict[str, Ints], length: int) -> TextSide:
    tokenizer = LetterTokenizer()

    def encoded(ids_NT: Ints) -> EncodedSplit:
        tensor_NT = torch.from_numpy(ids_NT)
        lines = [tokenizer.decode(row) for row in ids_NT.tolist()]
        return EncodedSplit(tensor_NT, mask_until_end(tensor_NT, None), lines)

    return TextSide(
        SequenceSpace(_VOCAB, length, None),
        tokenizer,
        *(encoded(splits[name]) for name in ("train", "valid", "test")),
    )


def _report(splits: dict[str, Ints], length: int) -> JsonObject:
    """Counts of windows; the hash of the ids tells a resumed run whether the text is the same."""
    report: JsonObject = {"vocabulary": _VOCAB, "length": length}
    for name, ids_NT in splits.items():
        digest = hashlib.sha256(ids_NT.astype("<i8").tobytes()).hexdigest()
        report[name] = {"lines": len(ids_NT), "longest": length, "sha256": digest}
    return report
