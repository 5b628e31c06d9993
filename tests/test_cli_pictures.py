"""Pictures and points through the command line, on runs that take a second."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from tiny_runs import (
    CONDITIONAL,
    CYCLE,
    DIRECT,
    PICTURES,
    POINTS,
    train,
    train_planned,
    write_config,
)

from seqgan.cli import run
from seqgan.core.config_diff import config_diff, flatten
from seqgan.core.errors import UserError
from seqgan.core.metric_names import CRITIC_METRICS, base
from seqgan.data.picture_config import PictureDataConfig, UnpairedPicturesConfig
from seqgan.data.points_config import PointsDataConfig
from seqgan.experiment import load_experiment
from seqgan.runs.folder import check_same_data

pytestmark = pytest.mark.usefixtures("drawn_once")

Capture = pytest.CaptureFixture[str]
CONFIGS = Path(__file__).parents[1] / "configs"


SHOWN = {"train.show_at": [1, 3]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each game. To be read only."""
    folder = tmp_path_factory.mktemp("direct")
    return {name: train(folder / name, {**tree, **SHOWN}) for name, tree in DIRECT.items()}


def fail(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


NOISY = {"samples", "interpolation", "latent", "sliders", "neighbours"}
"""Sheets of a generator of pictures that starts from noise."""


def test_runs_leave_what_is_documented(runs: dict[str, Path]) -> None:
    sheets = {
        "points": {"samples"},
        "pictures": NOISY,
        "conditional": NOISY,
        "autoencoder": NOISY,
        "regression": NOISY,
        "cycle": {"translation"},
        "paired": {"translation"},
    }
    for name, folder in runs.items():
        assert {path.stem for path in (folder / "pictures").iterdir()} == sheets[name]
        for path in (folder / "pictures").iterdir():
            assert min(Image.open(path).size) > 40
        shown = sorted(path.name for path in (folder / "samples").glob("updates-*.png"))
        # Every evaluation (steps 0, 4, 8, 12) and the generator's first and third update.
        steps_an_update = 1 if name in ("autoencoder", "regression") else 2
        expected = sorted({*(step // steps_an_update for step in (0, 4, 8, 12)), 1, 3})
        assert shown == [f"updates-{updates:08d}.png" for updates in expected]
        with Image.open(folder / "samples" / "progress.gif") as gif:
            assert gif.n_frames >= 2
        assert json.loads((folder / "evaluation.json").read_text())["samples"] == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("points", PointsDataConfig.metrics),
        ("pictures", PictureDataConfig.metrics),
        ("conditional", PictureDataConfig.metrics),
        ("cycle", UnpairedPicturesConfig.metrics),
    ],
)
def test_metrics_have_their_documented_names(
    name: str, known: tuple[str, ...], runs: dict[str, Path]
) -> None:
    rows = json.loads((runs[name] / "evaluation.json").read_text())["rows"]
    rules = ["copy"] if name == "cycle" else []
    assert [row["label"] for row in rows] == ["generator, T = 1", *rules, "real data"]
    measured = known if name == "cycle" else (*known, *CRITIC_METRICS)
    for row in rows:
        for metric in row["metrics"]:
            bare = base(metric)
            assert any(bare == one or bare.startswith(one + "_") for one in measured), metric
    fids = [metric for metric in rows[0]["metrics"] if metric.startswith("fid")]
    assert all("@cnn-" in metric for metric in fids)
    assert name == "points" or fids


def test_a_extractors_name_stands_in_the_notes_and_is_the_same_for_every_run(
    runs: dict[str, Path],
) -> None:
    names = {
        json.loads((runs[name] / "evaluation.json").read_text())["notes"]["extractor"]
        for name in ("pictures", "conditional", "autoencoder")
    }
    assert len(names) == 1


def test_a_selection_rule_may_leave_out_the_extractor(tmp_path: Path) -> None:
    rule = {"evaluation.select": {"metric": "fid", "mode": "min"}}
    folder = train(tmp_path / "run", {**PICTURES, **rule})
    best = json.loads((folder / "checkpoints" / "best.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    fids = {
        line["step"]: value
        for line in lines
        if line["kind"] == "eval" and line["step"] > 0  # the initial network is no candidate
        for metric, value in line["metrics"].items()
        if base(metric) == "fid"
    }
    assert best["step"] == min(fids, key=fids.__getitem__)


def test_samples_are_one_sheet(runs: dict[str, Path], tmp_path: Path, capsys: Capture) -> None:
    first, second, other = (tmp_path / f"{name}.png" for name in ("first", "second", "other"))
    for path, seed in ((first, 3), (second, 3), (other, 4)):
        options = ("-n", "9", "--format", "png", "--seed", str(seed), "-o", str(path))
        assert run(["sample", str(runs["pictures"]), *options]) == 0
        assert capsys.readouterr().out.strip() == str(path)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_the_temperature_of_a_direct_generator_is_that_of_its_noise(
    runs: dict[str, Path], capsys: Capture
) -> None:
    """At T → 0 all points are the same."""
    spreads = []
    for temperature in ("1e-6", "1", "3"):
        capsys.readouterr()
        assert run(["sample", str(runs["points"]), "-n", "50", "--temperature", temperature]) == 0
        points = [[float(w) for w in line.split()] for line in capsys.readouterr().out.splitlines()]
        spreads.append(float(np.std(points, axis=0).sum()))
    assert spreads[0] < 1e-4 < spreads[1] < spreads[2]


def test_samples_of_points_are_lines(runs: dict[str, Path], capsys: Capture) -> None:
    capsys.readouterr()
    assert run(["sample", str(runs["points"]), "-n", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(len([float(word) for word in line.split()]) == 2 for line in lines)
    assert run(["sample", str(runs["points"]), "-n", "5", "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line, item in zip(lines, objects, strict=True):
        assert [float(word) for word in line.split()] == pytest.approx(item["point"], abs=1e-6)


def test_a_folder_is_translated_file_by_file(runs: dict[str, Path], tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in (("a.png", 16), ("deep/b.jpg", 40)):
        Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8)).save(source / name)
    Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(source / "grey.png")
    command = ["transform", str(runs["cycle"]), "--input", str(source), "--output", str(output)]
    assert run(command) == 0
    written = sorted(str(path.relative_to(output)) for path in output.rglob("*.png"))
    assert written == ["a.png", "deep/b.png", "grey.png"]
    for path in output.rglob("*.png"):
        assert Image.open(path).size == (16, 16)
    assert run([*command[:-1], str(tmp_path / "back"), "--direction", "b2a"]) == 0
    ways = [(folder / "a.png").read_bytes() for folder in (output, tmp_path / "back")]
    assert ways[0] != ways[1]


def test_deep_pictures_are_translated_on_the_scale_of_the_training_pictures(
    tmp_path: Path, capsys: Capture
) -> None:
    """Twelve bits; a folder of dark ones was brightened, and scaled by itself."""
    rng = np.random.default_rng(0)

    def save(path: Path, largest: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, largest, (8, 8)).astype(np.uint16)).save(path)

    sides = {}
    for side in "ab":
        for number in range(20):
            save(tmp_path / side / f"{number}.png", 0xFFF)
        parts = {f"{part}_fraction": 0.2 for part in ("extractor", "valid", "test")}
        sides[side] = {"source": {"name": "folder", "path": str(tmp_path / side)}, **parts}
    data = {"name": "unpaired", **sides}
    folder = train(tmp_path / "run", {**CYCLE, "data": data})

    def transformed(name: str) -> str:
        capsys.readouterr()
        source, out = tmp_path / name, tmp_path / f"{name}-out"
        assert run(["transform", str(folder), "--input", str(source), "--output", str(out)]) == 0
        return capsys.readouterr().err

    save(tmp_path / "dark" / "x.png", 0x1FF)
    shutil.copytree(tmp_path / "dark", tmp_path / "mixed")
    save(tmp_path / "mixed" / "bright.png", 0xFFF)
    for name in ("dark", "mixed"):
        assert "warning" not in transformed(name)
    alone, beside = (tmp_path / f"{name}-out" / "x.png" for name in ("dark", "mixed"))
    assert alone.read_bytes() == beside.read_bytes()
    save(tmp_path / "mixed" / "brighter.png", 0x3FFF)
    assert "14 bits, the run was trained on 12" in transformed("mixed")


def test_data_are_the_same_although_an_earlier_version_noted_no_bits(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": {"train": {"sha256": "x"}}}')
    for sha256, expected in (
        ("x", nullcontext()),
        ("y", pytest.raises(UserError, match="changed")),
    ):
        report = {"a": {"train": {"sha256": sha256}, "bits": 12}}
        with expected:
            check_same_data(tmp_path, report)


def test_a_report_holds_the_pictures(runs: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert run(["report", str(runs["pictures"]), str(runs["cycle"]), "-o", str(page)]) == 0
    text = page.read_text()
    assert text.count("data:image/png;base64,") >= 5
    assert "data:image/gif;base64," in text


def test_studies_find_metrics_without_the_extractors_name(tmp_path: Path) -> None:
    write_config(tmp_path / "base.yaml", PICTURES)
    study = {
        "name": "s",
        "base": "base.yaml",
        "seeds": [0],
        "metrics": ["fid", "coverage"],
        "arms": [{"name": "hinge", "set": {"objective.name": "hinge"}}],
    }
    (tmp_path / "s.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(study)))
    train_planned(tmp_path / "s.yaml", tmp_path / "study")
    assert run(["compare", str(tmp_path / "s.yaml"), "--dir", str(tmp_path / "study")]) == 0
    page = (tmp_path / "study" / "report.html").read_text()
    assert "fid@cnn-" in page
    assert "recorded by no finished run" not in page


# ── What cannot be done ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "options", "parts"),
    [
        ("pictures", ["--format", "text"], ["--format='text'", "png"]),
        ("points", ["--format", "png"], ["--format='png'", "text, jsonl"]),
        ("points", ["--format", "ids"], ["--format='ids'", "text, jsonl"]),
        ("pictures", ["--top-p", "0.5"], ["top_p=0.5", "temperature"]),
        ("pictures", ["-o", "x.jpg"], ["x.jpg", ".png"]),
        ("points", ["-o", "x.png"], ["x.png", "this run writes text"]),
        ("cycle", [], ["seqgan transform"]),
    ],
)
def test_requests_that_make_no_sense(
    name: str, options: list[str], parts: list[str], runs: dict[str, Path], capsys: Capture
) -> None:
    line = fail(capsys, "sample", str(runs[name]), *options)
    for part in parts:
        assert part in line


def test_translations_that_cannot_be(
    runs: dict[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    cycle, here = str(runs["cycle"]), tmp_path / "in"
    out = ["--output", str(tmp_path / "out")]

    def refused(*parts: str, run_folder: str = cycle, extra: tuple[str, ...] = ()) -> None:
        line = fail(capsys, "transform", run_folder, "--input", str(here), *out, *extra)
        for part in parts:
            assert part in line, line
        assert not (tmp_path / "out").exists()

    refused("--beam=2", "leave it out", extra=("--beam", "2"))
    refused("--length=3", "leave it out", extra=("--length", "3"))
    refused(str(here), "no such folder")
    here.mkdir()
    refused(str(here), "no files")
    (here / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    refused("a.png")
    Image.new("RGB", (16, 16)).save(here / "a.png")
    Image.new("RGB", (16, 16)).save(here / "a.jpg")
    refused("a.jpg", "a.png", "rename")
    (here / "a.jpg").unlink()
    refused("direction='c2d'", "a2b, b2a", extra=("--direction", "c2d"))
    refused("translates nothing", "game cycle", run_folder=str(runs["pictures"]))


def _spoil(folder: Path, kind: str) -> str:
    """Make a folder of pictures unusable; the name that an error must have."""
    folder.mkdir()
    if kind == "empty":
        return str(folder)
    for number in range(1 if kind == "one" else 40):
        Image.new("RGB", (28, 28), (number, 0, 0)).save(folder / f"{number:02d}.png")
    if kind == "one":
        return str(folder)
    if kind == "few":
        return "valid split has 2 pictures and needs at least 6; give more pictures, or raise data."
    odd = folder / "odd.png"
    if kind == "corrupt":
        odd.write_bytes((folder / "00.png").read_bytes()[:40])
    elif kind == "text":
        odd.write_text("no picture")
    else:
        size, mode = ((14, 14), "RGB") if kind == "size" else ((28, 28), "L")
        Image.new(mode, size).save(odd)
    return "odd.png"


@pytest.mark.parametrize("kind", ["corrupt", "text", "size", "mode", "empty", "one", "few"])
def test_a_folder_that_cannot_be_used_is_refused_before_there_is_a_run(
    kind: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before the feature extractor is trained, which takes a while."""
    monkeypatch.delattr("seqgan.evaluation.feature_extractor.cached_extractor")
    named = _spoil(tmp_path / "pictures", kind)
    source = {"name": "folder", "path": str(tmp_path / "pictures")}
    overrides = {**PICTURES, "data.source": source, "data.size": None}
    config = write_config(tmp_path / "config.yaml", overrides)
    line = fail(capsys, "train", str(config), f"run.dir={tmp_path / 'run'}")
    assert named in line
    assert not (tmp_path / "run").exists()


# ── Text and pictures: one tree ───────────────────────────────────────────────────────────────


def test_a_text_and_a_picture_configuration_differ_in_model_data_estimator_and_metrics() -> None:
    """Objective, penalties, players, schedule, game and training loop are the same lines."""
    text = load_experiment(CONFIGS / "oracle/enumerable.yaml", [])
    pictures = load_experiment(
        CONFIGS / "oracle/enumerable.yaml",
        [
            "data={name: pictures, source: {name: faces}}",
            "generator={name: dcgan}",
            "critic={name: dcgan}",
            "estimator={name: pathwise}",
            "evaluation.select={metric: fid}",
        ],
    )
    differing = config_diff([flatten(text.model_dump()), flatten(pictures.model_dump())])
    branches = {key.split(".")[0] for key in differing}
    assert branches == {"data", "generator", "critic", "estimator", "evaluation"}


def test_conditional_without_labels_is_refused(tmp_path: Path, capsys: Capture) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(120):
        picture = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "in" / f"{number}.png")
    source: dict[str, Any] = {"name": "folder", "path": str(tmp_path / "in")}
    tree = {**CONDITIONAL, "data": {"name": "pictures", "source": source}}
    config = write_config(tmp_path / "c.yaml", tree)
    line = fail(capsys, "train", str(config), f"run.dir={tmp_path / 'run'}")
    assert "no labels" in line
    assert not (tmp_path / "run").exists()
    labels = {**PICTURES, "data": tree["data"], "evaluation.feature_extractor": {"kind": "labels"}}
    config = write_config(tmp_path / "d.yaml", labels)
    assert "evaluation.feature_extractor.kind" in fail(capsys, "train", str(config))


def test_unlabelled_pictures_are_measured_by_rotations(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(60):
        picture = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "in" / f"{number}.png")
    source = {"name": "folder", "path": str(tmp_path / "in")}
    data = {"name": "pictures", "source": source, "valid_fraction": 0.2, "test_fraction": 0.2}
    folder = train(tmp_path / "run", {**PICTURES, "data": {**data, "extractor_fraction": 0.3}})
    result = json.loads((folder / "evaluation.json").read_text())
    assert result["notes"]["extractor"].startswith("rotnet-")


def test_points_and_cycles_are_seeded_like_everything(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    for name, tree in (("points", POINTS), ("cycle", CYCLE)):
        again = train(tmp_path / name, {**tree, **SHOWN})
        other = train(tmp_path / f"{name} of another seed", {**tree, **SHOWN, "seed": 2})
        results = [
            json.loads((path / "evaluation.json").read_text())["rows"]
            for path in (runs[name], again, other)
        ]
        assert results[0] == results[1] != results[2]
