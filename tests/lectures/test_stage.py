"""How an idea is played: its folder, its trainings, its result, and what is refused."""

import json
import signal
from pathlib import Path

import pytest

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.lectures import stage as stage_module
from seqgan.lectures.command import finding_lines
from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.listing import find_idea
from seqgan.lectures.stage import Stage, play
from seqgan.training.trainer import Interrupted, Trainer

TEXT = Said("a title", "題目")
STEP = Said("step", "步數")
POINTS = "image/gaussians.yaml"
TINY = ("generator.hidden=4", "critic.hidden=4", "data.valid=64", "data.test=64")


def idea(*overrides: str, number: int = 90) -> Idea:
    def train(stage: Stage) -> list[Finding]:
        saved = stage.train(POINTS, *TINY, *overrides, name="points")
        stage.picture("points").write_bytes(b"")
        return [Finding(STEP, saved.checkpoint.step, at_least=1)]

    return Idea(number, TEXT, TEXT, Said.both("a = b"), train)


def test_a_second_play_trains_nothing(tmp_path: Path) -> None:
    first = play(idea(), tmp_path / "l", quick=True)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "l" / "points").iterdir()}
    second = play(idea(), tmp_path / "l", quick=True)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "l" / "points").iterdir()}
    assert after == before
    assert second.findings == first.findings == [Finding(STEP, 6, at_least=1)]
    assert second.pictures == [tmp_path / "l" / "points.png"]
    assert second.seconds >= first.seconds
    result = json.loads((tmp_path / "l" / "result.json").read_text())
    assert result["finished"]
    assert result["pictures"] == ["points.png"]
    assert result["findings"][0]["what"] == {"en": "step", "zh": "步數"}
    with pytest.raises(UserError, match=r"another configuration; move .*, or choose .* --dir"):
        play(idea("seed=1"), tmp_path / "l", quick=True)
    assert json.loads((tmp_path / "l" / "result.json").read_text()) == result


def test_a_stopped_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._step

    def interrupt(self: Trainer, phase: str) -> None:
        step(self, phase)
        if self.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_step", interrupt)
    with pytest.raises(Interrupted, match="SIGINT") as stopped:
        play(idea(), tmp_path / "l", quick=True)
    assert stopped.value.remedy == stage_module.AGAIN
    monkeypatch.undo()
    spent = json.loads((tmp_path / "l" / "result.json").read_text())
    assert not spent["finished"]
    played = play(idea(), tmp_path / "l", quick=True)
    assert played.findings == [Finding(STEP, 6, at_least=1)]
    assert played.seconds > spent["seconds"] > 0
    whole = play(idea(), tmp_path / "whole", quick=True)
    assert whole.findings == played.findings


def test_a_stopped_lecture_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise Interrupted(signal.SIGTERM, stage_module.AGAIN)

    monkeypatch.setattr(stage_module, "play", stop)
    assert run(["lecture", "8", "--dir", str(tmp_path / "l")]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "error: SIGTERM: saved; run the same command again\n"


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="there is a file in its way"):
        play(idea(), tmp_path / "file" / "l", quick=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(UserError, match="mine: already holds something that is no lecture"):
        play(idea(), tmp_path / "mine", quick=True)
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "result.json").write_text('{"number": 91, "quick": true}')
    with pytest.raises(UserError, match="l: holds the quick form of lecture 91; move it away"):
        play(idea(), tmp_path / "l", quick=True)
    (tmp_path / "l" / "result.json").write_text('{"number": 90, "quick": true')
    with pytest.raises(UserError, match=r"result\.json: damaged"):
        play(idea(), tmp_path / "l", quick=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_bad_words_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words, message in {
        ("0",): "lecture 0: there is no idea of this number; choose from: ",
        ("99",): "lecture 99: there is no idea of this number; choose from: ",
        ("x",): "Invalid value for '[N]': ",
        ("--dir", str(tmp_path)): "is for one idea; give its number",
    }.items():
        assert run(["lecture", *words]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert message in err
    with pytest.raises(UserError):
        find_idea(-1)


def test_findings_say_what_holds() -> None:
    findings = [
        Finding(Said("left", "往左"), 0.5, 0.3, 0.7),
        Finding(Said("right way", "走對"), 0.2, at_least=0.3),
        Finding(Said("slope", "斜率"), 1e-9, at_most=1e-8),
        Finding(Said("nothing expected", "沒有預期值"), 3.0),
        Finding(Said("not a number", "不是數"), float("nan"), at_most=1.0),
        Finding(Said("exact", "恰好"), 6, 6, 6),
    ]
    assert [finding.holds for finding in findings] == [True, False, True, True, False, True]
    assert finding_lines(findings) == [
        "✓ left              0.5  (0.3 to 0.7)",
        "✗ right way         0.2  (at least 0.3)",
        "✓ slope             1e-09  (at most 1e-08)",
        "· nothing expected  3",
        "✗ not a number      nan  (at most 1)",
        "✓ exact             6  (6)",
    ]
