"""Alarms: what is said of a player that has stopped, when, how often, and of whom nothing is."""

from pathlib import Path
from typing import Any

import pytest
from tiny_runs import assert_same_run, metric_lines, tiny_experiment, train

from seqgan.cli import run
from seqgan.runs.train import _alarms
from seqgan.training import alarms as module
from seqgan.training.alarms import ALWAYS, LINES, LONG, NOTHING, Alarms
from seqgan.training.config import StageConfig
from seqgan.training.phase_schedule import PhaseSchedule

PAIRED = PhaseSchedule([StageConfig(repeat=100_000, phases={"critic": 1, "generator": 1})])
HEALTHY = {
    "critic/accuracy": 0.8,
    "critic/gradient_norm": 0.3,
    "generator/gradient_norm": 0.2,
}


def watch(schedule: PhaseSchedule = PAIRED, **changed: Any) -> Alarms:
    arguments = {"adversarial": {"generator"}, "critic_can_win": True, **changed}
    return Alarms(schedule, **arguments)


def lines(count: int, every: int = 400, critic: int = 200, **stats: float) -> list[dict[str, Any]]:
    """Log lines; in each interval the generator has 200 updates and the critic `critic`."""
    return [
        {
            "step": n * every,
            "generator_updates": 200 * n,
            "critic_updates": critic * n,
            **HEALTHY,
            **stats,
        }
        for n in range(1, count + 1)
    ]


def raised(alarms: Alarms, read: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Names of alarms, and the number of the line that raised each."""
    return [(a.name, n) for n, line in enumerate(read, 1) for a in alarms.read(line)]


def test_a_healthy_run_raises_none() -> None:
    assert raised(watch(), lines(50)) == []


@pytest.mark.parametrize(
    ("name", "critic", "stats"),
    [
        ("critic_wins", 200, {"critic/accuracy": ALWAYS}),
        ("generator_stands", 200, {"generator/gradient_norm": NOTHING}),
        ("critic_stands", 200, {"critic/gradient_norm": 0.0}),
        ("critic_left", 0, {}),
    ],
)
def test_each_sign_raises_its_alarm_once(name: str, critic: int, stats: dict[str, float]) -> None:
    assert 200 * LINES > LONG
    assert raised(watch(), lines(50, critic=critic, **stats)) == [(name, LINES)]


def test_a_sign_has_to_last() -> None:
    bad, good = lines(60, **{"critic/accuracy": 1.0}), lines(60)
    mixed = [bad[n] if n % LINES else good[n] for n in range(60)]
    assert raised(watch(), mixed) == []
    slow = lines(40, **{"critic/accuracy": 1.0})
    for n, line in enumerate(slow, 1):
        line["critic_updates"] = 20 * n
    assert raised(watch(), slow) == [("critic_wins", LONG // 20)]


def test_a_critic_of_which_no_generator_learns_may_be_sure() -> None:
    """Its own phase alone: pretraining, a correction, a critic alone."""
    alone = PhaseSchedule([StageConfig(repeat=100_000, phases={"critic": 1, "mle": 1})])
    assert raised(watch(alone), lines(30, **{"critic/accuracy": 1.0})) == []
    assert raised(watch(alone), lines(30, critic=0)) == []
    assert raised(watch(alone), lines(30, **{"generator/gradient_norm": 0.0})) == []


def test_lines_as_short_as_a_phase_are_understood() -> None:
    """Of every two lines one is the critic's, the other the generator's."""
    read = []
    for step in range(1, 2_400):
        counts = {"generator_updates": step // 2, "critic_updates": (step + 1) // 2}
        stats = {"critic/accuracy": 1.0} if step % 2 else {"generator/gradient_norm": 0.2}
        read.append({"step": step, **counts, **stats})
    assert raised(watch(), read) == [("critic_wins", 2 * LONG + 1)]


def test_scores_without_a_zero_are_never_too_sure() -> None:
    wgan = watch(critic_can_win=False)
    assert raised(wgan, lines(30, **{"critic/accuracy": 1.0})) == []


def test_nothing_is_said_of_a_player_that_is_told_to_stand_still() -> None:
    stats = {"critic/accuracy": 1.0, "critic/gradient_norm": 0.0, "generator/gradient_norm": 0.0}
    still = watch(frozen=["critic"])
    assert [name for name, _ in raised(still, lines(30, **stats))] == ["generator_stands"]
    still = watch(frozen=["generator"])
    assert {name for name, _ in raised(still, lines(30, **stats))} == {
        "critic_wins",
        "critic_stands",
    }


def test_the_worse_critic_of_a_cycle_decides() -> None:
    both = {"critic/accuracy": 1.0, "critic/accuracy_b": 0.9}
    assert raised(watch(), lines(30, **both)) == []


def test_the_state_goes_on() -> None:
    read = lines(12, **{"critic/accuracy": 1.0})
    first, second = watch(), watch()
    assert raised(first, read[:3]) == []
    second.load_state_dict(first.state_dict())
    assert raised(second, read[3:]) == [("critic_wins", LINES - 3)]
    third = watch()
    third.load_state_dict(second.state_dict())
    assert raised(third, lines(40, **{"critic/accuracy": 1.0})) == []


@pytest.mark.parametrize(
    ("overrides", "watched"),
    [
        ({}, True),
        ({"estimator.reward": "shuffled"}, False),
        ({"estimator.reward": "constant"}, False),
        ({"players.critic": {"lr": 0}}, True),
    ],
)
def test_controls_are_not_watched(overrides: dict[str, Any], watched: bool) -> None:
    assert (_alarms(tiny_experiment(overrides)) is not None) == watched


def test_a_critic_of_rate_0_is_told_to_stand_still() -> None:
    found = _alarms(tiny_experiment({"players.critic": {"lr": 0}}))
    assert found is not None
    assert found._frozen == ["critic"]


LEFT: dict[str, Any] = {
    "schedule": [
        {"repeat": 2, "phases": {"critic": 1, "generator": 1}},
        {"repeat": 8, "phases": {"generator": 1}},
    ],
    "train.log_every": 1,
}


def test_a_run_says_it_once_in_its_log_on_stderr_and_in_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONG", 5)
    whole = train(tmp_path / "whole", LEFT)
    said = [line for line in capsys.readouterr().err.splitlines() if "stands still" in line]
    assert said == [
        "warning: the critic has not been updated during 5 updates of the generator, which learns "
        "to please a critic that stands still; let the schedule visit phase critic as well "
        "(step 8)"
    ]
    (alarm,) = (line for line in metric_lines(whole) if line["kind"] == "alarm")
    assert (alarm["name"], alarm["step"]) == ("critic_left", 8)
    assert run(["report", str(whole), "-o", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert page.count("let the schedule visit phase critic as well (seed 0).") == 1

    short = {**LEFT, "schedule": [LEFT["schedule"][0], {"repeat": 6, "phases": {"generator": 1}}]}
    halves = train(tmp_path / "halves", short)  # step 10: the alarm has been said
    capsys.readouterr()
    assert run(["train", "--resume", str(halves), "schedule.1.repeat=8"]) == 0
    assert "stands still" not in capsys.readouterr().err
    assert_same_run(whole, halves)
