"""Cycles of text through the command line: transform, evaluate, and what is refused."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import (
    CIPHER,
    EVENTS,
    LANGUAGES,
    last_checkpoint,
    train,
    unpaired_text,
    write_config,
)

from seqgan.cli import run
from seqgan.core.types import SequenceSpace
from seqgan.data.tokenizers import load_tokenizer
from seqgan.experiment import load_run
from seqgan.runs.folder import read_space
from seqgan.runs.weights import load_generator
from seqgan.translate import translate

pytestmark = pytest.mark.usefixtures("drawn_once")

Capture = pytest.CaptureFixture[str]
LETTERS = " abcdefghijklmnopqrstuvwxyz"
VIGENERE = {
    **CIPHER,
    "data": CIPHER["data"] | {"kind": "vigenere", "period": 5},
    "generator": {"name": "lexicon", "period": 5},
    "players.generator": {"lr": 0.05},
}
"""Windows of twelve and a key of five: the key starts anew in every window."""
HEADLINE = "kano miners blocked ports over wages monday"
ARTICLE = "on friday nurses debated rents . miners in kano blocked ports on monday over wages ."


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs. To be read only."""
    folder = tmp_path_factory.mktemp("cycles")
    trees = {
        "cipher": VIGENERE,
        "events": EVENTS,
        "languages": LANGUAGES,
        "files": unpaired_text(folder / "text"),
    }
    return {name: train(folder / name, tree) for name, tree in trees.items()}


class Transform:
    """Runs the command in-process and returns the lines of stdout and stderr."""

    def __init__(self, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, folder: Path, *options: str, stdin: str = "") -> tuple[list[str], str]:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        assert run(["transform", str(folder), *options]) == 0
        captured = self._capsys.readouterr()
        assert captured.out == "" or captured.out.endswith("\n")
        return captured.out.split("\n")[:-1], captured.err.strip()


