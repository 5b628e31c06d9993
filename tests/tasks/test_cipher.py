"""Cipher data: keys, disjoint sentences, paired held-out windows, and what the scorer says."""

import gzip
import hashlib
import json
import random
import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.core.types import SequenceSpace
from seqgan.data.tokenizers import LetterTokenizer, load_tokenizer
from seqgan.data.unpaired_text import UnpairedText
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.cipher.sentences import write_sentences
from seqgan.tasks.cipher.windows import (
    apply_table,
    inverse_table,
)

SMALL = {"length": 30, "train": 200, "valid": 20, "test": 40}


def config(**fields: Any) -> CipherDataConfig:
    return CipherDataConfig(name="cipher", **{**SMALL, **fields})


@pytest.fixture(scope="module", params=["substitution", "vigenere"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def data(kind: str) -> UnpairedText:
    return config(kind=kind).build_text()


def test_sizes_and_space(data: UnpairedText) -> None:
    for side in (data.a, data.b):
        assert side.space == SequenceSpace(27, 30, None)
        for split, rows in ((side.train, 200), (side.valid, 20), (side.test, 40)):
            assert split.ids_NT.shape == (rows, 30)
            assert split.mask_NT.all()
            assert split.lines == [side.tokenizer.decode(row) for row in split.ids_NT.tolist()]
            assert [side.tokenizer.encode(line) for line in split.lines] == split.ids_NT.tolist()


def test_heldout_rows_are_pairs_and_training_rows_are_not(kind: str, data: UnpairedText) -> None:
    table = config(kind=kind).build_table()
    for a, b in ((data.a.valid, data.b.valid), (data.a.test, data.b.test)):
        for t in range(30):  # position counted from the window's start
            expected = table[t % len(table)][a.ids_NT[:, t].numpy()]
            np.testing.assert_array_equal(b.ids_NT[:, t].numpy(), expected)
    decoded = apply_table(inverse_table(table), data.b.train.ids_NT.numpy())
    plain = {tuple(row) for row in data.a.train.ids_NT.tolist()}
    assert not plain & {tuple(row) for row in decoded.tolist()}


def test_keys() -> None:
    for seed in range(20):
        (row_V,) = config(kind="substitution", key_seed=seed).build_table()
        assert sorted(row_V) == list(range(27))
        assert (row_V != np.arange(27)).all()
        table = config(kind="vigenere", period=4, key_seed=seed).build_table()
        shift_PV = (table - np.arange(27)) % 27
        assert (shift_PV == shift_PV[:, :1]).all()
        assert len(set(shift_PV[:, 0])) == 4
        assert 0 not in shift_PV
        np.testing.assert_array_equal(
            apply_table(inverse_table(table), apply_table(table, np.tile(np.arange(27), (2, 1)))),
            np.tile(np.arange(27), (2, 1)),
        )
    first, second = (config(key_seed=seed).build_table() for seed in (0, 1))
    assert (first != second).any()


def test_sentences_of_all_splits_are_different(kind: str) -> None:
    split = config(kind=kind).build_sentences()
    sentences = [line for lines in split.values() for line in lines]
    assert len(set(sentences)) == len(sentences)
    assert all(set(line) <= set(string.ascii_lowercase + " ") for line in sentences)


def test_windows_come_from_their_own_split(data: UnpairedText, kind: str) -> None:
    split = config(kind=kind).build_sentences()
    for name, lines in (
        ("a", data.a.train.lines),
        ("valid", data.a.valid.lines),
        ("test", data.a.test.lines),
    ):
        assert " ".join(split[name]).startswith("".join(lines))
    table = inverse_table(config(kind=kind).build_table())
    plain = apply_table(table, data.b.train.ids_NT.numpy()).ravel()
    assert " ".join(split["b"]).startswith(LetterTokenizer().decode(plain))


def test_the_same_seeds_give_the_same_data(kind: str, data: UnpairedText) -> None:
    again = config(kind=kind).build_text()
    assert again.report == data.report
    json.dumps(again.report)
    assert torch.equal(again.b.train.ids_NT, data.b.train.ids_NT)
    other_text, other_key = config(kind=kind, seed=1).build_text(), config(kind=kind, key_seed=1)
    assert other_text.report["a"]["train"] != data.report["a"]["train"]
    assert other_key.build_text().report["a"] == data.report["a"]
    assert other_key.build_text().report["b"] != data.report["b"]


def test_aligned_training_rows_are_pairs(kind: str) -> None:
    data = config(kind=kind, aligned=True).build_text()
    table = config(kind=kind).build_table()
    expected = apply_table(table, data.a.train.ids_NT.numpy())
    np.testing.assert_array_equal(data.b.train.ids_NT.numpy(), expected)


def test_scores(data: UnpairedText) -> None:
    assert data.scorer is not None
    truth, cipher = data.a.test.lines, data.b.test.lines
    assert data.scorer("b2a", cipher, truth, truth) == {"accuracy": 1.0}
    shuffled = random.Random(0).sample(truth, len(truth))
    assert data.scorer("b2a", cipher, shuffled, truth)["accuracy"] < 0.2
    assert data.scorer("b2a", cipher, cipher, truth)["accuracy"] < 0.2
    assert data.scorer("b2a", ["xyxy"], ["ab"], ["abab"]) == {"accuracy": 0.5}


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_a_file_is_cleaned(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sentences{suffix}"
    lines = [f"It's No. {n}, {'ab' * n}!" for n in range(1, 60)] + ["12 -- 34", "  "]
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    split = config(path=str(path), valid=2, test=3, length=20).build_sentences()
    sentences = [line for part in split.values() for line in part]
    assert sorted(sentences) == sorted(f"it s no {'ab' * n}" for n in range(1, 60))
    assert len(split["b"]) - len(split["a"]) in (0, 1)
    assert min(sum(map(len, split[name])) for name in ("valid", "test")) >= 20


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("one sentence\nand another\n")
    with pytest.raises(UserError, match=r"short\.txt.*lower them, or give more text"):
        config(path=str(path)).build_text()
    path.write_text("123\n456\n")
    with pytest.raises(UserError, match="no line has a letter"):
        config(path=str(path)).build_text()


def test_fewer_windows_where_the_file_has_no_more(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("\n".join(write_sentences(400, np.random.RandomState(0))))
    data = config(path=str(path), train=100_000).build_text()
    assert 100 < len(data.a.train.ids_NT) < 1_000
    assert data.report["a"]["train"]["lines"] == len(data.a.train.ids_NT)


def test_generated_text_has_the_letters_of_english() -> None:
    sentences = write_sentences(5_000, np.random.RandomState(1))
    text = " ".join(sentences)
    share = {letter: count / len(text) for letter, count in Counter(text).items()}
    assert set(share) == set(string.ascii_lowercase + " ")
    ranked = sorted(share, key=lambda letter: -share[letter])
    assert ranked[:3] == [" ", "e", "t"]
    assert set(ranked[-4:]) == set("jqxz")
    assert 0.15 < share[" "] < 0.22
    assert "  " not in text
    assert len(set(sentences)) > 4_900
    assert len(set(text.split())) > 700


def test_letters(tmp_path: Path) -> None:
    tokenizer = LetterTokenizer()
    assert tokenizer.encode("a zB-") == [1, 0, 26, 0, 0]
    assert tokenizer.decode([0, 1, 26, 0]) == " az "
    assert tokenizer.vocab_size == len(tokenizer.vocabulary()) == 27
    assert tokenizer.end_id is None
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, LetterTokenizer)
    assert loaded.vocabulary() == tokenizer.vocabulary()


def test_generated_sentences_stay_as_they_are() -> None:
    """Figures that were measured on them are compared with later ones."""
    text = "\n".join(write_sentences(300, np.random.RandomState(0)))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("22317ee6ff43d9be")
