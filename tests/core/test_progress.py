"""Lines on how far the work is, where there is no terminal."""

import pytest

from seqgan.core import progress
from seqgan.core.progress import ProgressLines, duration, progress_bar, tracked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its only entry is the time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_half_minute_with_the_time_that_is_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar() as bar:
        assert isinstance(bar, ProgressLines), "no terminal here"
        task = bar.add_task("evaluating", total=14, note="")
        for _ in range(3):
            clock[0] += 20
            bar.advance(task)
    assert capsys.readouterr().err == "evaluating: 2 of 14, 40 s gone, about 4 min left\n"


def test_a_milestone_has_its_line_at_once_and_starts_the_half_minute_anew(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressLines()
    task = bar.add_task("run", total=1000, note="")
    clock[0] = 20
    bar.update(task, completed=100, note="jsd 0.12", milestone=True)
    for now in (49, 51):
        clock[0] = now
        bar.update(task, completed=200, note="")
    clock[0] = 100
    bar.update(task, completed=1000, milestone=True)
    assert capsys.readouterr().err.splitlines() == [
        "run: 100 of 1000, jsd 0.12, 20 s gone, about 3 min left",
        "run: 200 of 1000, 51 s gone, about 3 min 24 s left",
        "run: 1000 of 1000, 1 min 40 s gone",
    ]


def test_the_pace_is_that_of_the_last_minute_and_of_this_process(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fast steps of an earlier phase, or of the run that is resumed, say nothing of the rest."""
    bar = ProgressLines()
    task = bar.add_task("resumed", total=2000, completed=1000)
    for step in range(1, 121):
        clock[0] += 1
        bar.update(task, completed=1000 + min(10 * step, 600) + max(0, step - 60))
    assert capsys.readouterr().err.splitlines()[-1] == (
        "resumed: 1660 of 2000, 2 min gone, about 5 min 40 s left"
    )


def test_counts_of_millions_are_whole_numbers(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressLines()
    task = bar.add_task("run", total=12_345_678)
    bar.update(task, completed=1_234_567, milestone=True)
    assert capsys.readouterr().err.startswith("run: 1234567 of 12345678, ")


def test_nothing_is_written_on_work_that_is_done_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(tracked(iter("abc"), "reading", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_long_loops_are_told(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in tracked(range(1000), "reading text", 1000):
        clock[0] += 0.125
    assert capsys.readouterr().err.splitlines() == [
        "reading text: 240 of 1000, 30 s gone, about 1 min 35 s left",
        "reading text: 480 of 1000, 1 min gone, about 1 min 5 s left",
        "reading text: 720 of 1000, 1 min 30 s gone, about 35 s left",
        "reading text: 960 of 1000, 2 min gone, about 5 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7499, "2 h 4 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
