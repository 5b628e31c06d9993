"""`seqgan probe`: a configuration after its warm-up, or a run at its reported checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.progress import progress_bar
from seqgan.core.rng import seed_everything
from seqgan.core.saved_files import replacing, write_json
from seqgan.experiment import Experiment, load_experiment, load_run
from seqgan.probe.measure import measure
from seqgan.runs.folder import check_same_data
from seqgan.runs.messages import report_checkpoint, report_warnings
from seqgan.runs.outcome import open_reported
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import raise_if_not_finite

_ROWS = "'probe={estimators: [{label: mine, estimator: {name: score_function}}]}' behind it"

FLOOR = 1e-3
"""Smaller biases are drawn here: a logarithmic axis has no zero."""


def probe_command(
    source: Path, folder: Path | None, overrides: list[str]
) -> tuple[Path, JsonObject]:
    """Returns the folder that probe.json and probe.png are in, and what was found."""
    run = source if source.is_dir() else None
    experiment = load_run(source, overrides) if run else load_experiment(source, overrides)
    config = experiment.probe
    if config is None:
        file = f"its config.yaml, or give {_ROWS}" if run else "the configuration"
        raise UserError(f"{source}: has no section probe; add one to {file}; see configs/probe/")
    device = build_device(experiment)
    data = build_task(experiment, device, run)
    if run is not None:
        check_same_data(run, data.report)
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
    _draw(found["estimators"], folder / "probe.png")
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


def _draw(rows: Sequence[JsonObject], path: Path) -> None:
    """Write a PNG: left bias (with its error) against √variance, right seconds per estimate."""
    figure = Figure(figsize=(12, 0.28 * len(rows) + 3), layout="constrained")
    FigureCanvasAgg(figure)
    plane, cost = figure.subplots(1, 2, width_ratios=(3, 2))
    for row in rows:
        x, y = max(row["variance"], 0.0) ** 0.5, max(row["bias"], FLOOR)
        (dot,) = plane.plot([max(x, FLOOR)], [y], "o")
        low, high = max(row["bias"] - row["bias_error"], FLOOR), row["bias"] + row["bias_error"]
        plane.plot([max(x, FLOOR)] * 2, [low, max(high, FLOOR)], color=dot.get_color(), alpha=0.5)
        plane.annotate(
            row["label"], (max(x, FLOOR), y), (4, 3), textcoords="offset points", fontsize=7
        )
    plane.set(
        xscale="log",
        yscale="log",
        xlabel="standard deviation of one estimate / ‖gradient‖",
        ylabel="bias / ‖gradient‖  (bar: standard error)",
        title="Bias and spread: towards the lower left is better",
    )
    plane.grid(alpha=0.3)
    labels = [row["label"] for row in rows][::-1]
    cost.barh(labels, [1e3 * row["seconds"] for row in rows][::-1], color="#74808c")
    cost.set(xscale="log", xlabel="milliseconds per estimate", title="Cost")
    cost.tick_params(axis="y", labelsize=7)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
