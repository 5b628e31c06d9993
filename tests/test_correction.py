"""A run's critic as the correction of its generator: curves, evaluation, samples, and why not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import (
    CIPHER,
    assert_same_tree,
    last_checkpoint,
    metric_lines,
    text_data,
    tiny_experiment,
    train,
    without_progress,
    write_config,
)

import seqgan
from seqgan.cli import run as command
from seqgan.core.errors import UserError
from seqgan.core.metric_names import CRITIC_METRICS
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.experiment import Experiment
from seqgan.runs import correcting
from seqgan.runs.correcting import CORRECTION_FILE

pytestmark = pytest.mark.usefixtures("drawn_once")

Capture = pytest.CaptureFixture[str]
RESIDUAL: dict[str, Any] = {
    "game": {"name": "residual"},
    "estimator": None,
    "schedule": [
        {"repeat": 4, "phases": {"mle": 1, "critic": 1}},
        {"repeat": 4, "phases": {"distill": 1}},
    ],
}
NO_CRITIC: dict[str, Any] = {
    **dict.fromkeys(("critic", "objective", "estimator")),
    "game": {"name": "mle"},
    "schedule": [{"repeat": 4, "phases": {"mle": 1}}],
}
WGAN: dict[str, Any] = {"objective": {"name": "wgan"}}
INFILL: dict[str, Any] = {"game": {"name": "infill"}}
NO_CRITIC_YET: dict[str, Any] = {"schedule": [{"repeat": 4, "phases": {"mle": 1}}]}


def sampled(capsys: Capture, *arguments: str) -> tuple[list[str], list[str]]:
    """The lines of stdout and of stderr."""
    capsys.readouterr()
    assert command(["sample", *arguments]) == 0
    captured = capsys.readouterr()
    return captured.out.splitlines(), without_progress(captured.err)


def refusal(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert command(list(arguments)) == 2
    (line,) = without_progress(capsys.readouterr().err)
    return line


# ── Samples ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("correct", ["exact", "4"])
def test_corrected_samples_are_those_of_python(
    finished_run: Path, capsys: Capture, correct: str
) -> None:
    out, err = sampled(capsys, str(finished_run), "-n", "30", "--correct", correct)
    rule = correct if correct == "exact" else int(correct)
    found = seqgan.open_run(finished_run).sample(30, correct=rule)
    assert out == [" ".join(map(str, row)) for row in found]
    (share,) = err
    assert share.endswith("of the generator's samples were kept")
    assert out != sampled(capsys, str(finished_run), "-n", "30")[0]
    if correct == "4":
        assert share.startswith("note: 25 % ")


def test_corrected_text(tmp_path: Path, capsys: Capture) -> None:
    """Needs the run folder only: the file that it was trained on is gone."""
    data = text_data(tmp_path / "text")
    data["data"] |= dict.fromkeys(("valid_path", "test_path"), data["data"]["path"])
    run = train(tmp_path / "run", data)
    (tmp_path / "text").unlink()
    out, _ = sampled(capsys, str(run), "-n", "5", "--correct", "8")
    assert len(out) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--correct", "1"], "correct=1: choose exact, or keep one of 2 to 1,000 samples"),
        (["--correct", "most"], "correct=most: choose exact"),
        (["--correct", "4", "--temperature", "0.5"], "leave temperature and top_p out"),
        (["--correct", "exact", "--top-p", "0.5"], "leave temperature and top_p out"),
    ],
)
def test_corrections_that_there_are_not(
    finished_run: Path, capsys: Capture, arguments: list[str], words: str
) -> None:
    assert words in refusal(capsys, "sample", str(finished_run), *arguments)


@pytest.mark.parametrize("correct", [[2], 2.9, float("inf"), True, "²", "-4"])
def test_a_correction_is_exact_or_a_whole_number(finished_run: Path, correct: Any) -> None:
    with pytest.raises(UserError, match="choose exact, or keep one of 2 to"):
        seqgan.open_run(finished_run).sample(1, correct=correct)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (NO_CRITIC, "it has no critic"),
        (WGAN, "a critic that learned objective wgan"),
        (INFILL, "its critic reads sentences with blanks"),
        (NO_CRITIC_YET, "its critic had not been trained at the reported checkpoint"),
    ],
)
def test_a_run_says_why_it_cannot_be_corrected(
    tmp_path: Path, capsys: Capture, overrides: dict[str, Any], reason: str
) -> None:
    folder = train(tmp_path / "run", overrides)
    assert reason in refusal(capsys, "sample", str(folder), "--correct", "exact")
    with pytest.raises(UserError, match=reason):
        seqgan.open_run(folder).certificate()
    assert json.loads((folder / "evaluation.json").read_text())["correction"] is None
    assert not (folder / CORRECTION_FILE).exists()
    names = {name for line in metric_lines(folder) for name in line.get("metrics", {})}
    assert names.isdisjoint(CRITIC_METRICS)


# ── correction.json ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def test_a_changed_correction_is_refused(run: Path, capsys: Capture) -> None:
    path = run / CORRECTION_FILE
    kept = json.loads(path.read_text())
    for change in ({"alpha": kept["alpha"] + 1}, {"step": 4}, {"sha256": None}):
        path.write_text(json.dumps({**kept, **change}))
        line = refusal(capsys, "sample", str(run), "--correct", "exact")
        assert "correction.json: damaged" in line
        assert line.endswith(f"run 'seqgan evaluate {run}'")
    path.unlink()
    assert "no correction yet" in refusal(capsys, "sample", str(run), "--correct", "exact")
    assert command(["evaluate", str(run), "--json"]) == 0
    assert json.loads(path.read_text()) == kept


def test_a_resumed_run_has_the_correction_of_its_own_checkpoint(run: Path, capsys: Capture) -> None:
    before = json.loads((run / CORRECTION_FILE).read_text())
    stage = "{repeat: 5, phases: {mle: 1, critic: 1, generator: 1}}"
    assert command(["train", "--resume", str(run), f"schedule=[{stage}]"]) == 0
    after = json.loads((run / CORRECTION_FILE).read_text())
    assert (before["step"], after["step"]) == (12, 15)
    (run / CORRECTION_FILE).write_text(json.dumps(before))
    assert "is of step 12, not of the reported 15" in refusal(
        capsys, "sample", str(run), "--correct", "exact"
    )


# ── Evaluation ────────────────────────────────────────────────────────────────────────────────


def test_evaluation_prints_what_the_critic_is_worth_last(tmp_path: Path, capsys: Capture) -> None:
    run = train(tmp_path / "run", RESIDUAL)
    found = json.loads((run / "evaluation.json").read_text())
    correction, labels = found["correction"], [row["label"] for row in found["rows"]]
    assert labels == [
        *("generator, T = 1", "distilled", "corrected (exact)", "corrected (1 of 16)"),
        "real data",
    ]
    assert [row["selected"] for row in found["rows"]] == [True, False, False, False, False]
    assert list(correction["samples"]) == ["generator", *labels[1:4]]
    assert correction["sentence"].startswith("the critic ")
    whole, own = (correction[name]["gain"] for name in ("corrected", "certificate"))
    facts = f"({whole / 3:.3f} per token) below the generator's at T = 1, of which a power of its "
    facts += f"own probability alone gives {whole - own:.3f}"
    shown = capsys.readouterr().err
    assert command(["evaluate", str(run)]) == 0
    for text in (shown, capsys.readouterr().out):
        assert text.splitlines()[-1] == correction["sentence"]
        assert text.splitlines()[-3].endswith(facts)
        assert all(label in text for label in labels)
        for lines in correction["samples"].values():
            assert len(lines) == 4
            assert all(line in text for line in lines)
    page = tmp_path / "report.html"
    assert command(["report", str(run), "-o", str(page)]) == 0
    html = page.read_text()
    assert f"tiny, seed 0: {correction['sentence']}." in html
    assert all(f"tiny: {label}" in html for label in ("generator", *labels[1:4]))
    assert all(f"<figcaption>{name}</figcaption>" in html for name in CRITIC_METRICS)
    certificate = seqgan.open_run(run).certificate()
    assert found["rows"][0]["metrics"]["certificate"] == certificate.gain
    assert certificate.gain == correction["certificate"]["gain"]
    limits = (correction["certificate"][name] for name in ("low", "high"))
    assert (certificate.low, certificate.high) == tuple(limits)
    capsys.readouterr()
    assert command(["evaluate", str(run), "evaluation.temperature=0.5"]) == 0
    assert f"{', '.join(CRITIC_METRICS)}: of the generator at T = 1" in capsys.readouterr().out
    cold = json.loads((run / "evaluation.json").read_text())["rows"]
    assert cold[0]["metrics"]["nll_test"] != found["rows"][0]["metrics"]["nll_test"]
    assert cold[1:3] == found["rows"][1:3], "distilled and corrected are of T = 1"


PROMPTED: dict[str, Any] = {
    "data": {
        **{"name": "prompted_text", "source": {"name": "small_talk", "pairs": 150}},
        **{"prompt_length": 8, "length": 10, "score": []},
        **{"valid_fraction": 0.2, "test_fraction": 0.2},
    },
    "train.eval_every": 4,
}


def test_responses_to_prompts_are_corrected_and_their_certificate_is_a_bound(
    tmp_path: Path, capsys: Capture
) -> None:
    run = train(tmp_path / "run", {**RESIDUAL, **PROMPTED})
    said = capsys.readouterr().err.splitlines()
    found = json.loads((run / "evaluation.json").read_text())
    correction, labels = found["correction"], [row["label"] for row in found["rows"]]
    assert {"distilled", "corrected (exact)", "corrected (1 of 16)"} < set(labels)
    assert said[-1] == correction["sentence"]
    assert "held-out nll by at least " in said[-1]
    assert "held-out nll is at least " in said[-3]
    assert said[-3].endswith("below the generator's at T = 1")
    assert correction["at_least"]
    assert correction["resampled"] is None
    assert correction["calibration"]["beta"] == 0
    assert found["rows"][0]["metrics"]["certificate"] == correction["certificate"]["gain"]
    assert set(CRITIC_METRICS) <= metric_lines(run)[-1]["metrics"].keys()
    opened = seqgan.open_run(run)
    assert opened.certificate().gain == pytest.approx(correction["corrected"]["gain"])
    plain, _ = sampled(capsys, str(run), "-n", "30")
    for correct in ("exact", "4"):
        out, err = sampled(capsys, str(run), "-n", "30", "--correct", correct)
        assert [line.split("  →  ")[0] for line in out] == [
            line.split("  →  ")[0] for line in plain
        ]
        assert correct == "exact" or out != plain
        assert err[0].endswith("of the generator's samples were kept")
    responses = opened.sample(3, correct=4)
    assert isinstance(responses, list)
    scores = opened.score(["we fly"], ["we fly to oslo"])
    assert scores[0].critic_score is not None


def test_other_games_on_prompts_have_curves_and_the_certificate(tmp_path: Path) -> None:
    run = train(tmp_path / "run", {**PROMPTED, "game": {"name": "conditional"}})
    found = json.loads((run / "evaluation.json").read_text())
    labels = [row["label"] for row in found["rows"]]
    assert not any(label.startswith("corrected") for label in labels)
    assert found["correction"]["at_least"]
    assert set(CRITIC_METRICS) <= metric_lines(run)[-1]["metrics"].keys()


def test_translations_are_not_corrected() -> None:
    reason = tiny_experiment(CIPHER).why_not_corrected
    assert reason == "translations cannot be corrected"


def test_a_checkpoint_before_the_critics_first_update_says_so_last(
    tmp_path: Path, capsys: Capture
) -> None:
    """A rule that prefers the worst likelihood picks the first one."""
    both = {"mle": 1, "critic": 1}
    stages = [{"repeat": 4, "phases": {"mle": 1}}, {"repeat": 4, "phases": both}]
    rule = {"evaluation.select": {"metric": "nll_valid", "mode": "max"}, "train.eval_every": 4}
    run = train(tmp_path / "run", {**RESIDUAL, "schedule": stages, **rule})
    said = "its critic had not been trained at the reported checkpoint, which "
    said += "evaluation.select.metric=nll_valid has picked; resume it with "
    said += "evaluation.select.metric=null to report the last one"
    assert capsys.readouterr().err.splitlines()[-1] == f"the critic corrects nothing: {said}"
    assert said in refusal(capsys, "sample", str(run), "--correct", "exact")
    assert command(["train", "--resume", str(run), "evaluation.select.metric=null"]) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("the critic lowers held-out nll by")


def test_too_few_held_out_sentences_are_said_to_be_too_few(tmp_path: Path, capsys: Capture) -> None:
    run = train(tmp_path / "run", {**RESIDUAL, **text_data(tmp_path / "text")})
    said = "too few held-out sentences to tell what the critic is worth: it takes at least 10"
    shown = capsys.readouterr().err
    assert shown.splitlines()[-1].startswith(said)
    correction = json.loads((run / "evaluation.json").read_text())["correction"]
    assert list(correction["samples"]) == ["generator", "distilled"]
    assert all(line in shown for lines in correction["samples"].values() for line in lines)
    with pytest.raises(UserError, match=said):
        seqgan.open_run(run).certificate()
    assert said in refusal(capsys, "sample", str(run), "--correct", "exact")


def test_other_games_have_the_certificate_and_no_further_rows(
    finished_run: Path, capsys: Capture
) -> None:
    found = json.loads((finished_run / "evaluation.json").read_text())
    assert [row["label"] for row in found["rows"]] == ["generator, T = 1", "real data"]
    assert found["correction"]["certificate"]["tokens"] == 3
    assert list(found["correction"]["samples"]) == ["generator"]


def test_an_earlier_versions_evaluation_has_no_certificate(run: Path) -> None:
    path = run / "evaluation.json"
    found = json.loads(path.read_text())
    del found["correction"]
    path.write_text(json.dumps(found))
    opened = seqgan.open_run(run)
    with pytest.raises(UserError, match="no certificate yet; run 'seqgan evaluate"):
        opened.certificate()
    opened.evaluate()
    assert opened.certificate().tokens == 3


# ── Training ──────────────────────────────────────────────────────────────────────────────────


def test_curves_begin_when_the_critic_has_learned_and_select(tmp_path: Path) -> None:
    overrides = {
        "schedule": [
            {"repeat": 8, "phases": {"mle": 1}},
            {"repeat": 8, "phases": {"critic": 1}},
        ],
        "evaluation.select": {"metric": "certificate", "mode": "max"},
        "train.eval_every": 4,
    }
    folder = train(tmp_path / "run", overrides)
    curves = {
        line["step"]: [line["metrics"].get(name) for name in CRITIC_METRICS]
        for line in metric_lines(folder)
        if line["kind"] == "eval"
    }
    assert curves[4] == curves[8] == [None] * 3
    for step in (12, 16):
        accuracy, error, gain = curves[step]
        assert 0 <= accuracy <= 1
        assert 0 <= error <= 1
        assert gain is not None
    best = json.loads((folder / "checkpoints" / "best.json").read_text())
    assert best["value"] == max(curves[step][2] for step in (12, 16))


def test_a_rule_cannot_select_the_critic_that_is_worth_least(
    tmp_path: Path, capsys: Capture
) -> None:
    path = write_config(tmp_path / "c.yaml", {"evaluation.select": {"metric": "certificate"}})
    assert "picks the critic that is worth least" in refusal(capsys, "train", str(path))


def test_at_another_temperature_few_more_samples_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the certificate, which is about temperature 1."""
    drawn: list[tuple[float, int]] = []
    draw = OracleEvaluator.draw

    def noting(evaluator: Any, writer: Any, split: str, samples: int) -> Any:
        if split == "valid":
            drawn.append((writer.setting.temperature, samples))
        return draw(evaluator, writer, split, samples)

    monkeypatch.setattr(OracleEvaluator, "draw", noting)
    monkeypatch.setattr(correcting, "SCORED_IN_TRAINING", 20)
    cold = {"temperature": 0.5, "samples_during_training": 30}
    train(tmp_path / "run", {"evaluation": cold})
    *_, progress, scored, fitted_to = drawn
    assert (progress, scored) == ((0.5, 30), (1.0, 20))
    assert fitted_to[0] == 1.0


def test_a_rule_cannot_select_by_a_certificate_that_there_is_not(
    tmp_path: Path, capsys: Capture
) -> None:
    rule = {"evaluation.select": {"metric": "certificate", "mode": "max"}}
    path = write_config(tmp_path / "c.yaml", {**WGAN, **rule})
    assert "evaluation.select.metric='certificate': unknown" in refusal(capsys, "train", str(path))


def test_curves_change_no_bit_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = {
        **text_data(tmp_path / "corpus.txt"),
        "critic": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4], "dropout": 0.5},
        "penalties": [{"name": "spectral_norm"}],
        "train.eval_every": 1,
    }
    measured = train(tmp_path / "measured", overrides)
    assert "certificate" in metric_lines(measured)[-1]["metrics"]
    monkeypatch.setattr(Experiment, "why_not_corrected", "it is not to be measured")
    plain = train(tmp_path / "plain", overrides)
    assert "certificate" not in metric_lines(plain)[-1]["metrics"]
    first, second = last_checkpoint(measured), last_checkpoint(plain)
    del first["seconds"], second["seconds"]
    assert_same_tree(first, second)
