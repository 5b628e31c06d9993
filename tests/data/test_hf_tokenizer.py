"""Tokenizers of the transformers library: ids, ends, round trips, run folders, refusals."""

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")

from tiny_networks import LINES, write_byte_tokenizer, write_word_tokenizer

from seqgan.core.errors import UserError
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.tokenizer_config import HfTokenizerConfig
from seqgan.data.tokenizers import (
    HfTokenizer,
    load_tokenizer,
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def of_bytes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_byte_tokenizer(tmp_path_factory.mktemp("tokenizers") / "bytes")


@pytest.fixture(scope="module")
def of_words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_word_tokenizer(tmp_path_factory.mktemp("tokenizers") / "words")


@pytest.mark.parametrize("line", [*LINES, "a zebra's émail: 7 × 8?", "the <|endoftext|> cat"])
def test_bytes_spell_every_line_and_never_the_end(of_bytes, line) -> None:
    tokenizer = HfTokenizer(of_bytes)
    ids = tokenizer.encode(line)
    assert tokenizer.end_id not in ids
    assert tokenizer.decode(ids) == line
    assert tokenizer.decode([*ids, tokenizer.end_id, 5, 6]) == line
    assert len("".join(tokenizer.vocabulary()[i] for i in ids)) >= len(line)


def test_an_end_that_is_called_unknown_too_is_no_unknown_token(of_bytes) -> None:
    tokenizer = HfTokenizer(of_bytes)
    assert tokenizer.end_id == 0
    assert tokenizer.unk_id == -1
    assert tokenizer.vocab_size == len(tokenizer.vocabulary()) == 270


def test_a_separator_ends_what_has_no_end_token(of_words) -> None:
    tokenizer = HfTokenizer(of_words)
    assert (tokenizer.end_id, tokenizer.unk_id, tokenizer.vocab_size) == (3, 1, 9)
    assert tokenizer.encode("The cats sat") == [4, 5, 6, 7]  # and nothing around them
    assert tokenizer.decode([4, 5, 6, 7, 3, 8]) == "the cats sat"
    assert tokenizer.encode("the zebra") == [4, 1]
    assert 3 not in tokenizer.encode("the [SEP] cat")


def test_texts_of_several_lines_become_one(of_bytes) -> None:
    tokenizer = HfTokenizer(of_bytes)
    assert tokenizer.decode(tokenizer.encode("a\nb  c")) == "a b c"


@pytest.mark.parametrize("name", ["of_bytes", "of_words"])
def test_a_run_folder_brings_its_own(name, request, tmp_path: Path) -> None:
    tokenizer = HfTokenizer(request.getfixturevalue(name))
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert isinstance(again, HfTokenizer)
    assert again.vocabulary() == tokenizer.vocabulary()
    assert (again.end_id, again.unk_id) == (tokenizer.end_id, tokenizer.unk_id)
    line = "The cats sat on <|endoftext|> [SEP]"
    assert again.encode(line) == tokenizer.encode(line)


def test_a_corpus_is_read_with_it(of_bytes, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line} {i}\n" for i in range(20) for line in LINES), encoding="utf-8")
    config = TextDataConfig(
        name="text",
        path=str(path),
        tokenizer=HfTokenizerConfig(name="hf", path=of_bytes),
        length=24,
    )
    corpus = config.build_corpus()
    assert corpus.space.vocab_size == 270
    assert corpus.space.end_id == 0
    assert corpus.report["train"]["unk_rate"] == 0
    row = corpus.train.ids_NT[0].tolist()
    assert corpus.tokenizer.decode(row) == corpus.train.lines[0]
    assert corpus.train.mask_NT[0].sum() == row.index(0) + 1


def test_lines_that_differ_in_their_spaces_only_are_one(of_bytes) -> None:
    canonical = HfTokenizerConfig(name="hf", path=of_bytes).build_canonical()
    assert canonical(" A  cat ") == "A cat"


@pytest.mark.parametrize("path", ["/nowhere/at/all", "nobody/no-such-tokenizer"])
def test_what_cannot_be_loaded_is_said_in_one_line(path) -> None:
    with pytest.raises(UserError, match=r"data\.tokenizer\.path=.*cannot be loaded.*give") as error:
        HfTokenizerConfig(name="hf", path=path).build([])
    assert "\n" not in str(error.value)


def test_a_tokenizer_that_ends_nothing_is_refused(tmp_path: Path) -> None:
    path = write_word_tokenizer(tmp_path, pad_token="[PAD]")
    with pytest.raises(UserError, match="neither an end token nor a separator"):
        HfTokenizer(path)
