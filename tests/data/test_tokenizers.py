"""Tokenizers: stable ids, round trips, run folders, and what is said about bad vocabularies."""

import builtins
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seqgan.core.errors import UserError
from seqgan.data.tokenizer_config import (
    CharTokenizerConfig,
    SentencePieceConfig,
    WordTokenizerConfig,
)
from seqgan.data.tokenizers import (
    SentencePieceTokenizer,
    WordTokenizer,
    load_tokenizer,
)

LINES = ["b a c", "a b", "a <eos> <unk>", "d c"]


def word_config(**fields: Any) -> WordTokenizerConfig:
    return WordTokenizerConfig(name="word", **{"min_count": 1, **fields})


def piece_config(**fields: Any) -> SentencePieceConfig:
    return SentencePieceConfig(name="sentencepiece", **{"vocab_size": 60, **fields})


@pytest.fixture(scope="module")
def prose() -> list[str]:
    pick = random.Random(0)
    syllables = ["ba", "do", "ki", "lum", "mer", "nos", "pa", "ri", "sten", "to"]
    words = ["".join(pick.choices(syllables, k=pick.randint(1, 3))) for _ in range(60)]
    return [" ".join(["The", *pick.choices(words, k=5)]) + "." for _ in range(200)]


# ---------------------------------------------------------------- words


def test_words_are_ordered_by_frequency_then_alphabet() -> None:
    tokenizer = word_config().build(LINES)
    assert tokenizer.vocabulary() == ["<eos>", "<unk>", "a", "b", "c", "d"]
    assert (tokenizer.end_id, tokenizer.unk_id, tokenizer.vocab_size) == (0, 1, 6)


def test_word_ids_do_not_depend_on_line_order() -> None:
    first = word_config().build(LINES)
    assert word_config().build(LINES[::-1]).vocabulary() == first.vocabulary()


