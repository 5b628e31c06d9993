"""Two kinds of text from files: what is kept, what pairs, and what is said about bad input."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqgan.core.config import validate
from seqgan.core.errors import UserError
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.data.unpaired_text import UnpairedText
from seqgan.experiment import load_experiment

Write = Callable[[str, list[str]], str]
MULTI30K = Path(__file__).parents[2].parent / "shared/data/translation/multi30k"

ENGLISH = "one two three four five six seven eight nine ten".split()  # noqa: SIM905
GERMAN = "eins zwei drei vier fünf sechs sieben acht neun zehn".split()  # noqa: SIM905


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_lines(name: str, lines: list[str]) -> str:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    return write_lines


def parallel(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Lines of 2 to 7 words and their translations, with a number that both sides share."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(10, size=rng.integers(2, 8)).tolist() for _ in range(count)]
    english = [" ".join([*(ENGLISH[i] for i in row), str(n % 97)]) for n, row in enumerate(rows)]
    german = [" ".join([*(GERMAN[i] for i in row), str(n % 97)]) for n, row in enumerate(rows)]
    return english, german


EVERY_WORD = {"name": "word", "min_count": 1}


def config(a: Any, b: Any, **fields: Any) -> UnpairedTextConfig:
    a, b = ({"path": side} if isinstance(side, str | list) else side for side in (a, b))
    tree = {"name": "unpaired_text", "tokenizer": EVERY_WORD, "a": a, "b": b}
    return UnpairedTextConfig.model_validate({**tree, **fields})


def load(a: Any, b: Any, **fields: Any) -> UnpairedText:
    tree = config(a, b, **fields)
    return tree.build_text(scorer=tree.build_scores())


def warnings_of(text: UnpairedText) -> list[str]:
    """Without those on unknown words, of which so little text has many."""
    return [line for line in text.report["warnings"] if "unknown" not in line]


def test_halves_of_a_parallel_corpus_and_paired_files(write: Write) -> None:
    english, german = parallel(400)
    en, de = write("en", english), write("de", german)
    pairs = {"a": write("test.en", english[:30]), "b": write("test.de", german[:30])}
    sides = {"path": en, "take": "odd"}, {"path": de, "take": "even"}
    text = load(*sides, valid=pairs, test=pairs, exclude=[pairs["a"], pairs["b"]])
    assert text.a.train.lines == english[30::2]
    assert text.b.train.lines == german[31::2]
    assert [text.report[side]["excluded"] for side in "ab"] == [15, 15]
    assert text.a.tokenizer is text.b.tokenizer
    assert text.a.test.lines == english[:30]
    assert text.b.test.lines == german[:30]
    assert text.paired
    assert not text.report["paired_rows"]
    assert text.report["common_tokens"] > 0
    assert text.report["warnings"] == []
    for split in ("train", "valid", "test"):
        for side in (text.a, text.b):
            part = getattr(side, split)
            assert [side.tokenizer.decode(row) for row in part.ids_NT.tolist()] == part.lines

    assert text.scorer is not None
    right = text.scorer("a2b", english[:30], [line.upper() for line in german[:30]], german[:30])
    assert right == pytest.approx({"bleu": 100, "chrf": 100})
    assert text.scorer("a2b", english[:30], english[:30], german[:30])["bleu"] < 10


def test_a_vocabulary_for_each_side(write: Write) -> None:
    english, german = parallel(100)
    sides = write("en", english), write("de", german[::-1])
    text = load(*sides, joint=False)
    assert text.a.tokenizer is not text.b.tokenizer
    assert not set(GERMAN) & set(text.a.tokenizer.vocabulary())
    assert text.report["common_tokens"] == load(*sides).report["common_tokens"]
    again = config(*sides, joint=False).build_text((text.a.tokenizer, text.b.tokenizer))
    assert again.report == text.report


def test_without_pairs_a_share_is_held_out_and_nothing_is_scored(write: Write) -> None:
    english, german = parallel(200)
    text = load(write("en", english), write("de", german[::-1]), valid_fraction=0.1)
    assert not text.paired
    assert text.scorer is None
    assert text.baselines is None
    for side, lines in ((text.a, english), (text.b, german)):
        parts = [side.train.lines, side.valid.lines, side.test.lines]
        assert sorted(line for part in parts for line in part) == sorted(lines)
        assert all(16 <= len(part) <= 24 for part in parts[1:])


def test_several_files_and_max_train(write: Write) -> None:
    english, german = parallel(60)
    files = [write("en1", ["", *english[:21]]), write("en2", english[21:])]
    pair = {"a": write("va", ["one 1"]), "b": write("vb", ["eins 1"])}
    a = {"path": files, "take": "even", "max_train": 12}
    text = load(a, write("de", german), valid=pair, test=pair)
    # The first line of the first file is blank, and counts.
    assert text.a.train.lines == [*english[0:21:2], english[22]]


def test_blank_training_lines_are_counted_and_told(write: Write) -> None:
    """Of the lines that are taken; those behind the last sentence too."""
    english, german = parallel(40)
    files = [write("en1", ["", *english[:20], ""]), write("en2", [*english[20:], "  ", ""])]
    de = write("de", german)
    for take, count in {"odd": 2, "even": 2, "all": 4}.items():
        text = load({"path": files, "take": take}, de)
        assert [text.report[side]["blank"] for side in "ab"] == [count, 0]
        (warning,) = [line for line in text.report["warnings"] if "blank" in line]
        assert f"{count} of data.a, 0 of data.b" in warning


def test_rows_that_pair_are_noticed_by_words_or_by_length_alone(write: Write) -> None:
    english, german = parallel(300)
    paired = load(write("en", english), write("de", german)).report
    assert paired["paired_rows"]
    assert "take=odd" in paired["warnings"][0]
    wordless = [line.rpartition(" ")[0] for line in german]  # nothing in common but length
    text = load(write("en", english), write("de2", wordless), score=["bleu"])
    assert text.report["common_tokens"] == 0
    assert text.report["paired_rows"]
    same_words = [line.split()[-1] + " null" for line in english]  # nothing but a word
    assert load(write("en", english), write("de3", same_words)).report["paired_rows"]
    other_order = [german[row] for row in np.random.default_rng(1).permutation(300)]
    assert not load(write("en", english), write("de4", other_order)).report["paired_rows"]
    assert not load(write("en", english), write("de5", german[1:])).report["paired_rows"]


AUTO = {"take": "auto"}


def test_auto_halves_files_that_pair_and_takes_all_of_those_that_do_not(write: Write) -> None:
    english, german = parallel(300)
    a, b = {"path": write("en", english), **AUTO}, {"path": write("de", german), **AUTO}
    text = load(a, b)
    assert sorted(lines_of(text.a)) == sorted(english[::2])
    assert sorted(lines_of(text.b)) == sorted(german[1::2])
    assert [text.left_out[side]["not_taken"] for side in "ab"] == [150, 150]
    (warning,) = warnings_of(text)
    assert "odd lines of data.a and even lines of data.b are taken" in warning
    for other in (german[::-1], german[1:], german[:40]):
        unpaired = load(a, {"path": write("other", other), **AUTO})
        assert sorted(lines_of(unpaired.a)) == sorted(english)
        assert sorted(lines_of(unpaired.b)) == sorted(other)
        assert [unpaired.left_out[side]["not_taken"] for side in "ab"] == [0, 0]
        assert warnings_of(unpaired) == []


def lines_of(side: Any) -> list[str]:
    """Of all splits, where a share is held out."""
    return side.train.lines + side.valid.lines + side.test.lines


def test_auto_compares_lines_by_their_numbers(write: Write) -> None:
    """Blank lines of one file shift its sentences against the other's."""
    english, german = parallel(300)
    blanks = ["" if row in (3, 50, 51) else line for row, line in enumerate(english)]
    text = load({"path": write("en", blanks), **AUTO}, {"path": write("de", german), **AUTO})
    assert sorted(lines_of(text.b)) == sorted(german[1::2])
    assert sorted(lines_of(text.a)) == sorted(line for line in blanks[::2] if line)
    assert text.left_out["a"] == {"not_taken": 150, "blank": 1, "excluded": 0, "overlong": 0}


