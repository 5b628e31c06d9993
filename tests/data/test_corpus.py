"""Corpora: splits without leaks, counted drops and cuts, and what is said about bad input."""

import builtins
import gzip
import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.corpus_config import HuggingFaceDataConfig, SentenceFilesConfig, TextDataConfig
from seqgan.data.sources import Sentences
from seqgan.data.tokenizer_config import (
    CharTokenizerConfig,
    SentencePieceConfig,
    WordTokenizerConfig,
)
from seqgan.data.tokenizers import load_tokenizer

os.environ["HF_HUB_OFFLINE"] = "1"  # read when `datasets` is first imported

Write = Callable[[str, list[str]], str]

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SENTENCES = [f"{first} {second} ." for first in NUMBERS for second in NUMBERS]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_lines(name: str, lines: list[str]) -> str:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    return write_lines


EVERY_WORD = WordTokenizerConfig(name="word", min_count=1)


def text(path: str, **fields: Any) -> TextDataConfig:
    fields = {"length": 8, "tokenizer": EVERY_WORD, **fields}
    return TextDataConfig(name="text", path=path, **fields)


def splits(corpus: Corpus) -> dict[str, EncodedSplit]:
    return {"train": corpus.train, "valid": corpus.valid, "test": corpus.test}


# ---------------------------------------------------------------- text files


def test_ids_masks_and_lines_agree(write: Write) -> None:
    corpus = text(write("train.txt", ["", *SENTENCES, " "])).build_corpus()
    space, tokenizer = corpus.space, corpus.tokenizer
    assert (space.vocab_size, space.length, space.end_id) == (13, 8, 0)
    for split in splits(corpus).values():
        assert split.ids_NT.dtype == torch.long
        assert split.ids_NT.shape == split.mask_NT.shape == (len(split.lines), 8)
        assert split.mask_NT.dtype == torch.bool
        for ids, mask, line in zip(split.ids_NT, split.mask_NT, split.lines, strict=True):
            assert tokenizer.decode(ids.tolist()) == line
            assert mask.tolist() == [True] * 4 + [False] * 4
    assert {name: len(split.lines) for name, split in splits(corpus).items()} == {
        "train": 90,
        "valid": 5,
        "test": 5,
    }


def test_splits_are_seeded_and_complete(write: Write) -> None:
    path = write("train.txt", SENTENCES)
    first, again = text(path).build_corpus(), text(path).build_corpus()
    other = text(path, split_seed=1).build_corpus()
    for name, split in splits(first).items():
        assert split.lines == splits(again)[name].lines
        assert torch.equal(split.ids_NT, splits(again)[name].ids_NT)
    assert first.test.lines != other.test.lines
    together = first.train.lines + first.valid.lines + first.test.lines
    assert sorted(together) == sorted(SENTENCES)
    assert first.train.lines == [line for line in SENTENCES if line in set(first.train.lines)]


def test_copies_of_a_sentence_stay_in_one_split(write: Write) -> None:
    """Copies as the tokenizer sees them: upper case and spacing make no new sentence here."""
    lines = [copy for line in SENTENCES for copy in (line, line.upper(), line.replace(" .", "."))]
    corpus = text(write("train.txt", lines), valid_fraction=0.2, test_fraction=0.3).build_corpus()
    keys = [
        {" ".join(line.lower().replace(".", " .").split()) for line in split.lines}
        for split in splits(corpus).values()
    ]
    assert [len(part) for part in keys] == [50, 20, 30]
    assert len(set.union(*keys)) == 100
    assert corpus.report["train"]["duplicates"] == 100
    assert corpus.report["valid"]["in_train"] == corpus.report["test"]["in_train"] == 0


def test_case_makes_a_difference_where_the_tokenizer_keeps_it(write: Write) -> None:
    lines = [copy for line in SENTENCES for copy in (line, line.upper())]
    tokenizer = WordTokenizerConfig(name="word", lowercase=False)
    corpus = text(write("train.txt", lines), tokenizer=tokenizer).build_corpus()
    assert corpus.report["train"]["duplicates"] == 0


def test_given_files_are_used_as_they_are(write: Write) -> None:
    corpus = text(
        write("train.txt", ["a b", "a b", "c"]),
        valid_path=write("valid.txt", ["a b", "A B", "d"]),
        test_path=write("test.txt", ["d d", "c"]),
    ).build_corpus()
    assert corpus.train.lines == ["a b", "a b", "c"]
    assert corpus.valid.lines == ["a b", "A B", "d"]
    report = corpus.report
    assert [report[name]["duplicates"] for name in ("train", "valid", "test")] == [1, 1, 0]
    assert [report[name]["in_train"] for name in ("valid", "test")] == [2, 1]
    assert [report[name]["unk_rate"] for name in ("train", "valid", "test")] == [0, 1 / 5, 2 / 3]


