"""The probe as a picture: bias against standard deviation of each estimator, and what it costs."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seqgan.core.plain import JsonObject
from seqgan.core.saved_files import replacing

FLOOR = 1e-3
"""Smaller biases are drawn here: zero has no place on a logarithmic axis."""


def draw_probe(rows: Sequence[JsonObject], path: Path) -> None:
    """Write a PNG: left bias (with its error) against √variance, right seconds an estimate."""
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
    cost.set(xscale="log", xlabel="milliseconds an estimate", title="Cost")
    cost.tick_params(axis="y", labelsize=7)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