def test_half_of_a_text_that_does_not_pair_is_not_thrown_away_in_silence(write: Write) -> None:
    english, german = parallel(300)
    en, halves = {"path": write("en", english), "take": "odd"}, {"take": "even"}
    for other in (german[::-1], german[1:]):
        text = load(en, {"path": write("other", other), **halves})
        (warning,) = warnings_of(text)
        assert warning.startswith("data.a.take=odd, data.b.take=even: leaves out every other")
        assert "set data.a.take=auto and data.b.take=auto" in warning
    assert warnings_of(load(en, {"path": write("de", german), **halves})) == []


def test_auto_is_for_both_sides(write: Write) -> None:
    a, b = {"path": write("a", ["x y"]), **AUTO}, write("b", ["p"])
    with pytest.raises(ValueError, match=r"a\.take=auto, b\.take=all.*set both"):
        load(a, b)


def test_held_out_files_are_excluded_without_naming_them(write: Write) -> None:
    english, german = parallel(300)
    valid = {"a": write("va", english[:10]), "b": write("vb", german[:10])}
    test = {"a": write("ta", english[10:30]), "b": write("tb", german[10:30])}
    files = {"path": write("en", english)}, {"path": write("de", german[::-1])}
    text = load(*files, valid=valid, test=test, exclude="held_out")
    named = load(*files, valid=valid, test=test, exclude=[*valid.values(), *test.values()])
    assert text.a.train.lines == english[30:] == named.a.train.lines
    assert text.b.train.lines == german[:29:-1] == named.b.train.lines
    assert text.left_out["a"]["excluded"] == 30
    assert load(*files, exclude="held_out").report["a"]["excluded"] == 0


