"""Arms of a study on text after the same CPU seconds, from the same generator.

Each arm's schedule begins with the same stage of likelihood, which is trained once for a seed. From
there every arm goes on with its own further stages, the last of them for as long as there are
seconds. Seconds are of this process, on one thread; reading and measuring do not count.

    arm seed seconds steps nll_valid nll_test nll_known_test bleu_4 self_bleu_4

with the metrics of `seqgan evaluate`; the first line of a seed is the common start.

    python scripts/arms_by_seconds.py configs/studies/ebft.yaml --seconds 45 \\
        --set data.path=image_coco.txt --set data.test_path=test_coco.txt
"""

import copy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.rng import seed_everything
from seqgan.evaluation.base import DecodingSetting, Metrics
from seqgan.experiment import Experiment
from seqgan.study import load_study, plan
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule

COLUMNS = ("nll_valid", "nll_test", "nll_known_test", "bleu_4", "self_bleu_4")


class Arm:
    """An arm's game, and its data."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        device = build_device(experiment)
        self.task = build_task(experiment, device)
        self.game: Game = build_game(experiment, self.task, device)

    def begin(self, start: "Arm") -> None:
        """Go on from another arm's generator and position in the data."""
        generator, stream = start.game.players["generator"], start.game.stateful()["stream"]
        self.game.players["generator"].load_state_dict(copy.deepcopy(generator.state_dict()))
        self.game.stateful()["stream"].load_state_dict(stream.state_dict())

    def visit(self, phase: str) -> float:
        """One step; the CPU seconds that it took."""
        begun = time.process_time()
        for player, loss, _ in self.game.updates(phase):
            player.update(loss)
        return time.process_time() - begun

    def measure(self) -> Metrics:
        """Likelihood of held-out sentences, and BLEU of samples."""
        evaluator, samples = self.task.evaluator, self.experiment.evaluation.samples
        with self.game.players["generator"].evaluated() as generator:
            valid = evaluator.generated(generator, "valid", 0, DecodingSetting())
            return valid | evaluator.generated(generator, "test", samples, DecodingSetting())


def likelihood(experiment: Experiment) -> tuple[Arm, float, int]:
    """The arm after its first stage, which must be likelihood alone; its seconds and steps."""
    stage = experiment.schedule[0]
    if set(stage.phases) != {"mle"}:
        raise UserError(f"schedule.0.phases={stage.phases}: begin with a stage of mle alone")
    arm = Arm(experiment)
    seed_everything(experiment.seed)
    steps = PhaseSchedule([stage]).steps
    return arm, sum(arm.visit("mle") for _ in range(steps)), steps


def later_phases(experiment: Experiment) -> Iterator[str]:
    """The phases behind the first stage; the last stage has no end."""
    for stage in experiment.schedule[1:]:
        schedule = PhaseSchedule([stage])
        yield from (schedule.phase(step) or "" for step in range(schedule.steps))
    while True:
        yield from (phase for phase, visits in stage.phases.items() for _ in range(visits))


def print_line(name: str, seed: int, seconds: float, steps: int, metrics: Metrics) -> None:
    """One row of the table."""
    values = [metrics[column] for column in COLUMNS]
    shown = ("–" if value is None else f"{value:.4f}" for value in values)
    print(name, seed, f"{seconds:.0f}", steps, *shown, flush=True)


def run_seed(arms: list[tuple[str, Experiment]], seconds: float) -> None:
    """All arms of a seed."""
    start, spent, steps = likelihood(arms[0][1])
    print_line("start", start.experiment.seed, spent, steps, start.measure())
    for name, experiment in arms:
        arm = Arm(experiment)
        arm.begin(start)
        seed_everything(experiment.seed)
        spent, steps, phases = 0.0, 0, later_phases(experiment)
        while spent < seconds:
            spent, steps = spent + arm.visit(next(phases)), steps + 1
        print_line(name, experiment.seed, spent, steps, arm.measure())


def main(
    study: Annotated[Path, typer.Argument(help="YAML file of a study on text.")],
    seconds: Annotated[float, typer.Option(help="CPU seconds of each arm after likelihood.")],
    set: Annotated[list[str], typer.Option(help="An override of every arm.")] = [],  # noqa: B006
) -> None:
    """Compare the arms of a study from the same generator, after the same CPU seconds."""
    torch.set_num_threads(1)
    print("arm seed seconds steps", *COLUMNS, flush=True)
    try:
        loaded = load_study(study)
        runs = plan(loaded, study, Path("unused"), [*set, "train.threads=1"])
        for seed in loaded.seeds:
            run_seed([(run.arm, run.experiment) for run in runs if run.seed == seed], seconds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