@pytest.fixture
def transform(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Transform:
    return Transform(capsys, monkeypatch)


def put(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def deciphered(folder: Path, line: str, way: str = "a2b") -> str:
    """By the run's own table, window after window, letter by letter."""
    state = last_checkpoint(folder)["players"]["generator"]["module"]
    table_PV = state[f"{way}.table_PUV"].argmax(-1).tolist()
    return "".join(
        LETTERS[table_PV[place % 12 % 5][LETTERS.index(letter)]]
        for place, letter in enumerate(line)
    )


def translated(folder: Path, words: str, way: str = "a2b", beam: int = 1) -> str:
    """By the run's own networks, one line alone."""
    source, target = (load_tokenizer(folder / name) for name in way.split("2"))
    pair, state = read_space(folder), last_checkpoint(folder)
    generators = load_generator(load_run(folder), pair, state, torch.device("cpu"))
    spaces = [getattr(pair, name) for name in way.split("2")]
    assert isinstance(spaces[0], SequenceSpace)
    ids = source.encode(words)
    row = torch.full((1, spaces[0].length), spaces[0].end_id)
    row[0, : len(ids)] = torch.tensor(ids)
    made = translate(generators[way], spaces[1], row, beam)
    return target.decode(made.ids_BT[0].tolist())


# ── Lines in, lines out ───────────────────────────────────────────────────────────────────────

LINES = ["the dogs bark", "", "a", "it is a long line, in pieces of twelve letters", " b ", "zz"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("way", ["a2b", "b2a"])
def test_a_lexicon_translates_line_by_line_in_pieces(
    way: str, last: bool, end: str, runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    """Other line ends, no last line end: the same lines. Stdin: the same lines again."""
    text = end.join(LINES) + (end if last else "")
    letters = ["".join(x if x in LETTERS else " " for x in line) for line in LINES]
    expected = [deciphered(runs["cipher"], line, way) for line in letters]
    options = ("--direction", way)
    for where, stdin in ((put(tmp_path / "in.txt", text), ""), ("-", text)):
        out, err = transform(runs["cipher"], "--input", where, *options, stdin=stdin)
        assert out == expected
        assert err == "5 lines translated, 1 empty, 0 cut"


def test_the_tables_differ_by_column_and_direction(runs: dict[str, Path]) -> None:
    """Otherwise the test above would say little on phases, pieces and directions."""
    for way in ("a2b", "b2a"):
        made = deciphered(runs["cipher"], "a" * 24, way)
        assert made[:12] == made[12:]
        assert made[:2] != made[2:4], "as if the key went on in the next window"
    line = "abcdefghijkl"
    assert len({line, *(deciphered(runs["cipher"], line, way) for way in ("a2b", "b2a"))}) == 3


def test_the_default_direction_is_a2b(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    where = put(tmp_path / "in.txt", "some letters\n")
    plain, _ = transform(runs["cipher"], "--input", where)
    named, _ = transform(runs["cipher"], "--input", where, "--direction", "a2b")
    back, _ = transform(runs["cipher"], "--input", where, "--direction", "b2a")
    assert plain == named != back


def test_the_only_direction_that_was_taught_need_not_be_named(
    tmp_path: Path, transform: Transform
) -> None:
    """As in configs/cipher."""
    one_way = {"game.directions": ["b2a"], "game.cycle_weight": 0.0}
    folder = train(tmp_path / "run", {**CIPHER, **one_way})
    where = put(tmp_path / "in.txt", "some letters\n")
    plain, _ = transform(folder, "--input", where)
    named, _ = transform(folder, "--input", where, "--direction", "b2a")
    assert plain == named


@pytest.mark.parametrize("name", ["events", "files", "languages"])
def test_lines_keep_their_order_and_do_not_know_each_other(
    name: str, runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    """More than are translated at a time, empty ones among them: each as if it were alone."""
    folder = runs[name]
    words = load_tokenizer(folder / "a").vocabulary()[2:]
    lines = [" ".join(words[(i + 3 * k) % len(words)] for k in range(i % 5)) for i in range(230)]
    out, err = transform(folder, "--input", put(tmp_path / "in.txt", "\n".join(lines)))
    assert len(out) == 230
    assert err == "184 lines translated, 46 empty, 0 cut"
    assert all(made == "" for line, made in zip(lines, out, strict=True) if not line)
    assert len(set(out)) > (20 if name == "languages" else 3)
    for row in (1, 2, 14, 99, 104, 229):
        assert out[row] == translated(folder, lines[row])
    streamed, _ = transform(folder, "--input", "-", stdin="\n".join(lines[:20]))
    assert streamed == out[:20]


def test_over_long_lines_are_cut_and_counted(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    """Articles have 32 columns, one of them for the end."""
    words = (ARTICLE + " ").split() * 3
    lines = [" ".join(words[:31]), " ".join(words[:45]), ARTICLE]
    out, err = transform(
        runs["events"], "--input", put(tmp_path / "in.txt", "\n".join(lines) + "\n")
    )
    assert out[0] == out[1] == translated(runs["events"], lines[0])
    assert out[2] == translated(runs["events"], ARTICLE)
    assert err == "3 lines translated, 0 empty, 1 cut (the first is line 2)"


def test_the_first_line_that_was_cut_is_named_however_lines_are_read(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    """Empty lines count, and lines of former blocks."""
    long = " ".join((ARTICLE + " ").split() * 3)
    text = "\n".join(["", *[ARTICLE] * 120, "", long, ARTICLE, long])
    expected = "123 lines translated, 2 empty, 2 cut (the first is line 123)"
    for where in (put(tmp_path / "in.txt", text), "-"):
        _, err = transform(runs["events"], "--input", where, stdin=text)
        assert err == expected


def test_unknown_words_are_no_error(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    out, err = transform(
        runs["files"], "--input", put(tmp_path / "in.txt", "ann überholt 🙂\n\n  \n")
    )
    assert len(out) == 3
    assert out[1:] == ["", ""]
    assert err == "1 line translated, 2 empty, 0 cut"


def test_output_goes_to_a_file(runs: dict[str, Path], tmp_path: Path, transform: Transform) -> None:
    where = put(tmp_path / "in.txt", f"{ARTICLE}\n\n{HEADLINE}\n")
    printed, _ = transform(runs["events"], "--input", where)
    target = tmp_path / "out.txt"
    out, err = transform(runs["events"], "--input", where, "--output", str(target))
    assert out == []
    assert err == "2 lines translated, 1 empty, 0 cut"
    assert target.read_text(encoding="utf-8") == "".join(f"{line}\n" for line in printed)


def test_the_input_may_be_the_output(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    where = put(tmp_path / "in.txt", "ab\ncd\n")
    transform(runs["cipher"], "--input", where, "--output", where)
    expected = [deciphered(runs["cipher"], line) for line in ("ab", "cd")]
    assert Path(where).read_text().splitlines() == expected


def test_a_gzipped_file_is_read(
    runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    import gzip

    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(b"ab\n\ncd\n"))
    out, _ = transform(runs["cipher"], "--input", str(tmp_path / "in.txt.gz"))
    assert out == [deciphered(runs["cipher"], line) for line in ("ab", "", "cd")]


@pytest.mark.parametrize("beam", [1, 3])
def test_the_beam_is_that_of_translate(
    beam: int, runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    for name, line in (("events", ARTICLE), ("files", "ann sees bob")):
        out, _ = transform(
            runs[name], "--input", put(tmp_path / "in.txt", line), "--beam", str(beam)
        )
        assert out == [translated(runs[name], line, beam=beam)]


@pytest.mark.parametrize("beam", ["1", "3"])
@pytest.mark.parametrize("length", [1, 4, 9])
def test_lines_have_the_length_asked_for(
    length: int, beam: str, runs: dict[str, Path], tmp_path: Path, transform: Transform
) -> None:
    where = put(tmp_path / "in.txt", f"{ARTICLE}\n\n{HEADLINE}\n")
    out, _ = transform(runs["events"], "--input", where, "--length", str(length), "--beam", beam)
    assert [len(line.split()) for line in out] == [length, 0, length]


def test_each_line_of_a_stream_is_answered_before_the_next_is_read(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A program at the other end of a pipe may wait for the answer."""
    seen: list[int] = []

    class Pipe(io.StringIO):
        def __next__(self) -> str:
            seen.append(capsys.readouterr().out.count("\n"))
            return super().__next__()

    monkeypatch.setattr("sys.stdin", Pipe("ab\n\ncd\n"))
    capsys.readouterr()
    assert run(["transform", str(runs["cipher"]), "--input", "-"]) == 0
    assert seen == [0, 1, 1, 1]


def test_a_stream_that_is_interrupted_is_accounted_for(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    class Pipe(io.StringIO):
        def __next__(self) -> str:
            line = super().__next__()
            if line == "stop\n":
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr("sys.stdin", Pipe("ab\n\nstop\n"))
    capsys.readouterr()
    assert run(["transform", str(runs["cipher"]), "--input", "-"]) == 130
    assert capsys.readouterr().err.startswith("1 line translated, 1 empty, 0 cut")


def test_bytes_of_a_pipe_are_held_to_the_rules_of_files(
    runs: dict[str, Path], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte order mark is none of the text; what is not UTF-8 is said in one line."""

    def piped(data: bytes) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        capfd.readouterr()
        with open(reader, encoding="utf-8") as stdin:  # as Python opens it in a UTF-8 locale
            monkeypatch.setattr("sys.stdin", stdin)
            status = run(["transform", str(runs["cipher"]), "--input", "-"])
        return (status, *capfd.readouterr())

    status, out, _ = piped(b"\xef\xbb\xbfab\r\n\ncd")
    expected = [deciphered(runs["cipher"], line) for line in ("ab", "", "cd")]
    assert status == 0
    assert out.split("\n")[:-1] == expected
    status, out, err = piped(b"ab \xff\n")
    assert status == 2
    (line,) = err.splitlines()
    assert "stdin: byte 0xff is not UTF-8" in line
    assert out == ""


def test_a_paired_run_translates_too(tmp_path: Path, transform: Transform) -> None:
    tree = {
        **LANGUAGES,
        "data": LANGUAGES["data"] | {"aligned": True},
        "game": {"name": "paired"},
        "critic": None,
        "objective": None,
        "estimator": None,
        "schedule": [{"repeat": 12, "phases": {"mle": 1}}],
        "generator": {"name": "pointer", "embed": 4, "hidden": 4},
    }
    folder = train(tmp_path / "run", tree)
    line = load_tokenizer(folder / "a").vocabulary()[5]
    out, _ = transform(folder, "--input", put(tmp_path / "in.txt", line))
    assert out == [translated(folder, line)]


# ── Evaluation and samples ────────────────────────────────────────────────────────────────────


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "evaluation.json").read_text())["rows"]


def test_simple_rules_stand_beside_the_generator(runs: dict[str, Path], capsys: Capture) -> None:
    expected = {
        "cipher": ["copy", "frequency ranks", "hill climb", "hill climb, period guessed", "shifts"],
        "events": ["copy", "lead_8", "lead_10", "main_event"],
        "languages": ["copy", "frequency_lexicon", "co_occurrence_lexicon", "true_lexicon"],
        "files": ["copy", "word_for_word"],
    }
    for name, rules in expected.items():
        labels = [row["label"] for row in rows_of(runs[name])]
        assert labels[1:] == [*rules, "real data"], name
        assert labels[0].startswith("generator")
    capsys.readouterr()
    assert run(["evaluate", str(runs["events"])]) == 0
    printed = capsys.readouterr().out
    for part in ("copy", "lead_8", "main_event", "real data", "label_free", "strict_f1_a2b"):
        assert part in printed


def test_the_rules_reach_what_they_must(runs: dict[str, Path]) -> None:
    rows = {
        name: {row["label"]: row["metrics"] for row in rows_of(runs[name])}
        for name in ("cipher", "events", "languages")
    }
    for way in ("a2b", "b2a"):
        assert rows["languages"]["true_lexicon"][f"word_accuracy_{way}"] == 1
        assert rows["cipher"]["real data"][f"accuracy_{way}"] == 1
        assert rows["cipher"]["copy"][f"copied_{way}"] == 1
        assert rows["languages"]["copy"][f"word_accuracy_{way}"] == 0
    assert rows["events"]["real data"]["strict_f1_a2b"] == 1
    assert 0.05 < rows["events"]["lead_8"]["slot_f1_a2b"] < 1
    for lead in ("lead_8", "lead_10"):
        assert rows["events"][lead]["hallucination_a2b"] == 0
        assert rows["events"][lead]["strict_f1_a2b"] == 0
    assert rows["events"]["main_event"]["strict_f1_a2b"] == 1


@pytest.mark.parametrize("name", ["cipher", "files"])
def test_samples_of_a_cycle_are_refused(name: str, runs: dict[str, Path], capsys: Capture) -> None:
    capsys.readouterr()
    assert run(["sample", str(runs[name])]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"error: {runs[name]}: this run translates")
    assert f"use 'seqgan transform {runs[name]} --input …'" in line
    assert captured.out == ""


def test_a_run_keeps_a_tokenizer_for_each_side(runs: dict[str, Path]) -> None:
    for name, folder in runs.items():
        tree = json.loads((folder / "space.json").read_text())
        for side in "ab":
            assert load_tokenizer(folder / side).vocab_size == tree[side]["vocab_size"], name


# ── What cannot be ────────────────────────────────────────────────────────────────────────────


class Refuses:
    """Runs `transform RUN` with an output file that must not come to be."""

    def __init__(self, place: Path, capsys: Capture) -> None:
        self._place, self._capsys = place, capsys

    def __call__(self, folder: Path, *options: str) -> str:
        target = self._place / "out.txt"
        self._capsys.readouterr()
        assert run(["transform", str(folder), "--output", str(target), *options]) == 2
        captured = self._capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert line.startswith("error: ")
        assert captured.out == ""
        assert not target.exists()
        return line


@pytest.fixture
def refuses(tmp_path: Path, capsys: Capture) -> Refuses:
    return Refuses(tmp_path, capsys)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"a\0b\n", "binary"),
        (b"good\nbad \xff\n", "line 2: byte 0xff is not UTF-8"),
    ],
    ids=["missing", "empty", "binary", "not UTF-8"],
)
def test_files_that_cannot_be_read(
    content: bytes | None, part: str, runs: dict[str, Path], tmp_path: Path, refuses: Refuses
) -> None:
    where = tmp_path / "in.txt"
    if content is not None:
        where.write_bytes(content)
    line = refuses(runs["events"], "--input", str(where))
    assert "in.txt" in line
    assert part in line


def test_a_folder_is_no_text(runs: dict[str, Path], tmp_path: Path, refuses: Refuses) -> None:
    assert "is a folder" in refuses(runs["events"], "--input", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "options", "parts"),
    [
        ("events", ["--direction", "b2b"], ["direction='b2b'", "a2b, b2a"]),
        ("events", ["--length", "10"], ["length=10", "1 to 9"]),
        ("events", ["--length", "32", "--direction", "b2a"], ["length=32", "1 to 31"]),
        ("events", ["--length", "0"], ["--length"]),
        ("events", ["--beam", "0"], ["--beam"]),
        ("cipher", ["--length", "5"], ["length=5", "leave it out"]),
        ("cipher", ["--beam", "4"], ["beam=4", "leave it out"]),
        ("languages", ["--beam", "4"], ["beam=4", "leave it out"]),
        ("languages", ["--length", "5"], ["length=5", "leave it out"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("text", ["miners\n", "\n" * 250 + "miners\n"], ids=["first", "late"])
def test_options_that_make_no_sense(
    name: str,
    options: list[str],
    parts: list[str],
    text: str,
    runs: dict[str, Path],
    tmp_path: Path,
    refuses: Refuses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found before a file is opened, also where the first lines are empty."""
    for where in (put(tmp_path / "in.txt", text), "-"):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        line = refuses(runs[name], "--input", where, *options)
        for part in parts:
            assert part in line


def test_a_way_that_nothing_taught(tmp_path: Path, refuses: Refuses) -> None:
    """An untrained translator writes too, and nobody would see that it is one."""
    one_way = {"game.directions": ["b2a"], "game.cycle_weight": 0.0}
    write_config(tmp_path / "config.yaml", {**CIPHER, **one_way})
    where = put(tmp_path / "in.txt", "ab")
    line = refuses(tmp_path, "--input", where, "--direction", "a2b")
    assert "direction=a2b" in line
    assert "choose b2a" in line
    write_config(tmp_path / "config.yaml", {**CIPHER, **one_way, "game.cycle_weight": 1.0})
    assert "checkpoint" in refuses(tmp_path, "--input", where, "--direction", "a2b")


def test_runs_that_translate_nothing(
    finished_run: Path, finished_text_run: Path, tmp_path: Path, refuses: Refuses
) -> None:
    where = put(tmp_path / "in.txt", "a dog\n")
    for folder in (finished_run, finished_text_run):
        line = refuses(folder, "--input", where)
        assert "translates nothing" in line
        assert f"use 'seqgan sample {folder}'" in line
        assert "game cycle" in line
    assert "run folder" in refuses(tmp_path, "--input", where)


def test_an_output_that_cannot_be_written(
    runs: dict[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    where = put(tmp_path / "in.txt", "a dog\n")
    full = Path("/dev/full")
    for target in (tmp_path, tmp_path / "nowhere" / "out.txt", full):
        capsys.readouterr()
        assert (
            run(["transform", str(runs["cipher"]), "--input", where, "--output", str(target)]) == 2
        )
        *_, line = capsys.readouterr().err.splitlines()  # the full disk shows after the account
        assert line.startswith("error: ")
        assert str(target) in line


WORDS = {"name": "words"}
SELF_CRITICAL = {"name": "self_critical"}
ADVERSARIAL_TEXT = {"critic": {"name": "cnn", "widths": [1], "filters": [2]}}


def credited(**fields: Any) -> dict[str, Any]:
    return {"name": "score_function", **fields}


@pytest.mark.parametrize(
    ("base", "overrides", "parts"),
    [
        (
            EVENTS,
            {"estimator": credited(baseline={"name": "learned"})},
            ["estimator.baseline.name=learned", "self_critical"],
        ),
        (
            {},
            {"estimator": credited(term_baseline={"name": "learned"})},
            ["estimator", "term_baseline.name=learned", "use leave_one_out"],
        ),
        (
            EVENTS,
            {
                "estimator": credited(credit={"name": "window"}),
                "critic": {"name": "mlp", "hidden": 4},
            },
            ["credit.name=window", "critic.name=mlp", "use critic local"],
        ),
        (
            CIPHER,
            {"estimator": credited(credit={"name": "window", "reach": 2}),
             "critic": {"name": "local", "windows": [3, 3, 3]}},
            ["estimator.credit.reach=2", "3 columns", "raise it to 3"],
        ),
        (
            CIPHER,
            {"generator": {"name": "lexicon", "co_occurrence_prior": 5.0}},
            ["generator.co_occurrence_prior=5.0", "data.name=cipher", "set it to 0"],
        ),
        (
            EVENTS,
            {"estimator": credited(baseline=SELF_CRITICAL), "train.batch_size": 1,
             "estimator.term_baseline": {"name": "leave_one_out"}},
            ["train.batch_size=1", "leave-one-out"],
        ),
        (
            EVENTS,
            {"game.bijection_weight": 0.5},
            ["game.bijection_weight=0.5", "generator.name=pointer", "set it to 0"],
        ),
        (
            EVENTS,
            {"game.noise": WORDS | {"gloss": True}},
            ["game.noise.gloss=true", "data.name=events", "set it to false"],
        ),
        (CIPHER, {"game.noise": WORDS}, ["game.noise", "lexicon", "remove it"]),
        (
            LANGUAGES,
            {"game.identity_weight": 1.0},
            ["game.identity_weight=1", "vocabulary", "set it to 0"],
        ),
        (
            EVENTS,
            {"data": {"name": "unpaired_text", "joint": False,
                      "a": {"path": "a.txt"}, "b": {"path": "b.txt"}}},
            ["'denoise'", "vocabulary", "data.joint to true"],
        ),
        (EVENTS, {"game.noise": None}, ["'denoise'", "game.noise is null", "words or mix"]),
        ({}, {"estimator": {"name": "detached"}}, ["estimator.name=detached", "game adversarial"]),
        (EVENTS, {"estimator": {"name": "pathwise"}}, ["estimator.name=pathwise", "softmax"]),
        (EVENTS, {"critic": {"name": "patch"}}, ["critic.name=patch", "local"]),
        (EVENTS, {"generator": {"name": "gru"}}, ["generator.name=gru", "lexicon"]),
        (EVENTS, {"game": {"name": "paired"}}, ["game.name=paired", "set data.aligned=true"]),
        (EVENTS, {"game": {"name": "adversarial"}}, ["game.name=adversarial", "data.name=events"]),
        (
            EVENTS,
            {"schedule": [{"repeat": 1, "phases": {"mle": 1}}]},
            ["'mle'", "denoise, reconstruct"],
        ),
        (
            CIPHER,
            {"estimator": {"name": "detached"}, "game.cycle_weight": 0.0},
            ["'generator'", "teaches the generators"],
        ),
        (
            CIPHER,
            {"game": {"name": "cycle", "adversarial_weight": 0.0, "identity_weight": 0.0,
                      "cycle_weight": {"start": 0.0, "end": 1.0, "steps": 5}}},
            ["'generator'", "cycle_weight"],
        ),
        (
            CIPHER,
            {"estimator": {"name": "detached"},
             "game.cycle_weight": {"start": 1.0, "end": 0.0, "steps": 5}},
            ["'generator'", "ramps have ended", "cycle_weight"],
        ),
        (
            EVENTS,
            {"critic": {"name": "cnn", "widths": [1, 12], "filters": [2, 2]}},
            ["critic.widths", "12", "10 tokens"],
        ),
        (
            CIPHER,
            {"data": EVENTS["data"]},
            ["generator.name=lexicon", "32 and 10 columns", "pointer"],
        ),
        (
            EVENTS,
            {"game.directions": ["a2b"], "evaluation.select": {"metric": "label_free_b2a"}},
            ["evaluation.select.metric='label_free_b2a'", "label_free_a2b"],
        ),
        (EVENTS, {"evaluation.select": {"patience": 5}}, ["evaluation: select.patience=5"]),
        (EVENTS, {"game.directions": []}, ["game", "directions"]),
        (EVENTS, {"generator.copi": False}, ["copi", "did you mean 'copy'"]),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value[0])[:50],
)  # fmt: skip
def test_configurations_that_make_no_sense(
    base: dict[str, Any],
    overrides: dict[str, Any],
    parts: list[str],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    config = write_config(tmp_path / "c.yaml", {**base, **overrides})
    capsys.readouterr()
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    for part in parts:
        assert part in line, line
    assert not (tmp_path / "run").exists()


def test_an_n_gram_model_that_cannot_count(tmp_path: Path, capsys: Capture) -> None:
    """A vocabulary of a thousand words has no models of seven tokens' worth of numbers."""
    folder = tmp_path / "text"
    tree = unpaired_text(folder)
    many = [f"w{number} sees w{number + 1}" for number in range(2000)]
    (folder / "train.a").write_text("\n".join(many) + "\n")
    config = write_config(tmp_path / "c.yaml", {**tree, "evaluation.ngram_order": 6})
    capsys.readouterr()
    assert run(["train", str(config), f"run.dir={tmp_path / 'run'}"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "evaluation.ngram_order=6" in line
    assert not (tmp_path / "run").exists()