@pytest.mark.parametrize("name", ["summarize/gigaword", "translate/multi30k"])
def test_shipped_files_keep_every_line_of_unpaired_text(
    name: str, write: Write, tmp_path: Path
) -> None:
    english, german = parallel(300)
    paths = {"a": write("en", english), "b": write("de", german[:250][::-1])}
    held_out = {"a": write("ta", ["one 1"]), "b": write("tb", ["eins 1"])}
    words = [f"data.{side}.path={path}" for side, path in paths.items()]
    words += [
        f"data.{split}.{side}={held_out[side]}" for split in ("valid", "test") for side in "ab"
    ]
    words += ["data.tokenizer={name: word}"]
    config_file = Path(__file__).parents[2] / "configs" / f"{name}.yaml"
    tree = load_experiment(config_file, words).data
    assert isinstance(tree, UnpairedTextConfig)
    text = tree.build_text()
    kept = [line for line in english if line != "one 1"]
    assert text.a.train.lines == (kept if tree.exclude else english)
    assert len(text.b.train.lines) in (249, 250)


def test_files_sorted_alike_are_no_pairs(write: Write) -> None:
    """Sorted by length, row i and row i + 1 have the same length on the other side."""
    english, _ = parallel(1000, seed=1)
    _, german = parallel(1000, seed=2)
    text = load(write("en", sorted(english, key=len)), write("de", sorted(german, key=len)))
    assert not text.report["paired_rows"]


def test_unknown_words_that_training_never_shows_are_told(write: Write) -> None:
    sides = write("a", ["x y", "y x"]), write("b", ["p q", "q p"])
    pairs = {"a": write("va", ["x y", "x z"]), "b": write("vb", ["p q", "p q"])}
    (warning,) = (
        line for line in load(*sides, valid=pairs, test=pairs).report["warnings"] if "unk" in line
    )
    assert warning.startswith("data.a: 25.0% of the valid tokens are unknown")


