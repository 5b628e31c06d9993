"""`seqgan probe`: a configuration after its warm-up, or a run at its reported checkpoint."""

from pathlib import Path

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.progress import progress_bar
from seqgan.core.rng import seed_everything
from seqgan.core.saved_files import write_json
from seqgan.experiment import Experiment, load_experiment, load_run
from seqgan.probe.figure import draw_probe
from seqgan.probe.measure import measure
from seqgan.runs.messages import report_checkpoint, report_warnings
from seqgan.runs.outcome import open_reported
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import raise_if_not_finite

_ROWS = "'probe={estimators: [{label: mine, estimator: {name: score_function}}]}' behind it"


def probe_command(
    source: Path, folder: Path | None, overrides: list[str]
) -> tuple[Path, JsonObject]:
    """Probe a configuration, after its warm-up, or a run at its reported checkpoint.

    Returns the folder that probe.json and probe.png are in, and what was found.
    """
    run = source if source.is_dir() else None
    experiment = load_run(source, overrides) if run else load_experiment(source, overrides)
    config = experiment.probe
    if config is None:
        file = f"its config.yaml, or give {_ROWS}" if run else "the configuration"
        raise UserError(f"{source}: has no section probe; add one to {file}; see configs/probe/")
    device = build_device(experiment)
    data = build_task(experiment, device, run)
    report_warnings(data.report)
    game = build_game(experiment, data, device)
    if run is not None:
        state, checkpoint = open_reported(experiment, run)
        report_checkpoint(checkpoint)
        for name, player in game.players.items():
            player.load_state_dict(state["players"][name])
    else:
        _warm_up(experiment, game, config.warm_up)
    with progress_bar() as bar:
        task = bar.add_task("probing", total=len(config.estimators), note="")
        found = measure(experiment, game.players, data, device, lambda: bar.advance(task))
    folder = folder or (run / "probe" if run else Path(f"runs/{experiment.name}-probe"))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "probe.json", found)
    draw_probe(found["estimators"], folder / "probe.png")
    return folder, found


def _warm_up(experiment: Experiment, game: Game, steps: int) -> None:
    """The first steps of the schedule, without logs or checkpoints."""
    seed_everything(experiment.seed)
    schedule = PhaseSchedule(experiment.schedule)
    if steps > schedule.steps:
        raise UserError(f"probe.warm_up={steps}: the schedule has {schedule.steps} steps; lower it")
    with progress_bar() as bar:
        task = bar.add_task("warming up", total=steps, note="")
        for step in range(steps):
            phase = schedule.phase(step)
            assert phase is not None
            for player, loss, _ in game.updates(phase):
                player.update(loss)
            bar.advance(task)
    raise_if_not_finite(game.players.values(), steps)