def test_one_given_file_leaves_the_other_to_be_held_out(write: Write) -> None:
    valid = write("valid.txt", ["one two ."])
    corpus = text(write("train.txt", SENTENCES), valid_path=valid).build_corpus()
    assert [len(split.lines) for split in splits(corpus).values()] == [95, 1, 5]


def test_the_vocabulary_comes_from_the_training_split(write: Write) -> None:
    lines = [f"w{i}" for i in range(50)]
    corpus = text(write("train.txt", lines)).build_corpus()
    assert sorted(corpus.tokenizer.vocabulary()[2:]) == sorted(corpus.train.lines)
    assert corpus.report["test"]["unk_rate"] == 1.0


def test_unknown_words_that_training_never_shows_are_told(write: Write) -> None:
    files = {
        "path": write("train.txt", ["a b c", "a b d"]),
        "valid_path": write("valid.txt", ["a b a b"]),
        "test_path": write("test.txt", ["a b a", "e b"]),
    }
    corpus = text(**files).build_corpus()
    (warning,) = corpus.report["warnings"]
    assert warning.startswith("data: 20.0% of the test tokens are unknown (<unk>), of the training")
    assert warning.endswith("; set data.tokenizer.min_count=2")

    default = text(**files, tokenizer=WordTokenizerConfig(name="word")).build_corpus()
    assert default.report["train"]["unk_rate"] == pytest.approx(2 / 6)
    assert default.report["warnings"] == []

    vocabulary = write("words.txt", ["<eos>", "<unk>", "a", "b", "c", "d"])
    given = WordTokenizerConfig(name="word", vocabulary=vocabulary)
    (warning,) = text(**files, tokenizer=given).build_corpus().report["warnings"]
    assert "min_count" not in warning  # it changes nothing there


def test_text_without_spaces_is_sent_to_characters(write: Write) -> None:
    """Each line is one word; with `char` hardly anything is unknown."""
    lines = [f"我们{verb}{what}。" for verb in "买卖吃看找" for what in "书鱼花茶米车"]
    path = write("train.txt", lines)
    assert "set 'data.tokenizer={name: char}'" in text(path).build_corpus().report["warnings"][0]
    with pytest.raises(UserError, match=r"min_count=2.* set 'data\.tokenizer={name: char}'"):
        text(path, tokenizer=WordTokenizerConfig(name="word")).build_corpus()
    corpus = text(path, tokenizer=CharTokenizerConfig(name="char")).build_corpus()
    assert corpus.report["warnings"] == []
    assert corpus.report["test"]["unk_rate"] == 0
    assert [corpus.tokenizer.decode(row) for row in corpus.train.ids_NT.tolist()] == (
        corpus.train.lines
    )


@pytest.mark.parametrize("line", ["Größe zählt", "할머니 걷다"])
def test_one_text_in_two_spellings_is_one_sentence(write: Write, line: str) -> None:
    decomposed = unicodedata.normalize("NFD", line)
    hidden = f"\ufeff{line[0]}\u200b{line[1:3]}\u2060\u00ad{line[3:]}"
    assert len({line, decomposed, hidden}) == 3
    files = {name: write(name, ["a", "b"]) for name in ("valid_path", "test_path")}
    corpus = text(write("train.txt", [line, decomposed, hidden]), **files).build_corpus()
    assert corpus.train.lines == [line] * 3
    assert corpus.report["train"]["duplicates"] == 2
    assert corpus.space.vocab_size == 4


def test_equal_lines_are_told_from_short_text(write: Write) -> None:
    message = r"train\.txt: 300 lines, of which 1 differ as the tokenizer sees them"
    with pytest.raises(UserError, match=message):
        text(write("train.txt", ["The same line.", "the  same line ."] * 150)).build_corpus()
    with pytest.raises(UserError, match=r"4 lines, of which 2 differ"):
        text(write("few.txt", ["a", "a", "a", "b"])).build_corpus()