def test_summaries_that_are_longer_than_their_articles(write: Write) -> None:
    english, _ = parallel(100)
    long = write("long", [f"{line} and {line}" for line in english])
    short = write("short", english[:99])
    assert warnings_of(load(short, long)) == []
    assert warnings_of(load(long, short, score=["rouge"])) == []
    (warning,) = warnings_of(load(short, long, score=["rouge"]))
    assert "swap" in warning


def test_articles_that_are_shorter_than_their_summaries(write: Write) -> None:
    """Counted where pairs are held out; a pair that was dropped is none of them."""
    english, _ = parallel(100)
    sides = write("a", [f"{line} and {line}" for line in english]), write("b", english[:99])
    valid = {"a": write("va", ["one two", "six"]), "b": write("vb", ["six", "six"])}
    articles = ["one", "one two,", "six " * 40, "six"]
    summaries = ["one two", "one two two", "six " * 41, "seven eight nine"]
    test = {"a": write("ta", articles), "b": write("tb", summaries)}
    both = [{"path": path, "overlong": "drop"} for path in sides]
    text = load(*both, valid=valid, test=test, score=["rouge"])
    assert text.report["shorter_articles"] == {"valid": 0, "test": 2}
    (warning,) = warnings_of(text)
    assert warning.startswith("data.test: 2 articles have fewer words than their summaries;")
    assert load(*both, score=["rouge"]).report["shorter_articles"] == {}
    assert load(*both, valid=valid, test=test).report["shorter_articles"] == {}


def test_sides_without_a_common_token(write: Write) -> None:
    """Where both have one vocabulary, which is there for copying."""
    sides = write("a", ["x y", "y z", "z", "x"]), write("b", ["p q", "q", "r p", "r"])
    (warning,) = warnings_of(load(*sides))
    assert "no token in common" in warning
    assert warnings_of(load(*sides, joint=False)) == []
    assert warnings_of(load(sides[0], write("c", ["p q", "q x", "q", "p"]))) == []


def test_the_lead_has_the_length_of_summaries(write: Write) -> None:
    pair = {"a": write("va", ["a b c d e f"]), "b": write("vb", ["b c"])}
    articles = write("a", ["a b c d", "d e f a", "f e d c"])
    text = load(articles, write("b", ["a b", "c d e", "d a c"]), valid=pair, test=pair)
    assert text.baselines is not None
    rows = text.baselines(text, "a2b", ["a b", "not known"])
    assert rows == {"word_for_word": ["a b", "not known"]}, "words of so few lines have no partner"
    text = load(
        articles, write("b", ["a b", "c d e", "d a c"]), valid=pair, test=pair, score=["rouge"]
    )
    assert text.baselines is not None
    assert text.baselines(text, "a2b", text.a.test.lines) == {"lead_3": ["a b c"]}
    assert text.baselines(text, "b2a", text.b.test.lines) == {}


def test_rows_of_text_without_spaces_that_pair_are_noticed(write: Write) -> None:
    digits = "零一二三四五六七八九"
    rng = np.random.default_rng(0)
    numbers = ["".join(digits[digit] for digit in rng.integers(10, size=4)) for _ in range(200)]
    sides = write("a", [f"买{number}本书" for number in numbers]), write("b", numbers)
    characters = {"name": "char"}
    assert load(*sides, tokenizer=characters).report["paired_rows"]
    shuffled = write("c", rng.permutation(numbers).tolist())
    assert not load(sides[0], shuffled, tokenizer=characters).report["paired_rows"]


def test_the_lead_of_text_without_spaces_is_counted_in_characters(write: Write) -> None:
    pair = {"a": write("va", ["我买了一本书。他看。"]), "b": write("vb", ["买书"])}
    articles = write("a", ["我买了一本书。", "他 看了 tea 。"])
    text = load(articles, write("b", ["买书", "看茶水"]), valid=pair, test=pair, score=["rouge"])
    assert text.baselines is not None
    assert text.baselines(text, "a2b", [*text.a.test.lines, *text.a.train.lines, ""]) == {
        "lead_2": ["我买", "我买", "他 看", ""]
    }
    pair = {"a": pair["b"], "b": pair["a"]}
    swapped = load(write("c", ["买书", "看茶水"]), articles, valid=pair, test=pair, score=["rouge"])
    assert "summaries (data.b, 6.0 words) are longer" in "".join(warnings_of(swapped))
    assert swapped.report["shorter_articles"] == {"valid": 1, "test": 1}