def test_word_ids_do_not_depend_on_the_hash_seed() -> None:
    """Ids that come out of a `set` of strings differ from process to process."""
    script = (
        "from seqgan.data.tokenizers import WordTokenizer as W\n"
        "lines = [f'w{i % 37} x{i % 11}' for i in range(200)]\n"
        "print(W.from_lines(lines).vocabulary())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_word_round_trip_splits_punctuation_and_lowers_case() -> None:
    line = '"Don\'t", she said (twice); why?'
    tokenizer = word_config().build([line])
    assert tokenizer.decode(tokenizer.encode(line)) == '" don \' t " , she said ( twice ) ; why ?'


def test_word_options_off_leave_the_text_alone() -> None:
    line = "Don't  go, Ann."
    tokenizer = word_config(lowercase=False, split_punctuation=False).build([line])
    assert tokenizer.decode(tokenizer.encode(line)) == "Don't go, Ann."


def test_text_cannot_spell_the_end_token() -> None:
    tokenizer = word_config().build(LINES)
    assert tokenizer.encode("a <eos> zebra <unk> b") == [2, 1, 1, 1, 3]


def test_decode_stops_at_the_end() -> None:
    tokenizer = word_config().build(LINES)
    assert tokenizer.decode([2, 1, 0, 3, 0]) == "a <unk>"
    assert tokenizer.decode([0, 2]) == ""


def test_by_default_a_word_that_training_has_once_is_unknown() -> None:
    """So that `<unk>` is a token that training shows."""
    tokenizer = WordTokenizerConfig(name="word").build(LINES)
    assert tokenizer.vocabulary() == ["<eos>", "<unk>", "a", "b", "c"]
    assert tokenizer.encode("d c") == [1, 4]


def test_min_count_and_max_size_cut_the_tail() -> None:
    assert word_config(min_count=3).build(LINES).vocabulary()[2:] == ["a"]
    assert word_config(max_size=4).build(LINES).vocabulary()[2:] == ["a", "b"]


@pytest.mark.parametrize("fields", [{"min_count": 9}, {"max_size": 2}, {"max_size": 1}])
def test_a_vocabulary_without_words_is_refused(fields: dict[str, int]) -> None:
    field, value = next(iter(fields.items()))
    with pytest.raises(UserError, match=rf"data\.tokenizer: .*{field}={value}.*lower min_count"):
        word_config(**fields).build(LINES)


def test_a_vocabulary_file_is_used_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("z\n<unk>\na\n<eos>\n", encoding="utf-8")
    tokenizer = word_config(vocabulary=str(path)).build(["ignored words"])
    assert tokenizer.vocabulary() == ["<eos>", "<unk>", "z", "a"]
    assert tokenizer.encode("a b z") == [3, 1, 2]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("<unk>\na\n", r"words\.txt: the vocabulary lacks <eos>; add a line"),
        ("<eos>\na\n", r"words\.txt: the vocabulary lacks <unk>; add a line"),
        ("<eos>\n<unk>\na\nb\na\n", r"words\.txt: 'a' stands 2 times .* keep it once"),
        ("<eos>\n<unk>\nthe 12\n", r"words\.txt: 'the 12' is more than one word; write one entry"),
    ],
)
def test_bad_vocabulary_files(tmp_path: Path, entries: str, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(entries, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        word_config(vocabulary=str(path)).build(LINES)


def test_ids_of_a_run_do_not_move_though_text_is_read_in_one_spelling_since(
    tmp_path: Path,
) -> None:
    """A vocabulary of a former version may hold a word twice, and words that nobody sees."""
    words = ["gr\u00f6\u00dfe", "gro\u0308\u00dfe", "\u200b", "a"]
    WordTokenizer(words, lowercase=True, split_punctuation=True).save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.vocabulary() == ["<eos>", "<unk>", *words]
    assert loaded.encode("größe a") == [2, 5]


def test_a_given_vocabulary_is_read_in_the_spelling_of_text(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("<eos>\n<unk>\ngro\u0308\u00dfe\n", encoding="utf-8")
    tokenizer = word_config(vocabulary=str(path)).build([])
    assert tokenizer.encode("gr\u00f6\u00dfe") == [2]


def test_word_tokenizer_survives_a_run_folder(tmp_path: Path) -> None:
    config = word_config(lowercase=False, split_punctuation=False)
    tokenizer = config.build(["Ünder, größe", "Zoë größe"])
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.vocabulary() == tokenizer.vocabulary()
    assert loaded.encode("Ünder, ünder Zoë") == tokenizer.encode("Ünder, ünder Zoë")


def test_canonical_form_follows_the_settings() -> None:
    assert word_config().build_canonical()("A cat,  here") == "a cat , here"
    plain = word_config(lowercase=False, split_punctuation=False)
    assert plain.build_canonical()("A cat,  here") == "A cat, here"
    assert piece_config().build_canonical()("A \ufb01sh,  here") == "A fish, here"


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "word"}', "{}"])
def test_a_damaged_run_folder_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer\.json: damaged .*restore it"):
        load_tokenizer(tmp_path)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.json: no such file; .* holds no tokenizer"):
        load_tokenizer(tmp_path)


# ---------------------------------------------------------------- characters


CHARACTERS = [
    "我买书。",
    "ไม่มีน้ำ",
    "がっこう 　へ",
    "नमस्ते दुनिया",
    "👨‍👩‍👧‍👦 🇹🇭 👍🏽",
    "q̄ <eos>",
]


def char_config(**fields: Any) -> CharTokenizerConfig:
    return CharTokenizerConfig(name="char", **{"min_count": 1, **fields})


def test_characters_are_what_people_see_as_one() -> None:
    tokenizer = char_config().build(CHARACTERS)
    assert [len(tokenizer.encode(line)) for line in CHARACTERS] == [4, 4, 6, 7, 5, 7]
    for line in CHARACTERS:
        ids = tokenizer.encode(line)
        assert not {0, 1} & set(ids)
        assert tokenizer.decode([*ids, 0, 3]) == " ".join(line.split())
    assert {"น้ำ", "स्ते", "👨‍👩‍👧‍👦", "🇹🇭", "👍🏽", "q̄", " "} <= set(tokenizer.vocabulary())
    assert tokenizer.encode("买x书") == [*tokenizer.encode("买"), 1, *tokenizer.encode("书")]
    assert tokenizer.decode(tokenizer.encode("买x书")) == "买<unk>书"


def test_rare_characters_are_unknown_by_default() -> None:
    tokenizer = CharTokenizerConfig(name="char").build(["ab ba", "bc", "<eos>"])
    assert tokenizer.vocabulary() == ["<eos>", "<unk>", "b", "a"]
    assert char_config(max_size=3).build(["ab ba"]).vocabulary()[2:] == ["a"]
    with pytest.raises(UserError, match=r"min_count=2.* leave no character .*lower min_count"):
        CharTokenizerConfig(name="char").build(["abc"])


def test_characters_survive_a_run_folder(tmp_path: Path) -> None:
    lines = [*CHARACTERS, "a\u2028b \x85 \u2028 c"]
    tokenizer = char_config().build(lines)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.vocabulary() == tokenizer.vocabulary()
    for line in lines:
        assert loaded.encode(line) == tokenizer.encode(line)


def test_case_and_no_more_than_white_space_tells_lines_of_characters_apart() -> None:
    canonical = char_config().build_canonical()
    assert canonical("我 　 买") == canonical("我 买") != canonical("我买")
    assert canonical("A") != canonical("a")


# ---------------------------------------------------------------- sentencepiece


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_pieces_round_trip(prose: list[str], kind: str) -> None:
    tokenizer = piece_config(kind=kind).build(prose)
    assert tokenizer.vocabulary()[:2] == ["<eos>", "<unk>"]
    assert (tokenizer.end_id, tokenizer.unk_id, tokenizer.vocab_size) == (0, 1, 60)
    for line in prose[:20]:
        ids = tokenizer.encode(line)
        assert 0 not in ids
        assert tokenizer.decode([*ids, 0, 5, 7]) == line


def test_pieces_mark_what_they_do_not_know(prose: list[str]) -> None:
    tokenizer = piece_config().build(prose)
    ids = tokenizer.encode("The Ω ba")
    assert tokenizer.unk_id in ids
    assert tokenizer.decode(ids) == "The <unk> ba"


def test_training_pieces_is_deterministic_and_silent(
    prose: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        piece_config().build(prose).save(folder)
    models = [(folder / "tokenizer.model").read_bytes() for folder in folders]
    assert models[0] == models[1]
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_pieces_survive_a_run_folder(prose: list[str], tmp_path: Path) -> None:
    tokenizer = piece_config().build(prose)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.vocabulary() == tokenizer.vocabulary()
    assert loaded.encode(prose[0]) == tokenizer.encode(prose[0])
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == {"name": "sentencepiece"}


def test_very_long_training_lines_count_too(prose: list[str]) -> None:
    """SentencePiece leaves lines of more than 4,192 bytes out unless it is told otherwise."""
    tokenizer = piece_config().build([*prose, "Q" * 5_000])
    assert tokenizer.unk_id not in tokenizer.encode("Q")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_more_pieces_than_the_text_has_are_all_of_them(
    prose: list[str], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = piece_config(kind=kind, vocab_size=5_000).build(prose)
    assert 60 < tokenizer.vocab_size < 5_000
    assert tokenizer.decode(tokenizer.encode(prose[0])) == prose[0]
    assert capsys.readouterr().err == (
        f"note: data.tokenizer.vocab_size=5000: the training text has {tokenizer.vocab_size} "
        "different pieces, and all of them are used\n"
    )


def test_too_few_pieces_are_explained_in_our_words(prose: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        piece_config(vocab_size=3).build(prose)
    assert str(caught.value) == (
        "data.tokenizer.vocab_size=3: fewer entries than the training text has different "
        "characters; raise it"
    )


def test_text_without_any_piece_is_explained_in_our_words() -> None:
    with pytest.raises(UserError, match=r"finds no pieces in these 2 training lines") as caught:
        piece_config().build(["\u2028", "\u2029"])
    assert "--" not in str(caught.value)
    assert ".cc" not in str(caught.value)


def train_foreign_model(prose: list[str], path: Path, **options: int) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="pip install 'seqgan[corpora]'")
    with path.open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(prose),
            model_writer=stream,
            vocab_size=60,
            minloglevel=2,
            **options,
        )


def test_a_model_trained_elsewhere_keeps_its_ids(prose: list[str], tmp_path: Path) -> None:
    path = tmp_path / "foreign.model"
    train_foreign_model(prose, path)
    tokenizer = piece_config(model=str(path)).build([])
    assert (tokenizer.unk_id, tokenizer.end_id) == (0, 2)
    assert tokenizer.decode([*tokenizer.encode(prose[0]), 2, 9]) == prose[0]


def test_a_model_without_an_end_is_refused(prose: list[str], tmp_path: Path) -> None:
    path = tmp_path / "endless.model"
    train_foreign_model(prose, path, eos_id=-1)
    with pytest.raises(UserError, match=r"endless\.model: .*no end token; train it with eos_id"):
        piece_config(model=str(path)).build([])


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "junk.model"
    with pytest.raises(UserError, match=r"junk\.model: no such .*check data\.tokenizer\.model"):
        SentencePieceTokenizer.from_file(path)
    path.write_bytes(b"junk")
    with pytest.raises(UserError, match=r"junk\.model: not a SentencePiece model.*train a new"):
        SentencePieceTokenizer.from_file(path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, prose: list[str]) -> None:
    real_import = builtins.__import__

    def without_sentencepiece(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sentencepiece":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_sentencepiece)
    with pytest.raises(UserError, match=r"sentencepiece.*pip install 'seqgan\[corpora\]'"):
        piece_config().build(prose)
