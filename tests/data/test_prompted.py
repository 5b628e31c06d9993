"""Prompts and responses: every source, every length, and complaints that say where."""

import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment

from seqgan.assembly import build_task
from seqgan.core.config import validate
from seqgan.core.errors import UserError
from seqgan.data.pair_sources import Pairs
from seqgan.data.prompted_config import PairSourceConfig, PromptedTextConfig, SmallTalkConfig
from seqgan.data.prompted_text import PromptedText
from seqgan.data.small_talk import fits, write_pairs
from seqgan.data.tokenizer_config import CharTokenizerConfig, WordTokenizerConfig
from seqgan.data.tokenizers import load_tokenizer

CPU = torch.device("cpu")
PAIRS = [(f"who is {name} ?", f"{name} is a {kind} .") for name, kind in (
    ("ann", "cat"), ("bob", "dog"), ("cid", "cat"), ("dee", "bird"), ("eve", "dog"),
    ("fay", "bird"), ("gus", "cat"), ("hal", "dog"), ("ida", "bird"), ("jon", "cat"),
)]  # fmt: skip


def write_jsonl(path: Path, rows: list[Any], opened: Any = open) -> str:
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(
            "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        )
    return str(path)


def rows_of(pairs: list[tuple[Any, Any]], names: tuple[str, str] = ("prompt", "response")) -> list:
    return [dict(zip(names, pair, strict=True)) for pair in pairs]


def config_of(source: dict[str, Any], **options: Any) -> PromptedTextConfig:
    tree = {"name": "prompted_text", "source": source, "prompt_length": 5, "length": 6, "score": []}
    return validate(PromptedTextConfig, tree | options, "data")


def load(source: dict[str, Any], **options: Any) -> PromptedText:
    return config_of(source, **options).build_text()


def jsonl(path: Path, rows: list[Any] | None = None, **options: Any) -> dict[str, Any]:
    return {
        "name": "jsonl",
        "path": write_jsonl(path, rows_of(PAIRS) if rows is None else rows),
    } | (options)


def pairs_of(text: PromptedText) -> dict[str, list[tuple[str, str]]]:
    return {
        name: list(zip(part.prompts, part.responses, strict=True))
        for name, part in (("train", text.train), ("valid", text.valid), ("test", text.test))
    }


# ── Sources ───────────────────────────────────────────────────────────────────────────────────


def test_every_source_gives_the_same_pairs(tmp_path: Path) -> None:
    plain = pairs_of(load(jsonl(tmp_path / "a.jsonl")))
    zipped = write_jsonl(tmp_path / "b.jsonl.gz", rows_of(PAIRS), gzip.open)
    assert pairs_of(load({"name": "jsonl", "path": zipped})) == plain
    named = write_jsonl(tmp_path / "c.jsonl", rows_of(PAIRS, ("post", "reply")))
    source = {"name": "jsonl", "path": named, "prompt": "post", "response": "reply"}
    assert pairs_of(load(source)) == plain
    for side, column in (("q", 0), ("r", 1)):
        (tmp_path / side).write_text("".join(pair[column] + "\n" for pair in PAIRS))
    files = {"prompts": str(tmp_path / "q"), "responses": str(tmp_path / "r")}
    assert pairs_of(load({"name": "lines", "train": files})) == plain
    assert sorted(pair for part in plain.values() for pair in part) == sorted(PAIRS)


def test_a_dataset_of_the_library(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="pip install 'seqgan[corpora]'")
    columns = {"q": [p for p, _ in PAIRS], "a": [r for _, r in PAIRS]}
    table = datasets.Dataset.from_dict(columns)
    datasets.DatasetDict(
        {"train": table, "validation": table.select([0]), "test": table}
    ).save_to_disk(str(tmp_path / "set"))
    source = {
        "name": "huggingface",
        "dataset": str(tmp_path / "set"),
        "prompt": "q",
        "response": "a",
    }
    text = load(source)
    assert pairs_of(text) == {"train": PAIRS, "valid": PAIRS[:1], "test": PAIRS}
    with pytest.raises(UserError, match=r"data\.source\.prompt='prompt': .* no such column"):
        load(source | {"prompt": "prompt"})
    with pytest.raises(UserError, match=r"data\.source\.test_split='dev'"):
        load(source | {"test_split": "dev"})


def test_given_splits_are_taken_as_they_are_and_their_overlap_is_counted(tmp_path: Path) -> None:
    source = jsonl(
        tmp_path / "train.jsonl",
        rows_of(PAIRS[:6]),
        valid_path=write_jsonl(tmp_path / "v", rows_of(PAIRS[5:8])),
        test_path=write_jsonl(tmp_path / "t", rows_of([(PAIRS[0][0], "nobody ."), PAIRS[9]])),
    )
    text = load(source)
    assert pairs_of(text)["valid"] == PAIRS[5:8]
    assert text.report["valid"] == text.report["valid"] | {"in_train": 1, "prompts_in_train": 1}
    assert text.report["test"] == text.report["test"] | {"in_train": 0, "prompts_in_train": 1}
    assert text.report["test"]["unk_rate"] > 0


def test_no_held_out_prompt_is_answered_in_training(tmp_path: Path) -> None:
    """Every prompt has three responses."""
    pairs = [(prompt, f"{response} {n}") for prompt, response in PAIRS for n in ("a", "b", "c")]
    source = jsonl(tmp_path / "x.jsonl", rows_of(pairs))
    text = load(source, length=8, valid_fraction=0.2, test_fraction=0.3)
    prompts = {name: {p for p, _ in part} for name, part in pairs_of(text).items()}
    assert [len(prompts[name]) for name in ("train", "valid", "test")] == [5, 2, 3]
    assert not prompts["train"] & prompts["valid"]
    assert not prompts["train"] & prompts["test"]
    assert sum(map(len, pairs_of(text).values())) == 30
    other = load(source, length=8, valid_fraction=0.2, test_fraction=0.3, split_seed=1)
    assert {p for p, _ in pairs_of(other)["test"]} != prompts["test"]


def test_labels_are_held_out_by_pairs(tmp_path: Path) -> None:
    """Three labels could not lose one; of pairs a share is held out, and every label stays."""
    rows = [{"label": n % 3, "response": f"word{n}"} for n in range(60)]
    source = jsonl(tmp_path / "x.jsonl", rows, prompt="label")
    text = load(source, prompt_length=1, valid_fraction=0.1, test_fraction=0.1)
    assert {p for p, _ in pairs_of(text)["train"]} == {"0", "1", "2"}
    assert len(text.valid.prompts) == 6
    assert text.train.batch.cond.shape == (48, 1)
    ids = {label: text.tokenizer.encode(label) for label in "012"}
    for label, row in zip(text.train.prompts, text.train.batch.cond.tolist(), strict=True):
        assert row == ids[label]


def test_max_train_keeps_the_first_pairs(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "x.jsonl")
    whole, part = load(source), load(source, max_train=3)
    assert pairs_of(part)["train"] == pairs_of(whole)["train"][:3]
    assert pairs_of(part)["test"] == pairs_of(whole)["test"]


# ── Tokens ───────────────────────────────────────────────────────────────────────────────────


def test_prompts_are_filled_in_front_and_responses_behind(tmp_path: Path) -> None:
    rows = rows_of([("a b", "c"), ("d", "e f"), ("a", "c"), ("b", "f")])
    files = {"valid_path": write_jsonl(tmp_path / "v", rows[:1]), "test_path": str(tmp_path / "v")}
    text = load(jsonl(tmp_path / "x.jsonl", rows, **files), prompt_length=3, length=4)
    end = text.space.end_id
    ids = {word: text.tokenizer.encode(word)[0] for word in "abcdef"}
    batch = text.train.batch
    assert batch.cond[0].tolist() == [end, ids["a"], ids["b"]]
    assert batch.cond[1].tolist() == [end, end, ids["d"]]
    assert batch.x[0].tolist() == [ids["c"], end, end, end]
    assert batch.x[1].tolist() == [ids["e"], ids["f"], end, end]
    assert batch.mask[0].tolist() == [True, True, False, False]
    assert batch.mask[1].tolist() == [True, True, True, False]
    assert text.space.prompt == 3
    assert text.space.length == 4
    assert text.space.vocab_size == len(text.tokenizer.vocabulary())


def test_one_vocabulary_from_both_sides_of_the_training_split(tmp_path: Path) -> None:
    held_out = write_jsonl(tmp_path / "v", rows_of([("who is zoe ?", "zoe is a fox .")]))
    source = jsonl(tmp_path / "x.jsonl", valid_path=held_out, test_path=held_out)
    words = set(load(source).tokenizer.vocabulary())
    assert {"who", "is", "?", "cat", ".", "ann"} <= words
    assert not {"zoe", "fox"} & words


LONG = [
    *PAIRS,
    ("who is the very long name ?", "nobody ."),
    ("who ?", "a very long answer . yes ."),
]


def test_overlong_pairs_are_an_error_that_says_where(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "x.jsonl", rows_of(LONG[:1] * 12 + LONG[10:11]))
    source |= {"valid_path": source["path"], "test_path": source["path"]}
    with pytest.raises(UserError) as error:
        load(source)
    for word in ("x.jsonl: line 13", "prompt of 7 tokens", "response of 3", "data.overlong=drop"):
        assert word in str(error.value)


def test_overlong_pairs_are_dropped_whole_or_cut(tmp_path: Path) -> None:
    held_out = write_jsonl(tmp_path / "v", rows_of(PAIRS))
    source = jsonl(tmp_path / "x.jsonl", rows_of(LONG), valid_path=held_out, test_path=held_out)
    dropped = load(source, overlong="drop")
    assert pairs_of(dropped)["train"] == PAIRS
    assert dropped.report["train"] == dropped.report["train"] | {"dropped": 2, "truncated": 0}
    cut = load(source, overlong="truncate")
    report = cut.report["train"]
    assert report == report | {"dropped": 0, "truncated": 2, "longest_prompt": 7, "longest": 8}
    assert len(cut.train.prompts) == 12
    encode = cut.tokenizer.encode
    assert cut.train.batch.cond[10].tolist() == encode(LONG[10][0])[:5]
    assert cut.train.batch.x[11].tolist() == encode(LONG[11][1])[:6]
    assert cut.train.batch.mask[11].all()  # no end: the sentence did not end there


def test_a_run_brings_its_own_tokenizer(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "x.jsonl")
    text = load(source)
    text.tokenizer.save(tmp_path)
    again = config_of(source, max_train=3).build_text(load_tokenizer(tmp_path))
    assert again.space == text.space
    assert torch.equal(again.train.batch.x, text.train.batch.x[:3])


def test_the_report_knows_when_the_files_change(tmp_path: Path) -> None:
    report = load(jsonl(tmp_path / "x.jsonl")).report
    swapped = [(PAIRS[1][0], PAIRS[0][1]), (PAIRS[0][0], PAIRS[1][1]), *PAIRS[2:]]
    assert load(jsonl(tmp_path / "y.jsonl", rows_of(swapped))).report != report
    assert load(jsonl(tmp_path / "z.jsonl")).report == report


# ── Prompts without responses ─────────────────────────────────────────────────────────────────


def test_further_prompts_from_lines_or_jsonl(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "x.jsonl")
    (tmp_path / "more.txt").write_text("who is ann ?\n\nis ann a cat ?\n")
    more = write_jsonl(
        tmp_path / "more.jsonl", [{"prompt": "who is ann ?"}, {"prompt": "is ann a cat ?"}]
    )
    text = load(source, prompts=str(tmp_path / "more.txt"))
    assert torch.equal(text.further_MP, load(source, prompts=more).further_MP)
    assert text.report["further_prompts"]["prompts"] == 2
    assert text.further_MP[0].tolist() == [
        text.space.end_id,
        *text.tokenizer.encode("who is ann ?"),
    ]
    assert load(source).further_MP is None


def test_further_prompts_obey_the_same_limits(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "x.jsonl")
    (tmp_path / "long.txt").write_text("who is ann ?\nis ann a cat or a dog ?\n")
    path = str(tmp_path / "long.txt")
    with pytest.raises(
        UserError, match=r"long\.txt: line 2 has 8 tokens, but data\.prompt_length=5"
    ):
        load(source, prompts=path)
    assert len(load(source, prompts=path, overlong="drop").further_MP) == 1
    cut = load(source, prompts=path, overlong="truncate").further_MP
    assert cut[1].tolist() == load(source).tokenizer.encode("is ann a cat or")
    (tmp_path / "long.txt").write_text("is ann a cat or a dog ?\n")
    with pytest.raises(UserError, match="all prompts were dropped"):
        load(source, prompts=path, overlong="drop")


def experiment_with_prompts(tmp_path: Path, **overrides: Any) -> Any:
    (tmp_path / "more.txt").write_text("".join(f"who is {n} ?\n" for n in "abcdefghijklmnop"))
    data = config_of(jsonl(tmp_path / "x.jsonl"), prompts=str(tmp_path / "more.txt")).model_dump()
    return tiny_experiment({"data": data, "game": {"name": "conditional"}} | overrides)


def test_both_streams_are_shuffled_from_seeds_of_their_own(tmp_path: Path) -> None:
    """Streams of as many rows: the same order would be the same seed."""
    experiment = experiment_with_prompts(tmp_path)
    first, again = (build_task(experiment, CPU, None) for _ in range(2))
    other = build_task(experiment_with_prompts(tmp_path, seed=1), CPU, None)
    orders = {}
    for name, side in (("first", first), ("again", again), ("other", other)):
        side.prompts.unanswered._current_size()
        orders[name] = side.prompts.unanswered._order_N.tolist()
    assert orders["first"] == orders["again"]
    assert orders["first"] != orders["other"]
    side = first
    pairs = type(side.prompts.unanswered)(side.prompts.unanswered._data, 4, experiment.seed)
    pairs._current_size()
    assert pairs._order_N.tolist() != orders["first"]
    neighbours = type(side.prompts.unanswered)(
        side.prompts.unanswered._data, 4, experiment.seed + 2**32 + 1
    )
    neighbours._current_size()
    assert neighbours._order_N.tolist() == orders["other"]


# ── Complaints ────────────────────────────────────────────────────────────────────────────────

GOOD = {"prompt": "who is ann ?", "response": "ann is a cat ."}
BAD_LINES: dict[str, tuple[Any, list[str]]] = {
    "broken": ('{"prompt": "a", ', ["line 3 is no JSON", "column"]),
    "list": ('["a", "b"]', ["line 3 is no JSON object"]),
    "no response": (
        {"prompt": "a"},
        ["line 3 has no field 'response'", "prompt", "data.source.resp"],
    ),
    "misspelt": ({"promt": "a", "response": "b"}, ["line 3", "'prompt'", "did you mean 'promt'"]),
    "empty prompt": ({"prompt": " ", "response": "b"}, ["line 3", "'prompt' is empty"]),
    "empty response": ({"prompt": "a", "response": ""}, ["line 3", "'response' is empty"]),
    "null": ({"prompt": "a", "response": None}, ["line 3", "'response' is null, not text"]),
    "list of turns": ({"prompt": ["a"], "response": "b"}, ["line 3", "is list, not text"]),
    "truth": ({"prompt": True, "response": "b"}, ["line 3", "is bool, not text"]),
}


@pytest.mark.parametrize(("line", "words"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_lines_are_named(line: Any, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(jsonl(tmp_path / "bad.jsonl", [GOOD, "", line, GOOD]))
    message = str(error.value)
    assert "bad.jsonl" in message
    assert message.startswith("data.source.path")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_files_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="empty"):
        load(jsonl(tmp_path / "x.jsonl", []))
    with pytest.raises(UserError, match="empty"):
        load(jsonl(tmp_path / "x.jsonl", ["", "  "]))
    with pytest.raises(UserError, match="no such file"):
        load({"name": "jsonl", "path": str(tmp_path / "nowhere.jsonl")})
    with pytest.raises(UserError, match=r"train split has 0 pairs .*give more pairs"):
        load(jsonl(tmp_path / "x.jsonl", [GOOD]))
    source = jsonl(tmp_path / "x.jsonl")
    with pytest.raises(UserError, match=r"10 were dropped|8 were dropped"):
        load(source, prompt_length=2, overlong="drop")


def test_aligned_files_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "q").write_text("a\nb\nc\n")
    (tmp_path / "r").write_text("a\nb\n")
    (tmp_path / "gap").write_text("a\n\nc\n")
    path = {name: str(tmp_path / name) for name in ("q", "r", "gap")}
    with pytest.raises(UserError, match=r"has 3 lines, .* has 2"):
        load({"name": "lines", "train": {"prompts": path["q"], "responses": path["r"]}})
    with pytest.raises(UserError, match=r"responses: .*gap: line 2 is blank"):
        load({"name": "lines", "train": {"prompts": path["q"], "responses": path["gap"]}})


def test_labels_are_one_known_token(tmp_path: Path) -> None:
    rows = [{"prompt": "big cats", "response": word} for word in "abcd"]
    with pytest.raises(UserError, match=r"line \d: the label 'big cats' is 2 tokens"):
        load(jsonl(tmp_path / "x.jsonl", rows), prompt_length=1, overlong="truncate")
    rows = [{"prompt": label, "response": "b"} for label in ("cats", "dogs")]
    unseen = write_jsonl(tmp_path / "v", [{"prompt": "birds", "response": "b"}])
    source = jsonl(tmp_path / "y.jsonl", rows, valid_path=unseen, test_path=unseen)
    every = {"name": "word", "min_count": 1}
    with pytest.raises(UserError, match=r"v: line 1: the label 'birds' is no token"):
        load(source, prompt_length=1, tokenizer=every)


def test_unknown_words_that_training_never_shows_are_told(tmp_path: Path) -> None:
    rows = [{"prompt": "a b", "response": word} for word in "abcd"]
    unseen = write_jsonl(tmp_path / "v", [{"prompt": "a b a", "response": "a e"}])
    source = jsonl(tmp_path / "x.jsonl", rows, valid_path=unseen, test_path=unseen)
    (warning,) = load(source, tokenizer={"name": "word", "min_count": 1}).report["warnings"]
    assert warning.startswith("data: 20.0% of the valid tokens are unknown")
    default = load(source)
    assert default.report["train"]["unk_rate"] == pytest.approx(2 / 12)
    assert default.report["warnings"] == []


@pytest.mark.parametrize("field", ["prompt", "response"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("a\\u0000b", r"holds a NUL character; remove it"),
        ("a \\ud83d b", r"holds half a character \(\\ud83d\); write both halves"),
        ("\\ude00", r"holds half a character"),
    ],
)
def test_what_no_text_file_can_hold_is_refused_when_read(
    tmp_path: Path, field: str, bad: str, message: str
) -> None:
    """A run would be trained on it, and could then not be saved."""
    good = '{"prompt": "a", "response": "b"}\n'
    (tmp_path / "x.jsonl").write_text(
        good + good.replace('"a"' if field == "prompt" else '"b"', f'"{bad}"')
    )
    where = rf"data\.source\.path: .*x\.jsonl: line 2: the field '{field}' "
    with pytest.raises(UserError, match=where + message):
        load({"name": "jsonl", "path": str(tmp_path / "x.jsonl")})


def test_both_halves_of_a_character_and_marks_are_joined(tmp_path: Path) -> None:
    rows = '{"prompt": "gr\\u006f\\u0308\\u200b\\u00dfe", "response": "\\ud83d\\ude00"}\n'
    (tmp_path / "x.jsonl").write_text(rows * 3)
    path = str(tmp_path / "x.jsonl")
    text = load({"name": "jsonl", "path": path, "valid_path": path, "test_path": path})
    assert (text.train.prompts[0], text.train.responses[0]) == ("größe", "😀")


# ── Small talk ────────────────────────────────────────────────────────────────────────────────


def test_small_talk_fits_itself_and_seldom_another_post() -> None:
    pairs = write_pairs(3000, seed=0)
    assert all(fits(post, reply) for post, reply in pairs)
    others = [fits(a[0], b[1]) for a, b in pairwise(pairs)]
    general = sum(reply in ("i see .", "tell me more .") for _, reply in pairs) / 3000
    assert 0.07 < general < 0.13
    assert sum(others) / len(others) < general + 0.06
    assert not fits("no such post", "is physics hard ?")
    assert fits("no such post", "i see .")
    replies: dict[str, set[str]] = {}
    for post, reply in pairs:
        replies.setdefault(post, set()).add(reply)
    assert sum(len(found) > 1 for found in replies.values()) > 0.8 * len(replies)


def test_small_talk_depends_on_its_seed_alone() -> None:
    one = write_pairs(50, seed=0)
    assert one == write_pairs(80, seed=0)[:50]
    assert one != write_pairs(50, seed=1)


class EchoConfig(PairSourceConfig):
    """Pairs of a source of one's own, and its rule for right responses."""

    name: str = "echo"
    pairs: int = 40

    def build(self) -> dict[str, Pairs]:
        lines = [f"line {i}" for i in range(self.pairs)]
        return {"train": Pairs("echo", lines, lines, [*range(1, self.pairs + 1)])}

    def build_truth(self) -> Callable[[str, str], bool]:
        return lambda prompt, response: prompt == response


def test_a_source_of_ones_own_is_cut_like_files() -> None:
    tree = {"prompt_length": 2, "length": 3, "tokenizer": {"name": "word"}}
    text = PromptedTextConfig(source=EchoConfig(pairs=30), **tree).build_text()
    assert sum(len(split.prompts) for split in (text.train, text.valid, text.test)) == 30
    assert text.fits is not None
    assert [text.fits("a", response) for response in "ab"] == [True, False]


class OwnWordsConfig(WordTokenizerConfig):
    """Words by a class of one's own."""


def test_scores_read_words_of_a_tokenizer_of_ones_own_as_they_are() -> None:
    source = SmallTalkConfig(pairs=20)
    own, word, char = (
        PromptedTextConfig(source=source, tokenizer=tokenizer, prompt_length=9, length=9)
        .build_scores()
        .notes
        for tokenizer in (OwnWordsConfig(), WordTokenizerConfig(), CharTokenizerConfig())
    )
    assert own == word != char