def test_a_pair_leaves_whole(write: Write) -> None:
    pair = {"a": write("va", ["x", "x x x x x x", "x y"]), "b": write("vb", ["p", "q", "r " * 9])}
    train_a, train_b = write("a", ["x y", "y"]), write("b", ["p q", "r"])
    drop_a = {"path": train_a, "length": 4, "overlong": "drop"}
    cut_b = {"path": train_b, "length": 4, "overlong": "truncate"}
    text = load(drop_a, cut_b, valid=pair, test=pair)
    assert (text.a.test.lines, text.b.test.lines) == (["x", "x y"], ["p", "r r r r r r r r r"])
    assert (text.report["a"]["test"]["dropped"], text.report["b"]["test"]["truncated"]) == (1, 1)
    text = load(drop_a, {**cut_b, "overlong": "drop"}, valid=pair, test=pair)
    assert (text.a.valid.lines, text.b.valid.lines) == (["x"], ["p"])
    with pytest.raises(UserError, match=r"va: line 2 has 7 .* data\.a\.length=4; raise"):
        load({**drop_a, "overlong": "error"}, cut_b, valid=pair, test=pair)


@pytest.mark.parametrize(
    ("valid_a", "valid_b", "message"),
    [
        (["x", "y"], ["p"], r"data\.valid: .*va has 2 lines, .*vb has 1.*aligned line by line"),
        (["x", "", "y"], ["p", "q", "r"], r"data\.valid\.a: .*va: line 2 is blank.*both files"),
    ],
)
def test_broken_pairs(write: Write, valid_a: list[str], valid_b: list[str], message: str) -> None:
    files = {"a": write("va", valid_a), "b": write("vb", valid_b)}
    with pytest.raises(UserError, match=message):
        load(write("a", ["x", "y"]), write("b", ["p", "q"]), valid=files, test=files)


def test_bad_files_are_explained(write: Write, tmp_path: Path) -> None:
    a, b = write("a", ["x y", "y z", "z"]), write("b", ["p", "q", "r"])
    pair = {"a": a, "b": b}
    with pytest.raises(UserError, match=r"data\.b\.path: .*gone: no such file"):
        load(a, str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"data\.b\.path: .*same.* has the same lines as .*/a of"):
        load(a, write("same", ["Z", "y z", "x  y"]))
    with pytest.raises(UserError, match=r"one: the train split has 0 sentences.*give more text"):
        load(write("many", ENGLISH), write("one", ["only"]))
    with pytest.raises(UserError, match=r"one: the train split has 1 sentences"):
        load(a, write("one", ["only"]), valid=pair, test=pair)
    with pytest.raises(UserError, match=r"/b: all 3 lines of data\.b stand in .*data\.exclude"):
        load(a, b, exclude=[b], valid=pair, test=pair)
    with pytest.raises(UserError, match=r"data\.valid=null: data\.test has pairs.*set both"):
        load(a, b, test=pair)