@pytest.mark.parametrize("overlong", ["drop", "truncate"])
def test_pieces_are_not_learned_from_what_cannot_fit(
    write: Write, overlong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SentencePiece would take an hour for one line of a million characters."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="pip install 'seqgan[corpora]'")
    train, longest = sentencepiece.SentencePieceTrainer.train, []

    def spy(sentence_iterator: Iterable[str], **options: Any) -> None:
        lines = list(sentence_iterator)
        longest.append(max(map(len, lines)))
        train(sentence_iterator=iter(lines), **options)

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", spy)
    files = {name: write(name, SENTENCES) for name in ("valid_path", "test_path")}
    path = write("train.txt", [*SENTENCES, "zero one two " * 80_000])
    pieces = SentencePieceConfig(name="sentencepiece", vocab_size=40)
    corpus = text(path, tokenizer=pieces, length=24, overlong=overlong, **files).build_corpus()
    assert longest == [max(map(len, SENTENCES)) if overlong == "drop" else 16 * 24]
    report = corpus.report["train"]
    assert report["dropped" if overlong == "drop" else "truncated"] == 1


def test_lines_that_are_all_too_long_for_pieces(write: Write) -> None:
    path = write("train.txt", [line * 50 for line in SENTENCES])
    pieces = SentencePieceConfig(name="sentencepiece", vocab_size=40)
    with pytest.raises(UserError, match=r"has 0 sentences .*90 were dropped as longer than"):
        text(path, tokenizer=pieces, length=8, overlong="drop").build_corpus()


def test_a_thousandth_of_unknown_words_is_no_matter(write: Write) -> None:
    known = ["a b"] * 500
    files = {"path": write("train.txt", known), "valid_path": write("valid.txt", known)}
    just = text(**files, test_path=write("test.txt", [*known[1:], "a e"])).build_corpus()
    assert just.report["test"]["unk_rate"] == 0.001
    assert just.report["warnings"] == []
    above = text(**files, test_path=write("more.txt", [*known[2:], "a e", "a e"])).build_corpus()
    assert len(above.report["warnings"]) == 1


def test_max_train_keeps_the_first_sentences(write: Write) -> None:
    path = write("train.txt", SENTENCES)
    whole, part = text(path).build_corpus(), text(path, max_train=10).build_corpus()
    assert part.train.lines == whole.train.lines[:10]
    assert part.test.lines == whole.test.lines


def test_gzip_and_plain_files_give_the_same_corpus(tmp_path: Path, write: Write) -> None:
    plain = write("train.txt", SENTENCES)
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    assert torch.equal(
        text(plain).build_corpus().train.ids_NT, text(str(packed)).build_corpus().train.ids_NT
    )


def test_a_run_keeps_its_tokenizer(tmp_path: Path, write: Write) -> None:
    corpus = text(write("train.txt", SENTENCES)).build_corpus()
    corpus.tokenizer.save(tmp_path)
    other = text(write("other.txt", ["one zebra", "two two", "one", "two"]))
    again = other.build_corpus(load_tokenizer(tmp_path))
    assert again.space == corpus.space
    assert again.tokenizer.vocabulary() == corpus.tokenizer.vocabulary()


def test_sentencepiece_corpus(write: Write) -> None:
    pieces = SentencePieceConfig(name="sentencepiece", vocab_size=24)
    corpus = text(write("train.txt", SENTENCES), tokenizer=pieces, length=24).build_corpus()
    assert corpus.space.vocab_size == 24
    for ids, line in zip(corpus.test.ids_NT, corpus.test.lines, strict=True):
        assert corpus.tokenizer.decode(ids.tolist()) == line


def test_the_report_is_json(write: Write) -> None:
    report = text(write("train.txt", SENTENCES)).build_corpus().report
    assert json.loads(json.dumps(report)) == report
    assert (report["vocabulary"], report["length"]) == (13, 8)
    assert len(report["train"].pop("sha256")) == 64
    assert report["train"] == {
        "lines": 90,
        "dropped": 0,
        "truncated": 0,
        "longest": 4,
        "unk_rate": 0.0,
        "duplicates": 0,
    }


# ---------------------------------------------------------------- sentences that do not fit


LONG = ["a a", "a a a a a", "a a a", "b", "a a a a"]


def given_splits(write: Write, **fields: Any) -> TextDataConfig:
    """Training lines that need 3, 6, 4, 2 and 5 columns, in a model of 4."""
    held_out = write("held_out.txt", ["a a b b b b", "b"])
    path = write("train.txt", ["a a", "", *LONG[1:]])
    return text(path, valid_path=held_out, test_path=held_out, length=4, **fields)


def test_overlong_sentences_are_an_error_that_says_where_and_what_to_do(write: Write) -> None:
    message = (
        r"train\.txt: line 3 has 6 tokens with its end token, but data\.length=4; raise "
        r"data\.length \(the longest line needs 6\), or set data\.overlong=drop or "
        r"data\.overlong=truncate"
    )
    with pytest.raises(UserError, match=message):
        given_splits(write).build_corpus()


def test_overlong_sentences_are_dropped_and_counted(write: Write) -> None:
    corpus = given_splits(write, overlong="drop").build_corpus()
    assert corpus.train.lines == ["a a", "a a a", "b"]
    assert corpus.valid.lines == ["b"]
    counts = [
        [corpus.report[name][count] for count in ("lines", "dropped", "truncated", "longest")]
        for name in ("train", "valid")
    ]
    assert counts == [[3, 2, 0, 6], [1, 1, 0, 7]]


def test_overlong_sentences_are_cut_and_counted(write: Write) -> None:
    """A sentence that was cut has no end: its last column is a word, and counts."""
    corpus = given_splits(write, overlong="truncate").build_corpus()
    assert corpus.train.lines == LONG
    assert corpus.train.ids_NT.tolist() == [
        [2, 2, 0, 0],
        [2, 2, 2, 2],
        [2, 2, 2, 0],
        [3, 0, 0, 0],
        [2, 2, 2, 2],
    ]
    assert corpus.train.mask_NT.sum(1).tolist() == [3, 4, 4, 2, 4]
    assert [corpus.report[name]["truncated"] for name in ("train", "valid")] == [2, 1]
    assert corpus.report["train"]["dropped"] == 0


def test_a_split_that_loses_everything_is_an_error(write: Write) -> None:
    short, long = write("short.txt", ["a", "b"]), write("long.txt", ["a a a a a"])
    message = (
        r"the {} split has 0 sentences and needs at least {} \(1 were dropped as longer than "
        r"data\.length=3\); raise data\.length, or set data\.overlong=truncate"
    )
    for name, needed, paths in (
        ("train", 2, (long, short, short)),
        ("valid", 1, (short, long, short)),
        ("test", 1, (short, short, long)),
    ):
        train, valid, test = paths
        expected = message.format(name, needed)
        if name == "train":  # a single training line is refused before anything is dropped
            expected = "the train split has 1 sentences and needs at least 2 .*give more text"
        config = text(train, valid_path=valid, test_path=test, length=3, overlong="drop")
        with pytest.raises(UserError, match=expected):
            config.build_corpus()


# ---------------------------------------------------------------- files that cannot be used


@pytest.mark.parametrize("lines", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_too_little_text_is_an_error(write: Write, lines: list[str]) -> None:
    with pytest.raises(UserError, match=r"train\.txt: the train split has [01] .*give more text"):
        text(write("train.txt", lines)).build_corpus()


def test_max_train_of_one_is_too_little(write: Write) -> None:
    message = r"the train split has 1 .*\(data\.max_train=1\); .*raise data\.max_train"
    with pytest.raises(UserError, match=message):
        text(write("train.txt", SENTENCES), max_train=1).build_corpus()


@pytest.mark.parametrize("field", ["path", "valid_path", "test_path"])
def test_bad_files_are_named_with_their_field(tmp_path: Path, write: Write, field: str) -> None:
    good = {"path": write("train.txt", SENTENCES)}
    for content in (None, b"", b"\n\n", b"caf\xe9\n", b"a\0b\n"):
        bad = tmp_path / "bad.txt"
        bad.unlink(missing_ok=True)
        if content is not None:
            bad.write_bytes(content)
        with pytest.raises(UserError, match=rf"data\.{field}: .*bad\.txt"):
            text(**(good | {field: str(bad)})).build_corpus()


# ---------------------------------------------------------------- the datasets library


@pytest.fixture
def local_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library, with its cache in the test's folder."""
    datasets = pytest.importorskip("datasets", reason="pip install 'seqgan[corpora]'")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def hub(dataset: Path | str, **fields: Any) -> HuggingFaceDataConfig:
    held_out = {"valid_split": None, "test_split": None, "length": 8}
    return HuggingFaceDataConfig(name="huggingface", dataset=str(dataset), **(held_out | fields))


def test_a_saved_dataset_is_the_same_corpus_as_its_text(
    local_datasets: Any, tmp_path: Path, write: Write
) -> None:
    rows = [None, *SENTENCES, "  "]
    local_datasets.Dataset.from_dict({"text": rows}).save_to_disk(str(tmp_path / "saved"))
    corpus = hub(tmp_path / "saved").build_corpus()
    same = text(write("train.txt", SENTENCES)).build_corpus()
    assert corpus.report == same.report
    for name, split in splits(corpus).items():
        assert split.lines == splits(same)[name].lines
        assert torch.equal(split.ids_NT, splits(same)[name].ids_NT)


def save_three_splits(datasets: Any, folder: Path) -> None:
    def part(lines: list[str]) -> Any:
        return datasets.Dataset.from_dict({"caption": lines, "id": list(range(len(lines)))})

    named = {"train": ["a b", "b"], "validation": ["b"], "test": ["a", "c"]}
    parts = {name: part(lines) for name, lines in named.items()}
    datasets.DatasetDict(parts).save_to_disk(str(folder))


def test_named_splits_are_used_as_they_are(local_datasets: Any, tmp_path: Path) -> None:
    save_three_splits(local_datasets, tmp_path / "saved")
    config = hub(tmp_path / "saved", column="caption", valid_split="validation", test_split="test")
    corpus = config.build_corpus()
    assert corpus.train.lines == ["a b", "b"]
    assert corpus.valid.lines == ["b"]
    assert corpus.test.lines == ["a", "c"]
    assert [corpus.report[name]["in_train"] for name in ("valid", "test")] == [1, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"column": "captions"},
            r"data\.column='captions': .*did you mean 'caption'\?; choose from: caption, id",
        ),
        ({"column": "id"}, r"data\.column='id': .*holds int there, not text; choose from"),
        (
            {"valid_split": "validaton"},
            r"data\.valid_split='validaton': .*did you mean 'validation'\?; choose from: train, "
            r"validation, test, or data\.valid_split=null to hold out",
        ),
        ({"train_split": "unsupervised"}, r"data\.train_split='unsupervised': .*choose from"),
    ],
)
def test_missing_columns_and_splits_are_explained(
    local_datasets: Any, tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    save_three_splits(local_datasets, tmp_path / "saved")
    with pytest.raises(UserError, match=message):
        hub(tmp_path / "saved", **{"column": "caption", **fields}).build_corpus()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "txt", "parquet"])
