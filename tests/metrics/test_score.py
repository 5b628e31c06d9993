import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.metrics.score import METRICS, score_files

HYPOTHESES = ["a dog runs on the grass", "a cat sits on a mat", "", "a dog runs on the grass"]
REFERENCES = ["a dog runs on the beach", "the cat sits on the mat", "two dogs on the grass"]


@pytest.fixture
def hypotheses(tmp_path: Path) -> Path:
    path = tmp_path / "hyp.txt"
    path.write_text("\n".join(HYPOTHESES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def references(tmp_path: Path) -> Path:
    path = tmp_path / "ref.txt.gz"
    path.write_bytes(gzip.compress("\n\n".join(REFERENCES).encode()))
    return path


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.txt"
    path.write_text("a cat sits  on a mat\ntwo dogs on the grass\n", encoding="utf-8")
    return path


def nltk_mean(pairs: list[tuple[str, list[str]]], order: int) -> float:
    smoothing, weights = SmoothingFunction().method1, (1 / order,) * order
    scores = [
        nltk_bleu([r.split() for r in refs], hyp.split(), weights, smoothing) for hyp, refs in pairs
    ]
    return float(sum(scores) / len(scores))


def leave_one_out(sentences: list[str]) -> list[tuple[str, list[str]]]:
    return [(s, sentences[:i] + sentences[i + 1 :]) for i, s in enumerate(sentences)]


def test_bleu_and_self_bleu_equal_nltk(hypotheses: Path, references: Path) -> None:
    result = score_files(hypotheses, references, None, ["bleu", "self_bleu"])
    generated, real = result["hypotheses"], result["references"]
    assert (generated["sentences"], generated["empty"], real["sentences"]) == (4, 1, 3)
    for order in (2, 3, 4, 5):
        against = [(hyp, REFERENCES) for hyp in HYPOTHESES]
        assert generated["bleu"][str(order)] == pytest.approx(nltk_mean(against, order), abs=1e-9)
        expected = nltk_mean(leave_one_out(HYPOTHESES), order)
        assert generated["self_bleu"][str(order)] == pytest.approx(expected, abs=1e-9)
        expected = nltk_mean(leave_one_out(REFERENCES), order)
        assert real["self_bleu"][str(order)] == pytest.approx(expected, abs=1e-9)


def test_bleu_alone_brings_the_yardstick_of_real_text(hypotheses: Path, references: Path) -> None:
    result = score_files(hypotheses, references, None, ["bleu"])
    assert set(result["hypotheses"]) == {"sentences", "empty", "bleu"}
    assert set(result["references"]) == {"sentences", "empty", "self_bleu"}


def test_a_single_reference_has_no_self_bleu(hypotheses: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.txt"
    one.write_text("a dog\n")
    assert "self_bleu" not in score_files(hypotheses, one, None, ["bleu"])["references"]


def test_the_other_metrics(hypotheses: Path, references: Path, train: Path) -> None:
    result = score_files(hypotheses, references, train, ["distinct", "in_train", "length"])
    generated, real = result["hypotheses"], result["references"]
    assert generated["unique"] == 3 / 4
    assert generated["distinct"]["1"] == 9 / 18
    assert (generated["in_train"], real["in_train"]) == (1 / 4, 1 / 3)
    assert (generated["length"], real["length"]) == (18 / 4, 17 / 3)


def test_without_references_there_is_one_row(hypotheses: Path) -> None:
    assert set(score_files(hypotheses, None, None, ["self_bleu"])) == {"hypotheses"}


def test_the_result_survives_json(hypotheses: Path, references: Path, train: Path) -> None:
    result = score_files(
        hypotheses, references, train, [name for name in METRICS if name != "rouge"]
    )
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["blue"], "unknown metric 'blue'; did you mean 'bleu'?"),
        (["xyz"], "unknown metric 'xyz'; choose from bleu, self_bleu"),
        ([], "--metrics: empty"),
        (["bleu"], "pass --ref FILE"),
        (["in_train"], "pass --train FILE"),
        (["copy_rate"], "'copy_rate' is called 'in_train'"),
    ],
)
def test_wrong_requests(hypotheses: Path, metrics: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        score_files(hypotheses, None, None, metrics)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["hypotheses", "references", "train"])
@pytest.mark.parametrize(
    ("data", "message"),
    [(None, "no such file"), (b"", "empty"), (b"\0\1", "binary"), (b"a\n\xff", "line 2")],
)
def test_unusable_files_are_named(
    hypotheses: Path, tmp_path: Path, broken: str, data: bytes | None, message: str
) -> None:
    bad = tmp_path / "bad.txt"
    if data is not None:
        bad.write_bytes(data)
    files = dict.fromkeys(("hypotheses", "references", "train"), hypotheses) | {broken: bad}
    with pytest.raises(UserError, match=rf"bad\.txt.*{message}"):
        score_files(**files, metrics=["bleu", "in_train"])


def test_self_bleu_of_one_sentence(tmp_path: Path) -> None:
    one = tmp_path / "one.txt"
    one.write_text("a dog\n")
    with pytest.raises(UserError, match=r"one\.txt: 1 sentence; self_bleu needs at least 2"):
        score_files(one, None, None, ["self_bleu"])


def test_no_torch_is_needed() -> None:
    program = "import sys, seqgan.metrics.score; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_rouge_compares_line_by_line(tmp_path: Path) -> None:
    hyp, ref = tmp_path / "hyp.txt", tmp_path / "ref.txt"
    hyp.write_text("police killed the gunman\n\n")
    ref.write_text("police killed the gunman\nthe end\n")
    found = score_files(hyp, ref, None, ["rouge"])["hypotheses"]["rouge"]
    assert found == {"1": 50.0, "2": 50.0, "L": 50.0}
    ref.write_text("only one\n")
    with pytest.raises(UserError, match=r"2 lines, .* has 1"):
        score_files(hyp, ref, None, ["rouge"])
    with pytest.raises(UserError, match="'rouge' needs it"):
        score_files(hyp, None, None, ["rouge"])


def test_the_help_names_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "--help"]) == 0
    assert set(METRICS) <= set(re.findall(r"\w+", capsys.readouterr().out))


def test_the_module_of_the_command_line_is_the_command_line() -> None:
    command = [sys.executable, "-m", "seqgan.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip()
