"""The critic of a run on pictures or points as the correction of its generator."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_runs import (
    CONDITIONAL,
    CYCLE,
    PICTURES,
    POINTS,
    metric_lines,
    tiny_experiment,
    train,
    without_progress,
)
from torch import Tensor

import seqgan
from seqgan.cli import run as command
from seqgan.core.metric_names import CRITIC_METRICS, base
from seqgan.runs.correcting import CORRECTION_FILE

Capture = pytest.CaptureFixture[str]
WITH_ROWS: dict[str, Any] = {"evaluation.corrected_rows": True}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on faces with labels. To be read only."""
    return train(tmp_path_factory.mktemp("corrected") / "run", CONDITIONAL)


def refusal(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert command(list(arguments)) == 2
    (line,) = without_progress(capsys.readouterr().err)
    return line


def test_evaluation_says_what_the_critic_is_worth(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {**PICTURES, **WITH_ROWS})
    said = capsys.readouterr().err.splitlines()
    found = json.loads((folder / "evaluation.json").read_text())
    correction = found["correction"]
    assert said[-1] == correction["sentence"]
    assert " KL(held-out pictures ‖ generator) by " in said[-1]
    assert " nats per picture (95 %)" in said[-1]
    assert not any("nll" in line or "per token" in line for line in said)
    assert (correction["unit"], correction["at_least"]) == ("picture", False)
    assert correction["calibration"]["beta"] == 0
    assert correction["certificate"]["gain"] == pytest.approx(correction["corrected"]["gain"])
    labels = [row["label"] for row in found["rows"]]
    assert labels[0] == "generator, T = 1"
    assert labels[-2:] == ["corrected (1 of 16)", "real data"]
    plain, corrected = ({base(name) for name in found["rows"][at]["metrics"]} for at in (0, -2))
    assert {"fid", "kid", "precision", "recall", "density", "coverage"} <= corrected
    assert plain == corrected | set(CRITIC_METRICS)
    assert set(CRITIC_METRICS) <= metric_lines(folder)[-1]["metrics"].keys()
    kept = json.loads((folder / CORRECTION_FILE).read_text())
    assert kept["alpha"] == correction["calibration"]["alpha"]
    page = tmp_path / "report.html"
    assert command(["report", str(folder), "-o", str(page)]) == 0
    assert correction["sentence"] in page.read_text()


def test_labels_make_it_a_bound_and_rows_are_only_measured_when_asked_for(pictures: Path) -> None:
    found = json.loads((pictures / "evaluation.json").read_text())
    assert [row["label"] for row in found["rows"]] == ["generator, T = 1", "real data"]
    assert found["correction"]["at_least"]
    assert " by at least " in found["correction"]["sentence"]
    certificate = seqgan.open_run(pictures).certificate()
    assert certificate.gain == found["correction"]["certificate"]["gain"]
    assert certificate.per_token is None


def test_corrected_samples(pictures: Path, tmp_path: Path, capsys: Capture) -> None:
    run, sheet = seqgan.open_run(pictures), tmp_path / "sheet.png"
    capsys.readouterr()
    arguments = ["sample", str(pictures), "-n", "8", "--correct", "4", "-o", str(sheet)]
    assert command(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(sheet)]
    assert without_progress(captured.err) == ["note: 25 % of the generator's samples were kept"]
    plain, found = run.sample(8), run.sample(8, correct=4)
    assert isinstance(found, Tensor)
    assert isinstance(plain, Tensor)
    assert found.shape == plain.shape
    assert not torch.equal(found, plain)
    assert Image.open(sheet).size[0] > 16


def test_a_sheet_of_corrected_samples_has_a_name_of_its_own(
    pictures: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    assert command(["sample", str(pictures), "-n", "4", "--correct", "2"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == pictures / "samples-4-seed-0-correct-2.png"
    path.unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--correct", "1"], "correct=1: choose exact, or keep one of 2 to 1,000 samples"),
        (["--correct", "best"], "correct=best: choose exact"),
        (["--correct", "4", "--temperature", "0.5"], "leave temperature and top_p out"),
    ],
)
def test_corrections_that_there_are_not(
    pictures: Path, capsys: Capture, arguments: list[str], words: str
) -> None:
    assert words in refusal(capsys, "sample", str(pictures), *arguments)


def test_points_too(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {**POINTS, **WITH_ROWS})
    assert " KL(real points ‖ generator) by " in capsys.readouterr().err.splitlines()[-1]
    rows = json.loads((folder / "evaluation.json").read_text())["rows"]
    assert rows[-2]["label"] == "corrected (1 of 16)"
    assert "mode_kl" in rows[-2]["metrics"]
    assert command(["sample", str(folder), "-n", "5", "--correct", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    (folder / CORRECTION_FILE).unlink()
    assert "no correction yet" in refusal(capsys, "sample", str(folder), "--correct", "3")


AC_GAN: dict[str, Any] = {
    "game": {"name": "info", "codes": [3]},
    "critic": {"name": "auxiliary", "trunk": {"name": "dcgan", "width": 4}},
    "objective": {"name": "auxiliary", "labels_of": "generated"},
}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({**PICTURES, **AC_GAN}, None),
        (CYCLE, "translations cannot be corrected"),
        ({**PICTURES, "objective": {"name": "wgan"}}, None),
        ({**CONDITIONAL, "objective": {"name": "hinge"}}, None),
        ({**PICTURES, "objective": {"name": "transport"}}, "no score of single samples"),
        (
            {**PICTURES, "critic": {"name": "dcgan", "width": 4, "minibatch_std": True}},
            "its critic compares the samples of a batch",
        ),
        (
            {
                **{**PICTURES, "estimator": None, "game": {"name": "alpha"}},
                "encoder": {"name": "mlp", "hidden": 8, "layers": 1},
            },
            "it has a critic of codes",
        ),
    ],
    ids=["latent codes", "cycle", "wgan", "hinge", "transport", "minibatch", "two critics"],
)
def test_which_critics_correct(overrides: dict[str, Any], reason: str | None) -> None:
    found = tiny_experiment(overrides).why_not_corrected
    assert found is None if reason is None else found is not None and reason in found


def test_latent_codes_are_drawn_with_the_noise(tmp_path: Path) -> None:
    """The critic of game info reads codes off pictures, and its score needs none."""
    short = {"schedule": [{"repeat": 2, "phases": {"critic": 1, "generator": 1}}]}
    folder = train(tmp_path / "run", {**PICTURES, **AC_GAN, **short})
    found = json.loads((folder / "evaluation.json").read_text())["correction"]
    assert not found["at_least"]
    assert found["unit"] == "picture"