def test_single_files(local_datasets: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sentences.{suffix}"
    rows = local_datasets.Dataset.from_dict({"text": SENTENCES})
    if suffix == "txt":
        path.write_text("\n".join(SENTENCES), encoding="utf-8")
    else:
        getattr(rows, "to_json" if suffix == "jsonl" else f"to_{suffix}")(str(path))
    corpus = hub(path).build_corpus()
    assert corpus.report["train"]["lines"] == 90


def test_a_folder_of_files(local_datasets: Any, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, lines in (("train", SENTENCES), ("test", ["one two ."])):
        local_datasets.Dataset.from_dict({"text": lines}).to_csv(str(folder / f"{name}.csv"))
    corpus = hub(folder, test_split="test").build_corpus()
    assert [len(split.lines) for split in splits(corpus).values()] == [95, 5, 1]


def test_data_that_cannot_be_loaded_are_named(local_datasets: Any, tmp_path: Path) -> None:
    message = r"data\.dataset='no/such-corpus': cannot be loaded .*check the path or hub id"
    with pytest.raises(UserError, match=message):
        hub("no/such-corpus").build_corpus()
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"junk")
    with pytest.raises(UserError, match=r"damaged\.parquet': cannot be loaded"):
        hub(damaged).build_corpus()
    other = tmp_path / "sentences.docx"
    other.touch()
    with pytest.raises(UserError, match=r"sentences\.docx': cannot read .*'\.docx'; choose from"):
        hub(other).build_corpus()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real_import = builtins.__import__

    def without_datasets(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_datasets)
    with pytest.raises(UserError, match=r"datasets is not installed; .*'seqgan\[corpora\]'"):
        hub(tmp_path).build_corpus()


class CountingConfig(SentenceFilesConfig):
    """Sentences of a source of one's own."""

    name: str = "counting"

    @property
    def source(self) -> str:
        return "numbers"

    def build_splits(self) -> dict[str, Sentences]:
        return {"train": Sentences("numbers", [f"line {i}" for i in range(40)], [*range(1, 41)])}


def test_text_of_ones_own_is_cut_like_files() -> None:
    corpus = CountingConfig(length=3, valid_fraction=0.1, test_fraction=0.2).build_corpus()
    splits = (corpus.train, corpus.valid, corpus.test)
    assert [len(split.lines) for split in splits] == [28, 4, 8]
    with pytest.raises(UserError, match="numbers: the train split has 1 sentences"):
        CountingConfig(length=3, max_train=1).build_corpus()
