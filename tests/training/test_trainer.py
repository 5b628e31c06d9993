"""The loop: when it logs, evaluates, saves, shows and stops, and what its numbers are means of."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgan.training.config import PlayerConfig, StageConfig, TrainConfig
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player
from seqgan.training.selection import Selection
from seqgan.training.trainer import Trainer

LOSSES = [1.0, 2.0, 6.0, 10.0, 30.0, 20.0, 7.0]


class Scripted:
    """One player whose losses are a list; every second step has a statistic more."""

    def __init__(self, updates_a_visit: int = 1) -> None:
        self.module = nn.Linear(1, 1, bias=False)
        self.player = Player("generator", self.module, PlayerConfig(optimizer="sgd", lr=0.0))
        self.players: dict[str, Player[Any]] = {"generator": self.player}
        self._updates = updates_a_visit
        self._visits = 0

    def updates(self, phase: str) -> Iterator[tuple[Player[Any], Tensor, dict[str, Tensor]]]:
        for _ in range(self._updates):
            loss = 0 * self.module.weight.sum() + LOSSES[self._visits % len(LOSSES)]
            stats = {"odd": loss.detach()} if self._visits % 2 else {}
            yield self.player, loss, stats
        self._visits += 1

    def stateful(self) -> dict[str, Any]:
        return {}


def trainer_of(folder: Path, steps: int = 7, **fields: Any) -> tuple[Trainer, dict[str, list[int]]]:
    """A trainer, and the steps at which it evaluated and showed. The metric at step s is
    `values[s]`, or s itself."""
    seen: dict[str, list[int]] = {"evaluated": [], "shown": []}
    values = fields.pop("values", {})
    config = {"log_every": 3, "eval_every": 100, "checkpoint_every": 100, "tensorboard": False}
    game = Scripted(fields.pop("updates_a_visit", 1))
    selection = fields.pop("selection", Selection())

    def evaluate(step: int) -> dict[str, float | None]:
        seen["evaluated"].append(step)
        return {"nll_valid": values.get(step, float(step))}

    trainer = Trainer(
        game,
        PhaseSchedule([StageConfig(repeat=steps, phases={"mle": 1})]),
        TrainConfig.model_validate(config | fields),
        torch.device("cpu"),
        folder,
        evaluate,
        seen["shown"].append,
        selection,
    )
    return trainer, seen


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def test_statistics_of_a_former_version_go_on_under_their_present_names(tmp_path: Path) -> None:
    trainer, _ = trainer_of(tmp_path)
    state = trainer.state_dict()
    former = "generator/b/way_back_gradient"
    state["statistics"] = {"sums": {former: torch.tensor(3.0)}, "counts": {former: 2}}
    trainer.load_state_dict(state)
    statistics = trainer.state_dict()["statistics"]
    assert statistics["counts"] == {"generator/b/backward_gradient": 2}
    assert float(statistics["sums"]["generator/b/backward_gradient"]) == 3.0


def test_a_logged_value_is_the_mean_since_the_last_line(tmp_path: Path) -> None:
    trainer, _ = trainer_of(tmp_path)
    assert trainer.run()
    lines = lines_of(tmp_path, "train")
    assert [line["step"] for line in lines] == [3, 6, 7]
    assert [line["generator/loss"] for line in lines] == [3.0, 20.0, 7.0]
    # Of the steps that had it: 2.0, then 10.0 and 20.0, then none.
    assert [line.get("generator/odd") for line in lines] == [2.0, 15.0, None]
    assert [line["generator_updates"] for line in lines] == [3, 6, 7]


def test_several_updates_of_a_step_are_averaged(tmp_path: Path) -> None:
    trainer, _ = trainer_of(tmp_path, updates_a_visit=2)
    trainer.run()
    lines = lines_of(tmp_path, "train")
    assert [line["generator/loss"] for line in lines] == [3.0, 20.0, 7.0]
    assert [line["generator_updates"] for line in lines] == [6, 12, 14]


def test_evaluations_come_at_the_start_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    trainer, seen = trainer_of(tmp_path, eval_every=2)
    trainer.run()
    assert seen["evaluated"] == [0, 2, 4, 6, 7]
    assert [line["step"] for line in lines_of(tmp_path, "eval")] == [0, 2, 4, 6, 7]
    assert seen["shown"] == [0, 2, 4, 6, 7]


def test_milestones_are_shown_when_they_are_reached_or_passed(tmp_path: Path) -> None:
    trainer, seen = trainer_of(tmp_path, show_at=[2, 5, 9], updates_a_visit=2)
    trainer.run()
    assert seen["shown"] == [0, 1, 3, 5, 7]


def test_checkpoints_come_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    trainer, _ = trainer_of(tmp_path, checkpoint_every=3, keep=9)
    trainer.run()
    assert trainer.checkpoints.steps() == [3, 6, 7]


@pytest.mark.parametrize(("mode", "best"), [("min", 4), ("max", 2)])
def test_the_rule_selects_the_first_best_step(tmp_path: Path, mode: str, best: int) -> None:
    values = {2: 9.0, 3: 9.0, 4: 1.0, 5: 1.0, 1: 5.0, 6: 5.0, 7: 5.0}
    selection = Selection("nll_valid", mode)
    trainer, _ = trainer_of(tmp_path, eval_every=1, values=values | {0: 5.0}, selection=selection)
    trainer.run()
    assert trainer.best is not None
    assert (trainer.best["step"], trainer.best["value"]) == (best, values[best])
    selected = trainer.checkpoints.selected()
    assert selected is not None
    assert selected["step"] == best
    assert trainer.checkpoints.load(best)["step"] == best


def test_of_checkpoints_of_one_generator_the_one_of_the_latest_critic_is_selected(
    tmp_path: Path,
) -> None:
    """Its likelihood stays the same while only a critic learns."""
    selection = Selection("nll_valid", "min", patience=3)
    values = {0: 9.0, 1: 5.0} | dict.fromkeys(range(2, 8), 3.0)
    trainer, _ = trainer_of(tmp_path, eval_every=1, values=values, selection=selection)
    updates = trainer.game.updates

    def updates_of(phase: str) -> Iterator[Any]:
        if trainer.step < 2:
            yield from updates(phase)

    trainer.game.updates = updates_of  # type: ignore[method-assign]
    trainer.run()
    assert trainer.step == 7
    assert trainer.best is not None
    assert trainer.best["step"] == 7


def test_patience_counts_steps_since_the_best_one(tmp_path: Path) -> None:
    values = {0: 5.0, 1: 3.0, 2: 4.0, 3: 4.0, 4: 4.0, 5: 1.0}
    selection = Selection("nll_valid", "min", patience=3)
    trainer, seen = trainer_of(tmp_path, eval_every=1, values=values, selection=selection)
    assert trainer.run(), "a stop by the rule is an end"
    assert seen["evaluated"] == [0, 1, 2, 3, 4]
    assert trainer.checkpoints.steps()[-1] == 4


def test_seconds_are_spent_on_training_and_not_on_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which an update takes one second, an evaluation and a show a hundred each."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    trainer, _ = trainer_of(tmp_path, eval_every=2, log_every=1)
    metrics, updates = trainer.evaluate, trainer.game.updates

    def evaluate(step: int) -> Any:
        clock[0] += 100
        return metrics(step)

    def show(step: int) -> None:
        clock[0] += 100

    def updates_of(phase: str) -> Iterator[Any]:
        clock[0] += 1
        yield from updates(phase)

    trainer.evaluate, trainer.show, trainer.game.updates = evaluate, show, updates_of  # type: ignore[method-assign]
    trainer.run()
    assert [line["seconds"] for line in lines_of(tmp_path, "train")] == [1, 2, 3, 4, 5, 6, 7]
    assert clock[0] > 1000