@pytest.mark.parametrize("take", [("all", "all"), ("odd", "even")])
def test_no_file_serves_both_sides(
    take: tuple[str, str], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is spelled, and whatever lines are taken."""
    english, german = parallel(40)
    en, de = write("en", english), write("de", german)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(en)
    for path in ("en", "link", [de, "./en"]):
        sides = {"path": [en], "take": take[0]}, {"path": path, "take": take[1]}
        named = path if isinstance(path, str) else path[1]
        with pytest.raises(UserError, match=rf"data\.b\.path: {named} is a file of data\.a\.path"):
            load(*sides)
    load({"path": en, "take": take[0]}, {"path": de, "take": take[1]})


def test_bleu_is_told_how_text_is_cut(write: Write) -> None:
    sides = write("a", ["x y"]), write("b", ["p"])
    assert "tok:none" in config(*sides).build_scores().notes["bleu"]
    pieces = config(*sides, tokenizer={"name": "sentencepiece", "vocab_size": 30})
    assert "tok:13a" in pieces.build_scores().notes["bleu"]


@pytest.mark.skipif(not MULTI30K.exists(), reason="Multi30k is not in ../shared/data/translation")
def test_multi30k(tmp_path: Path) -> None:
    """Halves do not pair, whole files do; copying is worth nothing."""
    fields = {"length": 48, "max_train": 3000}
    train = [{"path": str(MULTI30K / f"train.{lang}.gz"), **fields} for lang in ("en", "de")]
    pair = {
        side: str(MULTI30K / f"test_2016_flickr.{lang}.gz")
        for side, lang in (("a", "en"), ("b", "de"))
    }
    text = load({**train[0], "take": "odd"}, {**train[1], "take": "even"}, valid=pair, test=pair)
    assert not text.report["paired_rows"]
    assert load(*train, valid=pair, test=pair).report["paired_rows"]
    assert text.scorer is not None
    lines = text.a.test.lines, text.a.test.lines, text.b.test.lines
    assert len(text.a.test.lines) == 1000
    assert text.scorer("a2b", *lines)["bleu"] < 1
    with gzip.open(train[0]["path"], "rt", encoding="utf-8") as file:
        assert file.readline().strip() == text.a.train.lines[0]


def test_aligned_files_stay_pairs(tmp_path: Path) -> None:
    """For the supervised ceiling: row i of one side is line i of its file, as in the other."""
    for side, say in (("a", "one {}"), ("b", "un {}")):
        for split, count in (("train", 60), ("valid", 4), ("test", 4)):
            text = "".join(say.format(f"w{split}{row}") + "\n" for row in range(count))
            (tmp_path / f"{split}.{side}").write_text(text)
    files = {
        side: {"path": str(tmp_path / f"train.{side}"), "overlong": "truncate"} for side in "ab"
    }
    held_out = {
        split: {side: str(tmp_path / f"{split}.{side}") for side in "ab"}
        for split in ("valid", "test")
    }
    tree = {"name": "unpaired_text", **files, **held_out, "aligned": True}
    text = validate(UnpairedTextConfig, tree, "data").build_text()
    for ours, theirs in zip(text.a.train.lines, text.b.train.lines, strict=True):
        assert ours.split()[1] == theirs.split()[1]
    assert warnings_of(text) == []
    (tmp_path / "barred").write_text("one wtrain3\nun wtrain5\n")
    barred = {**tree, "exclude": [str(tmp_path / "barred")]}
    fewer = validate(UnpairedTextConfig, barred, "data").build_text()
    left = [f"wtrain{row}" for row in range(60) if row not in (3, 5)]
    for side in (fewer.a, fewer.b):
        assert [line.split()[1] for line in side.train.lines] == left, "a pair goes as one"
    with pytest.raises(UserError, match="overlong=drop"):
        validate(UnpairedTextConfig, {**tree, "a": {**files["a"], "overlong": "drop"}}, "data")
    whole = {side: (tmp_path / f"train.{side}").read_text() for side in "ab"}
    for side, row in (("a", 3), ("b", 7)):
        lines = whole[side].splitlines()
        lines[row] = ""
        (tmp_path / f"train.{side}").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"line 5 of .*train\.a stands beside line 4 of .*train\.b"):
        validate(UnpairedTextConfig, tree, "data").build_text()
    for side, lines in whole.items():
        (tmp_path / f"train.{side}").write_text(lines)
    with (tmp_path / "train.b").open("a") as file:
        file.write("un mot de plus\n")
    with pytest.raises(UserError, match=r"60 training lines.* 61"):
        validate(UnpairedTextConfig, tree, "data").build_text()
