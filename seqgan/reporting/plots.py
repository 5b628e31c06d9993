"""Curves and sweeps as inline SVG.

Figures carry no user's text: titles and the legend are HTML, so that one legend serves all of
them. Ink is written as `currentColor` and follows the page into dark mode. The output depends on
the data only (fixed hash salt, no date), so that equal runs give equal reports.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from seqgan.core.plain import JsonObject
from seqgan.reporting.runs import Arm, Run
from seqgan.reporting.statistics import Summary, Value, mean, number, summarise

PALETTE = (
    "#3a7fc1",
    "#e07b1a",
    "#2a9d6f",
    "#c8453b",
    "#8d63b8",
    "#d0609c",
    "#74808c",
    "#93613f",
    "#1f9db0",
    "#8f9a25",
)
NULL_DASH = (5.0, 3.0)
INK = "#010203"  # stands for currentColor, which matplotlib does not know
SIZE_INCHES = (5.6, 3.2)

# Quality against diversity, or against coverage: what a temperature trades. x, then y.
SWEEP_PAIRS = (
    ("nll_oracle", "nll_test"),
    ("self_bleu_4", "bleu_4"),
    ("reverse_lm_score@trigram", "lm_score@trigram"),
)


@dataclass(frozen=True)
class Style:
    """How an arm is drawn, in figures and legend."""

    color: str
    dash: tuple[float, float] | None


@dataclass(frozen=True)
class Figure:
    """A drawn figure and what to write around it."""

    title: str
    svg: str
    note: str = ""


def arm_styles(arms: list[Arm]) -> dict[str, Style]:
    """Arm name → style; null arms are dashed."""
    return {
        arm.name: Style(PALETTE[i % len(PALETTE)], NULL_DASH if arm.null else None)
        for i, arm in enumerate(arms)
    }


def curve_metrics(arms: list[Arm]) -> list[str]:
    """Every metric that was evaluated during training, in order of appearance."""
    lines = [line for arm in arms for run in arm.runs for line in run.evals]
    return list(dict.fromkeys(name for line in lines for name in line.get("metrics", {})))


def learning_curve(arms: list[Arm], metric: str) -> Figure:
    """A metric against generator updates: mean over seeds, and the band of its summary."""
    styles = arm_styles(arms)
    curves = {arm.name: _curve(arm, metric) for arm in arms}
    drawn = [summary for curve in curves.values() for summary in curve.values()]
    figure, axes = new_figure("generator updates")
    for name, curve in curves.items():
        _draw_curve(axes, curve, styles[name])
    _scale_y(axes, [summary.mean for summary in drawn if summary.mean is not None])
    absent = [arm.label for arm in arms if not curves[arm.name]]
    reason = "Not drawn, for want of a point where every seed is finite"
    note = f"{reason}: {', '.join(absent)}." if absent else ""
    return Figure(metric, to_svg(figure, metric), note)


def _curve(arm: Arm, metric: str) -> dict[int, Summary]:
    """Generator updates → summary over seeds, at the points that every run has.

    An unfinished run would cut the curve of its arm short, so finished ones are used where
    there are any; a mean over changing sets of seeds would jump.
    """
    points = [_finite_points(run, metric) for run in arm.finished or arm.runs]
    if not points:  # every run of the arm failed
        return {}
    common = set.intersection(*(set(by_update) for by_update in points))
    return {update: summarise(by[update] for by in points) for update in sorted(common)}


def _finite_points(run: Run, metric: str) -> dict[int, Value]:
    points: dict[int, Value] = {}
    for line in run.evals:
        value = number(line.get("metrics", {}).get(metric))
        if value is not None and math.isfinite(value):
            points[line["generator_updates"]] = value
    return points


def _draw_curve(axes: Axes, curve: dict[int, Summary], style: Style) -> None:
    if not curve:
        return
    updates = list(curve)
    means = [s.mean for s in curve.values() if s.mean is not None]  # all of them are finite
    marker = "o" if len(updates) == 1 else ""  # a line through one point cannot be seen
    axes.plot(updates, means, color=style.color, marker=marker, markersize=4, **_line(style))
    bands = [(u, s.low, s.high) for u, s in curve.items() if s.low is not None]
    if bands:
        x, low, high = zip(*bands, strict=True)
        axes.fill_between(x, low, high, color=style.color, alpha=0.16, linewidth=0)


def _line(style: Style) -> dict[str, Any]:
    pattern = (0, style.dash) if style.dash else "solid"
    return {"linewidth": 1.7, "linestyle": pattern}


def sweep_figures(arms: list[Arm]) -> list[Figure]:
    """The trade-off that decoding spans, where final evaluations hold several settings."""
    figures = (_sweep(arms, x, y) for x, y in SWEEP_PAIRS)
    return [figure for figure in figures if figure is not None]


def _sweep(arms: list[Arm], x_metric: str, y_metric: str) -> Figure | None:
    styles = arm_styles(arms)
    points = {arm.name: _sweep_points(arm, x_metric, y_metric) for arm in arms}
    if all(len(by_setting) < 2 for by_setting in points.values()):
        return None
    figure, axes = new_figure(x_metric)
    axes.set_ylabel(y_metric)
    for name, by_setting in points.items():
        _draw_sweep(axes, by_setting, styles[name])
    note = (
        "Lines join temperatures (labelled at their ends), triangles are top-p settings, "
        "rings the selected decoding; means over seeds."
    )
    return Figure(f"{y_metric} against {x_metric}", to_svg(figure, x_metric + y_metric), note)


@dataclass(frozen=True)
class _Point:
    x: float
    y: float
    selected: bool


def _sweep_points(arm: Arm, x_metric: str, y_metric: str) -> dict[tuple[float, float], _Point]:
    """(temperature, top_p) → means over seeds, where every value is finite."""
    rows: dict[tuple[float, float], list[JsonObject]] = {}
    for row in (row for run in arm.finished for row in run.decoding_rows):
        if row.get("temperature") is not None:
            setting = (row["temperature"], row.get("top_p") or 1.0)
            rows.setdefault(setting, []).append(row)
    points = {}
    for setting in sorted(rows):
        x = _finite_mean(row["metrics"].get(x_metric) for row in rows[setting])
        y = _finite_mean(row["metrics"].get(y_metric) for row in rows[setting])
        if x is not None and y is not None:
            selected = any(row.get("selected") for row in rows[setting])
            points[setting] = _Point(x, y, selected)
    return points


def _finite_mean(values: Iterable[Value]) -> float | None:
    numbers = [number(value) for value in values]
    finite = [x for x in numbers if x is not None and math.isfinite(x)]
    return mean(finite) if finite and len(finite) == len(numbers) else None


def _draw_sweep(axes: Axes, points: dict[tuple[float, float], _Point], style: Style) -> None:
    temperatures = [(t, point) for (t, top_p), point in points.items() if top_p == 1.0]
    xs, ys = [p.x for _, p in temperatures], [p.y for _, p in temperatures]
    axes.plot(xs, ys, color=style.color, marker="o", markersize=3.5, **_line(style))
    for temperature, point in {*temperatures[:1], *temperatures[-1:]}:
        axes.annotate(
            f"{temperature:g}",
            (point.x, point.y),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=8,
            color=style.color,
        )
    for (_, top_p), point in points.items():
        if top_p != 1.0:
            axes.plot(point.x, point.y, color=style.color, marker="^", markersize=4.5)
        if point.selected:
            axes.plot(
                point.x, point.y, marker="o", markersize=9, color=style.color, fillstyle="none"
            )


def new_figure(x_label: str) -> tuple[MplFigure, Axes]:
    """A figure whose ink follows the page, and its axes."""
    figure = MplFigure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.set_xlabel(x_label, color=INK)
    axes.yaxis.label.set_color(INK)
    axes.tick_params(colors=INK, labelsize=9, which="both")
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
        axes.spines[side].set_linewidth(0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return figure, axes


def _scale_y(axes: Axes, values: list[float]) -> None:
    """A logarithmic axis where the values are positive and span more than a decade."""
    if not values or min(values) <= 0 or max(values) <= 10 * min(values):
        return
    axes.set_yscale("log", nonpositive="clip")
    few_decades = max(values) < 1000 * min(values)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few_decades else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))


def to_svg(figure: MplFigure, salt: str) -> str:
    """The `<svg>` element alone; another salt for each figure keeps ids of one page apart."""
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": salt}
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    stream = io.StringIO()
    with matplotlib.rc_context(settings):
        figure.savefig(stream, format="svg", metadata=no_metadata)
    text = stream.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
